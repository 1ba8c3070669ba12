"""The cost model of a search: price, device and precision for the hardware at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autokd.config import SearchConfig
from autokd.cost.price_choice import chosen_price, price_on
from autokd.cost.price_table import Price, given_price, price_of, prices
from autokd.cost.repricing import SERVED_FORM
from autokd.errors import ConfigError
from autokd.machine import processor_name, usable_cores
from autokd.naming import named, set_to
from autokd.precision import precision_of
from autokd.records import CostModel, Hardware, HourlyPrice, PayPerUse, RuntimeName


def cost_model_for(config: SearchConfig, image_size: int, trains: bool = True) -> CostModel:
    """The cost model of a search: device, price and precision resolved for the hardware at hand.

    trains: whether anything will be trained, which then needs a price. Raises ConfigError for a device that is not
    there, an unknown instance, hardware without a price, or a runtime that does not serve on this device in this
    precision.
    """
    device = config.serve_device or config.device or _default_device()
    hardware = _hardware(device, "serve_device" if config.serve_device else "device")
    kind, rows = device.partition(":")[0], prices(config.prices)
    precision = config.serve_precision or (precision_of(device) if kind == "cuda" else "fp32")
    price = _price(config, rows, hardware, device)
    return _cost_model(
        config,
        price,
        hardware,
        rows,
        train_price_usd_per_hour=_train_price(config, rows, price, hardware) if trains else price.price_usd_per_hour,
        device=device,
        runtime=_runtime(config, kind, precision),
        precision=precision,
        batch_size=config.serve_batch_size or (None if config.price_per_second is None else 1),
        image_size=image_size,
    )


def cost_model_elsewhere(config: SearchConfig, measured: CostModel) -> CostModel:
    """The cost model of a search whose costs come from a file, where `measured` is that of the file.

    Prices that are given are those of the host of the file; without any the file's own price counts. Raises ConfigError
    as `cost_model_for` does.
    """
    hardware, rows = measured.measured_on, prices(config.prices)
    if hardware is None or measured.model != "measured":
        raise ConfigError(f"{named('costs')}: the file was not measured; name a file that `autokd measure` wrote")
    keeps = all(value is None for value in (config.price_per_hour, config.instance, config.prices))
    price = hourly_price(measured) if keeps else _price(config, rows, hardware, measured.device)
    return _cost_model(
        config,
        price,
        hardware,
        rows,
        train_price_usd_per_hour=_train_price(config, rows, price, hardware),
        measured_elsewhere=True,
        **{name: getattr(measured, name) for name in SERVED_FORM},
    )


def hourly_price(model: CostModel) -> HourlyPrice:
    """The price alone."""
    return HourlyPrice(**{name: getattr(model, name) for name in HourlyPrice.model_fields})


def _cost_model(
    config: SearchConfig, price: HourlyPrice, hardware: Hardware, rows: Sequence[Price], **served: Any
) -> CostModel:
    """served: how models are served, by names of CostModel, and what training costs."""
    return CostModel(
        **dict(price),
        **served,
        model=config.cost_model,
        usd_per_1k_per_billion=config.price_per_billion,
        measured_on=hardware,
        teacher_price=_teacher_price(config, rows, hardware),
        pay_per_use=pay_per_use_of(config),
        utilization=config.utilization,
        accelerators_per_replica=config.accelerators_per_replica,
        requests_per_month=config.requests_per_month,
        min_replicas=config.min_replicas,
        peak_to_mean=config.peak_to_mean,
        target_utilization=config.target_utilization,
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


def pay_per_use_of(config: SearchConfig) -> PayPerUse | None:
    """How requests are billed by the second; None where replicas are billed by the hour."""
    if config.price_per_second is None:
        return None
    return PayPerUse(
        usd_per_second=config.price_per_second,
        usd_per_request=config.price_per_request,
        increment_ms=config.billing_increment_ms,
        minimum_ms=config.billing_minimum_ms,
    )


def _price(config: SearchConfig, rows: Sequence[Price], hardware: Hardware, device: str) -> HourlyPrice:
    """Of an hour of serving; a price from the user takes precedence over the table."""
    if config.price_per_hour is not None:
        return given_price(config.price_per_hour, hardware.label)
    if config.instance is not None:
        return price_on(price_of(config.instance, rows), hardware, rows)
    if config.price_per_second is not None and config.train_price_per_hour is not None:
        return given_price(config.train_price_per_hour, hardware.label)  # only training is paid by the hour
    return chosen_price(rows, hardware, device)


def _train_price(config: SearchConfig, rows: Sequence[Price], serving: HourlyPrice, serves: Hardware) -> float:
    """Dollars of an hour of training: as given, else of the GPU that trains and does not serve, else as serving."""
    if config.train_price_per_hour is not None:
        return config.train_price_per_hour
    device = config.device or _default_device()
    if device.partition(":")[0] == "cpu" or (trains := _hardware(device, "device")).name == serves.name:
        return serving.price_usd_per_hour
    try:
        return chosen_price(rows, trains, device).price_usd_per_hour
    except ConfigError:
        raise ConfigError(
            f"{serves.label} serves, but {trains.label} trains, and no price of it is known; "
            f"give {named('train_price_per_hour')}"
        ) from None


def _teacher_price(config: SearchConfig, rows: Sequence[Price], hardware: Hardware) -> HourlyPrice | None:
    if config.teacher_price_per_hour is not None:
        return given_price(config.teacher_price_per_hour, "the teacher's machine")
    if config.teacher_instance is not None:
        return price_on(price_of(config.teacher_instance, rows, "teacher_instance"), hardware, rows)
    return None


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _hardware(device: str, setting: str) -> Hardware:
    """What is measured on: a CUDA device, else the processor. `setting`: which one named the device."""
    if device.partition(":")[0] != "cuda":
        return Hardware(name=processor_name(), cores=usable_cores())
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(f"{set_to(setting, device)}: this machine has no CUDA device; choose cpu")
    return Hardware(name=str(torch.cuda.get_device_name(device)), cores=None)
