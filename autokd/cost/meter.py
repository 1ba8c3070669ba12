"""How the pipeline asks what serving a model costs, and with which settings.

torch is imported only where something is measured or the hardware is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from autokd.config import SearchConfig
from autokd.cost.dollars import params_cost
from autokd.cost.prices import GIVEN, Price, default_price, price_of
from autokd.errors import ConfigError
from autokd.machine import usable_cores
from autokd.progress import Listener
from autokd.records import CostModel, Interval, Reading

if TYPE_CHECKING:
    from torch import nn

    from autokd.cost.measure import Measurement

BATCH_SIZE = {"cuda": 32}
CPU_BATCH_SIZE = 8


class Meter(Protocol):
    """Tells what the teacher and students cost, and remembers what it has told."""

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """Readings of the teacher, of these students and of all asked for before, by name.

        The listener is told of a student that has none.
        """


class MeasuredMeter:
    """Measures on the serving device, students in turn with the teacher; `builders` gives a model by its name."""

    def __init__(
        self,
        teacher: str,
        builders: Callable[[str], nn.Module],
        cost_model: CostModel,
        max_latency_ms: float | None = None,
    ) -> None:
        self._teacher, self._builders = teacher, builders
        self._cost_model, self._max_latency_ms = cost_model, max_latency_ms
        self._measurement: Measurement | None = None

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter; raises ConfigError where the teacher cannot be served with these settings."""
        from autokd.cost.measure import Measurement

        if self._measurement is None:
            builder = partial(self._builders, self._teacher)
            self._measurement = Measurement(self._teacher, builder, self._cost_model, self._max_latency_ms)
        return self._measurement.read({name: partial(self._builders, name) for name in names}, listener)


class ParamsMeter:
    """Prices models by their parameters alone; `parameters` has the teacher's too."""

    def __init__(self, parameters: Mapping[str, int], cost_model: CostModel) -> None:
        self._parameters = parameters
        self._cost_model = cost_model

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:  # noqa: ARG002 - Meter
        """See Meter; as it costs nothing, all that there is."""
        return {name: self._reading(name) for name in self._parameters}

    def _reading(self, name: str) -> Reading:
        cost = params_cost(self._parameters[name], self._cost_model)
        return Reading(
            model=name,
            capacity_rps=None,
            latency_ms=None,
            cost_usd_per_1k=Interval(mean=cost, low=cost, high=cost),
            noisy=False,
            batch_size=None,
            rounds=0,
        )


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
