"""Price, utilization and fleet: the cost model of a search, and the same under other conditions of serving."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from autokd.config import SearchConfig
from autokd.cost.price_table import AT_THE_SPEED_OF, GIVEN, Price, default_price, price_of
from autokd.errors import ConfigError
from autokd.machine import usable_cores
from autokd.records import CostModel

if TYPE_CHECKING:
    pass


BATCH_SIZE = {"cuda": 32}
CPU_BATCH_SIZE = 8


def cost_model_for(config: SearchConfig, image_size: int) -> CostModel:
    """The cost model of a search: device, price, precision and batch size resolved for the hardware at hand.

    Raises ConfigError for a device that is not there, an unknown instance, or hardware without a price.
    """
    device = config.serve_device or config.device or _default_device()
    accelerator = _accelerator(device)
    kind = device.partition(":")[0]
    return CostModel(
        model=config.cost_model,
        usd_per_1k_per_billion=config.price_per_billion,
        **_price_fields(config, device, accelerator),
        utilization=config.utilization,
        accelerators_per_replica=config.accelerators_per_replica,
        requests_per_month=config.requests_per_month,
        min_replicas=config.min_replicas,
        peak_to_mean=config.peak_to_mean,
        target_utilization=config.target_utilization,
        device=device,
        runtime=config.serve_runtime,
        precision=config.serve_precision or ("bf16" if kind == "cuda" else "fp32"),
        batch_size=config.serve_batch_size or BATCH_SIZE.get(kind, CPU_BATCH_SIZE),
        image_size=image_size,
    )


def _price_fields(config: SearchConfig, device: str, accelerator: str | None) -> dict[str, Any]:
    """Price, its source and date; what the user gives comes before the table."""
    if config.price_per_hour is not None:
        price, source, date = config.price_per_hour, GIVEN, "as given"
        instance = accelerator or f"{device}, {usable_cores()} cores"
    else:
        row = _row(config, device, accelerator)
        price, source, date, instance = row.share_usd_per_hour, row.source, row.date, row.label
    return {
        "price_usd_per_hour": price,
        "price_source": source,
        "price_date": date,
        "instance": instance,
        "train_price_usd_per_hour": price if config.train_price_per_hour is None else config.train_price_per_hour,
    }


def _row(config: SearchConfig, device: str, accelerator: str | None) -> Price:
    if config.instance is not None:
        return price_of(config.instance)
    return default_price(device, accelerator, usable_cores())


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _accelerator(device: str) -> str | None:
    """The name of a CUDA device; None for every other kind of device."""
    if device.partition(":")[0] != "cuda":
        return None
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(f"--serve-device {device}: this machine has no CUDA device; choose cpu")
    return str(torch.cuda.get_device_name(device))


FLEET = ("accelerators_per_replica", "requests_per_month", "min_replicas", "peak_to_mean", "target_utilization")
SERVING = ("price_per_hour", "instance", "utilization", *FLEET)  # what a cost measured on hardware depends on
WITH_VOLUME = ("min_replicas", "peak_to_mean", "target_utilization", "horizon_months")


def changed_model(model: CostModel, given: Mapping[str, Any]) -> CostModel:
    """A run's cost model with those settings changed that are given, by their names in SearchConfig.

    Raises ConfigError for an unknown instance, for prices of hardware where parameters were priced, and for what would
    change nothing beside the volume, or the lack of one.
    """
    dead = [name for name in SERVING if name in given and name != "requests_per_month"]
    if model.model == "params" and dead:
        flag = "--" + dead[0].replace("_", "-")
        raise ConfigError(f"{flag} changes nothing here: this run was priced by parameters; search with measured cost")
    if model.model == "measured" and "price_per_billion" in given:
        raise ConfigError(
            "--price-per-billion changes nothing here: this run was priced by hardware; --price-per-hour does"
        )
    refuse_idle(given, given.get("requests_per_month", model.requests_per_month))
    update = {name: given[name] for name in ("utilization", *FLEET) if name in given}
    if "price_per_billion" in given:
        update |= {"usd_per_1k_per_billion": given["price_per_billion"]}
    if "instance" in given:
        row = price_of(given["instance"])
        update |= {"price_usd_per_hour": row.share_usd_per_hour, "price_source": row.source}
        update |= {"price_date": row.date, "instance": f"{row.label}{AT_THE_SPEED_OF}{model.instance}"}
    if "price_per_hour" in given:
        update |= {"price_usd_per_hour": given["price_per_hour"]}
        update |= {"price_source": GIVEN, "price_date": "as given"}
    if "train_price_per_hour" in given:
        update |= {"train_price_usd_per_hour": given["train_price_per_hour"]}
    return model.model_copy(update=update)


def refuse_idle(given: Collection[str], requests_per_month: float | None) -> None:
    """Raises ConfigError for the first of the given settings that counts only with a volume, or only without one."""
    if requests_per_month is not None:
        if "utilization" in given:
            raise ConfigError(
                "--utilization counts only without a volume, and there is one (--requests-per-month); "
                "give --target-utilization"
            )
        return
    for name in WITH_VOLUME:
        if name in given:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} counts only with a volume, and there is none; give --requests-per-month too")
