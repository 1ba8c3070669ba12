"""The cost model of a run under other conditions of serving: another price, instance, utilization or fleet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from autokd.cost.price_table import given_price, price_of, table_price
from autokd.errors import ConfigError
from autokd.naming import named
from autokd.records import CostModel

FLEET = ("accelerators_per_replica", "requests_per_month", "min_replicas", "peak_to_mean", "target_utilization")
SERVING = ("price_per_hour", "instance", "utilization", *FLEET)  # settings that a measured cost depends on
WITH_VOLUME = ("min_replicas", "peak_to_mean", "target_utilization", "horizon_months")


def changed_model(model: CostModel, given: Mapping[str, Any]) -> CostModel:
    """A run's cost model with those settings changed that are given, by their names in SearchConfig.

    Raises ConfigError for an unknown instance, for a price of hardware if the run was priced by parameters, and for a
    setting that has no effect with, or without, a request volume.
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
    refuse_idle(given, given.get("requests_per_month", model.requests_per_month))
    update: dict[str, Any] = {name: given[name] for name in ("utilization", *FLEET) if name in given}
    if "price_per_billion" in given:
        update |= {"usd_per_1k_per_billion": given["price_per_billion"]}
    measured = model.measured_on or model.instance
    if "instance" in given:
        update |= table_price(price_of(given["instance"]))
        update |= {"measured_on": None if update["instance"] == measured else measured}
    if "price_per_hour" in given:
        update |= {**given_price(given["price_per_hour"]), "instance": measured, "measured_on": None}
    if "train_price_per_hour" in given:
        update |= {"train_price_usd_per_hour": given["train_price_per_hour"]}
    return model.model_copy(update=update)


def refuse_idle(given: Collection[str], requests_per_month: float | None) -> None:
    """Raises ConfigError if a given setting has no effect: some need a request volume, `utilization` needs none."""
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
