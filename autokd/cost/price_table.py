"""The dated table of machine prices, and the choice of the row that matches the hardware at hand."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from autokd.errors import ConfigError
from autokd.naming import did_you_mean, named, set_to


@dataclass(frozen=True)
class Price:
    """One row: the on-demand list price of a machine, US dollars per hour of the whole of it."""

    instance: str
    vcpus: int
    usd_per_hour: float
    source: str
    seen: str
    date: str  # ISO 8601
    accelerator: str | None = None
    accelerators: int = 0
    provider: str = "AWS"
    region: str = "us-east-1"

    @property
    def share_usd_per_hour(self) -> float:
        """The price of one accelerator with its share of the machine; of the machine where it has none."""
        return self.usd_per_hour / max(self.accelerators, 1)

    @property
    def label(self) -> str:
        """The row's name for the user: `AWS p4d.24xlarge (one of its 8 A100), us-east-1`."""
        if self.accelerator is None:
            hardware = f"{self.vcpus} vCPUs"
        elif self.accelerators > 1:
            hardware = f"one of its {self.accelerators} {self.accelerator}"
        else:
            hardware = self.accelerator
        return f"{self.provider} {self.instance} ({hardware}), {self.region}"


@cache
def prices() -> tuple[Price, ...]:
    """All rows, in the order of the file."""
    text = resources.files("autokd.cost").joinpath("prices.toml").read_text(encoding="utf-8")
    return tuple(Price(**row) for row in tomllib.loads(text)["price"])


def price_of(instance: str) -> Price:
    """The row of an instance; raises ConfigError, with the known names, for one that is not in the table."""
    for price in prices():
        if price.instance == instance:
            return price
    known = [price.instance for price in prices()]
    near = did_you_mean(instance, known) or f"; give {named('price_per_hour')} instead"
    raise ConfigError(f"{set_to('instance', instance)} is not in the price table ({', '.join(known)}){near}")


def default_price(device: str, accelerator: str | None, cores: int) -> Price:
    """The row that matches the hardware at hand.

    `device` is a torch device, `accelerator` its name as `torch.cuda.get_device_name` gives it. A CPU is
    priced as the smallest machine with at least `cores` vCPUs. Raises ConfigError if no row fits.
    """
    kind = device.partition(":")[0]
    if kind == "cpu":
        return _cpu_price(cores)
    if kind == "cuda" and accelerator is not None and (price := _gpu_price(accelerator)):
        return price
    raise ConfigError(
        f"no price is known for {accelerator or device}; give {named('price_per_hour')} or {named('instance')}"
    )


def given_price(usd_per_hour: float) -> dict[str, Any]:
    """The fields of a CostModel whose price the user gave."""
    return {
        "price_usd_per_hour": usd_per_hour,
        "price_origin": "given",
        "price_source": "given by the user",
        "price_date": "undated",
    }


def table_price(row: Price) -> dict[str, Any]:
    """The fields of a CostModel whose price is that of a row."""
    return {
        "price_usd_per_hour": row.share_usd_per_hour,
        "price_origin": "table",
        "price_source": row.source,
        "price_date": row.date,
        "instance": row.label,
    }


def _cpu_price(cores: int) -> Price:
    large_enough = [price for price in prices() if price.accelerator is None and price.vcpus >= cores]
    if not large_enough:
        raise ConfigError(f"no price is known for a CPU with {cores} cores; give {named('price_per_hour')}")
    return min(large_enough, key=lambda price: price.vcpus)


def _gpu_price(name: str) -> Price | None:
    """The row with the most words, all of them in the device's name; a MIG slice has no price."""
    words = set(re.findall(r"[A-Z0-9]+", name.upper()))
    if "MIG" in words:
        return None
    fitting = [p for p in prices() if p.accelerator is not None and set(p.accelerator.upper().split()) <= words]
    return max(fitting, key=lambda price: len((price.accelerator or "").split()), default=None)
