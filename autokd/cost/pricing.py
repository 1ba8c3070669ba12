"""The cost model of a search: price, device and precision for the hardware at hand."""

from __future__ import annotations

from typing import Any

from autokd.config import SearchConfig
from autokd.cost.price_table import Price, default_price, given_price, price_of, table_price
from autokd.errors import ConfigError
from autokd.machine import usable_cores
from autokd.naming import set_to
from autokd.precision import precision_of
from autokd.records import CostModel, RuntimeName


def cost_model_for(config: SearchConfig, image_size: int) -> CostModel:
    """The cost model of a search: device, price and precision resolved for the hardware at hand.

    Raises ConfigError for a device that is not there, an unknown instance, hardware without a price, or a runtime that
    does not serve on this device in this precision.
    """
    device = config.serve_device or config.device or _default_device()
    accelerator = _accelerator(device, "serve_device" if config.serve_device else "device")
    kind = device.partition(":")[0]
    precision = config.serve_precision or (precision_of(device) if kind == "cuda" else "fp32")
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
        runtime=_runtime(config, kind, precision),
        precision=precision,
        batch_size=config.serve_batch_size,
        image_size=image_size,
    )


def _runtime(config: SearchConfig, kind: str, precision: str) -> RuntimeName | None:
    """The runtime that was asked for; None where measuring has to choose it."""
    if config.serve_runtime == "onnxruntime" and (kind != "cpu" or precision != "fp32"):
        given = set_to("serve_device", kind) if kind != "cpu" else set_to("serve_precision", precision)
        raise ConfigError(
            f"{set_to('serve_runtime', 'onnxruntime')} serves in fp32 on CPUs only, not with {given}; "
            f"choose {set_to('serve_runtime', 'eager')} or {set_to('serve_runtime', 'compile')}"
        )
    return None if config.serve_runtime == "auto" else config.serve_runtime


def _price_fields(config: SearchConfig, device: str, accelerator: str | None) -> dict[str, Any]:
    """The price with its source and date; a price from the user takes precedence over the table."""
    if config.price_per_hour is not None:
        fields = {**given_price(config.price_per_hour), "instance": accelerator or f"{device}, {usable_cores()} cores"}
    else:
        fields = table_price(_row(config, device, accelerator))
    train = config.train_price_per_hour
    return {**fields, "train_price_usd_per_hour": fields["price_usd_per_hour"] if train is None else train}


def _row(config: SearchConfig, device: str, accelerator: str | None) -> Price:
    if config.instance is not None:
        return price_of(config.instance)
    return default_price(device, accelerator, usable_cores())


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _accelerator(device: str, setting: str) -> str | None:
    """The name of a CUDA device; None for every other kind of device. `setting`: which one named the device."""
    if device.partition(":")[0] != "cuda":
        return None
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(f"{set_to(setting, device)}: this machine has no CUDA device; choose cpu")
    return str(torch.cuda.get_device_name(device))
