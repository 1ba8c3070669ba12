"""The cost model of a run under other conditions of serving: another price, instance, utilization or way of billing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from autokd.cost.price_choice import price_on
from autokd.cost.price_table import given_price, price_of, prices
from autokd.errors import ConfigError
from autokd.naming import named
from autokd.records import CostModel, HourlyPrice, PayPerUse

# How models are served, of a cost model.
SERVED_FORM = ("device", "runtime", "precision", "batch_size", "threads", "image_size")
FLEET = ("accelerators_per_replica", "requests_per_month", "min_replicas", "peak_to_mean", "target_utilization")
TEACHER = ("teacher_price_per_hour", "teacher_instance")
BILLING = {  # settings of a price per second, by their names in PayPerUse
    "price_per_second": "usd_per_second",
    "price_per_request": "usd_per_request",
    "billing_increment_ms": "increment_ms",
    "billing_minimum_ms": "minimum_ms",
}
# Settings that a measured cost depends on.
SERVING = ("price_per_hour", "instance", "prices", *TEACHER, *BILLING, "utilization", *FLEET)
WITH_VOLUME = ("min_replicas", "peak_to_mean", "target_utilization", "horizon_months")
OF_REPLICAS = ("utilization", "accelerators_per_replica", "min_replicas", "peak_to_mean", "target_utilization")


def changed_model(model: CostModel, given: Mapping[str, Any], own_prices: Path | None = None) -> CostModel:
    """A run's cost model with those settings changed that are given, by their names in SearchConfig.

    own_prices: the run's own file of prices, which `prices` replaces. Raises ConfigError for an unknown instance, for a
    price of hardware if the run was priced by parameters, and for a setting that has no effect.
    """
    dead = [name for name in SERVING if name in given and name != "requests_per_month"]
    if model.model == "params" and dead:
        raise ConfigError(
            f"{named(dead[0])} changes nothing here: this run was priced by parameters; search with measured cost"
        )
    if model.model == "measured" and "price_per_billion" in given:
        raise ConfigError(
            f"{named('price_per_billion')} changes nothing here: this run was priced by hardware; "
            f"give {named('price_per_hour')}"
        )
    if "prices" in given and not {"instance", "teacher_instance"} & given.keys():
        raise ConfigError(f"{named('prices')} changes nothing here without an instance; give {named('instance')} too")
    rate = _rate(model, given)
    refuse_idle(given, given.get("requests_per_month", model.requests_per_month), rate is not None)
    update: dict[str, Any] = {name: given[name] for name in ("utilization", *FLEET) if name in given}
    update |= dict(_price(model, given, own_prices) or {})
    update |= {"pay_per_use": rate, "teacher_price": None if rate else _teacher_price(model, given, own_prices)}
    if "price_per_billion" in given:
        update |= {"usd_per_1k_per_billion": given["price_per_billion"]}
    if "train_price_per_hour" in given:
        update |= {"train_price_usd_per_hour": given["train_price_per_hour"]}
    return model.model_copy(update=update)


def model_elsewhere(
    model: CostModel,
    measured: CostModel,
    given: Mapping[str, Any],
    own_prices: Path | None = None,
    teacher_instance: str | None = None,
) -> CostModel:
    """A run's cost model on the host of a file of costs, `measured` being that of the file, with settings changed.

    The price is that of the file unless another is given; utilization, volume, fleet and billing are those of the run.
    teacher_instance: that of the run. Raises ConfigError as `changed_model` does.
    """
    if model.model != "measured":
        raise ConfigError(f"{named('costs')} changes nothing here: this run was priced by parameters")
    there = {name: getattr(measured, name) for name in (*HourlyPrice.model_fields, *SERVED_FORM, "measured_on")}
    moved = model.model_copy(update={**there, "measured_elsewhere": True})
    again = {} if teacher_instance is None or given.keys() & {*TEACHER, *BILLING} else {TEACHER[1]: teacher_instance}
    return changed_model(moved, {**again, **given}, own_prices)


def refuse_idle(given: Collection[str], requests_per_month: float | None, pay_per_use: bool) -> None:
    """Raises ConfigError if a given setting has no effect.

    Some need a request volume, `utilization` needs none, and where requests are billed by use there are no replicas.
    """
    for name in OF_REPLICAS if pay_per_use else BILLING:
        if name in given and name != "price_per_second":
            raise ConfigError(
                f"{named(name)} counts only for replicas, and requests are billed by use "
                f"({named('price_per_second')}); leave it out"
                if pay_per_use
                else f"{named(name)} counts only where requests are billed by use; give {named('price_per_second')} too"
            )
    if requests_per_month is not None:
        if "utilization" in given:
            raise ConfigError(
                f"{named('utilization')} counts only without a volume, and there is one "
                f"({named('requests_per_month')}); give {named('target_utilization')}"
            )
        return
    for name in WITH_VOLUME:
        if name in given:
            raise ConfigError(
                f"{named(name)} counts only with a volume, and there is none; give {named('requests_per_month')} too"
            )


def _rate(model: CostModel, given: Mapping[str, Any]) -> PayPerUse | None:
    """How requests are billed by use; None where they are not, or no longer."""
    if {"price_per_hour", "instance", *TEACHER} & given.keys():
        return None
    changed = {field: given[name] for name, field in BILLING.items() if name in given}
    if "price_per_second" in given and model.pay_per_use is None:
        return PayPerUse(**changed)
    return model.pay_per_use.model_copy(update=changed) if model.pay_per_use else None


def _price(model: CostModel, given: Mapping[str, Any], own_prices: Path | None) -> HourlyPrice | None:
    """Of an hour of a student's replica; None where it stays."""
    if "price_per_hour" in given:
        return given_price(given["price_per_hour"], model.measured_on.label if model.measured_on else model.instance)
    return _of_instance(model, given, "instance", own_prices) if "instance" in given else None


def _teacher_price(model: CostModel, given: Mapping[str, Any], own_prices: Path | None) -> HourlyPrice | None:
    """Of an hour of the teacher's replica; None where it is that of a student's."""
    if "teacher_price_per_hour" in given:
        return given_price(given["teacher_price_per_hour"], "the teacher's machine")
    if "teacher_instance" in given:
        return _of_instance(model, given, "teacher_instance", own_prices)
    return model.teacher_price


def _of_instance(model: CostModel, given: Mapping[str, Any], setting: str, own_prices: Path | None) -> HourlyPrice:
    own = given.get("prices", own_prices)
    rows = prices(None if own is None else Path(own))
    return price_on(price_of(given[setting], rows, setting), model.measured_on, rows)
