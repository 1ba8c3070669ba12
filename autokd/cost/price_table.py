"""The dated table of machine prices: the rows that come with autokd, and those of a file of one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from autokd.config_file import content_of
from autokd.errors import ConfigError
from autokd.formatting import escaped
from autokd.naming import did_you_mean, set_to
from autokd.records import HourlyPrice

NAMED = 12  # instances that an error message lists


@dataclass(frozen=True)
class Price:
    """One row: the on-demand list price of a machine, US dollars per hour of the whole of it."""

    provider: str
    region: str
    instance: str
    vcpus: int
    usd_per_hour: float
    source: str
    seen: str
    date: str  # ISO 8601
    cpu: str | None = None
    accelerator: str | None = None
    accelerators: int = 0
    own: bool = False  # of the user's file

    @property
    def units(self) -> int:
        """Parts of the machine by which the table compares prices: accelerators, or vCPUs where it has none."""
        return self.vcpus if self.accelerator is None else self.accelerators

    @property
    def share_usd_per_hour(self) -> float:
        """The price of one accelerator with its share of the machine; of the machine where it has none."""
        return self.usd_per_hour / max(self.accelerators, 1)

    @property
    def hardware(self) -> str:
        """Processor or accelerators: `AMD EPYC 9R14`, `8 A100`."""
        if self.accelerator is None:
            return self.cpu or ""
        return self.accelerator if self.accelerators == 1 else f"{self.accelerators} {self.accelerator}"

    @property
    def label(self) -> str:
        """The row's name for the user: `AWS p4d.24xlarge (one of its 8 A100), us-east-1`."""
        if self.accelerator is None:
            hardware = f"{self.vcpus} vCPUs, {self.cpu}"
        else:
            hardware = f"one of its {self.hardware}" if self.accelerators > 1 else self.hardware
        return f"{self.provider} {self.instance} ({hardware}){f', {self.region}' if self.region else ''}"

    @property
    def hourly(self) -> HourlyPrice:
        """The price of a replica's accelerator, or of its machine without one."""
        return HourlyPrice(
            price_usd_per_hour=self.share_usd_per_hour,
            price_origin="table",
            price_source=self.source,
            price_date=self.date,
            instance=self.label,
        )


def prices(own: Path | None = None) -> tuple[Price, ...]:
    """All rows in their order, those of one's own file first; raises ConfigError for a file that cannot be used."""
    return (*_own_prices(own), *_built_in()) if own is not None else _built_in()


def of_provider(rows: Sequence[Price], provider: str | None) -> list[Price]:
    """The rows of one provider, of all for None; raises ConfigError for a provider without rows."""
    found = [row for row in rows if provider is None or row.provider.casefold() == provider.casefold()]
    if not found:
        known = list(dict.fromkeys(row.provider for row in rows))
        raise ConfigError(f"{set_to('provider', provider)} has no prices; choose {' or '.join(known)}")
    return found


def price_of(instance: str, rows: Sequence[Price], setting: str | None = "instance") -> Price:
    """The row of an instance; raises ConfigError for one that is not in the table. `setting`: which one named it."""
    for price in rows:
        if price.instance == instance:
            return price
    known = [price.instance for price in rows]
    near = did_you_mean(instance, known) or "; `autokd prices list` shows all of them"
    what = escaped(set_to(setting, instance) if setting else instance)
    raise ConfigError(f"{what} is not in the price table{near}")


def given_price(usd_per_hour: float, instance: str) -> HourlyPrice:
    """A price that the user gave for a machine."""
    return HourlyPrice(
        price_usd_per_hour=usd_per_hour,
        price_origin="given",
        price_source="given by the user",
        price_date="undated",
        instance=instance,
    )


# ---- the files -------------------------------------------------------------------------------------------------


class _Instance(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    vcpus: int = Field(ge=1, le=100_000)
    usd_per_hour: float = Field(gt=0, le=1_000_000)
    accelerators: int = Field(0, ge=0, le=100_000)


class _Machines(BaseModel):
    """One `[[price]]`: machines that differ in size and price only."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(min_length=1)
    region: str = ""
    cpu: str | None = None
    accelerator: str | None = None
    source: str = Field(min_length=1)
    seen: str = ""
    date: str
    instances: list[_Instance] = Field(min_length=1)

    @field_validator("date", mode="before")
    @classmethod
    def _is_a_day(cls, value: object) -> str:
        try:
            return date.fromisoformat(str(value)).isoformat()
        except ValueError:
            raise ValueError("it must be a day such as 2026-10-05") from None

    @model_validator(mode="after")
    def _one_kind(self) -> _Machines:
        if self.cpu is None and self.accelerator is None:
            raise ValueError("cpu or accelerator has to say which hardware it is")
        for instance in self.instances:
            if bool(instance.accelerators) != (self.accelerator is not None):
                raise ValueError(
                    f"{instance.name} needs accelerators (their number) and the table accelerator, or none"
                )
        return self

    def rows(self, own: bool) -> list[Price]:
        common = self.model_dump(exclude={"instances"})
        return [
            Price(**common, instance=each.name, **each.model_dump(exclude={"name"}), own=own) for each in self.instances
        ]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    price: list[_Machines] = Field(min_length=1)

    def rows(self, own: bool) -> tuple[Price, ...]:
        return tuple(row for machines in self.price for row in machines.rows(own))


@cache
def _built_in() -> tuple[Price, ...]:
    text = resources.files("autokd.cost").joinpath("prices.toml").read_text(encoding="utf-8")
    return _Table.model_validate(tomllib.loads(text)).rows(own=False)


def _own_prices(path: Path) -> tuple[Price, ...]:
    given = escaped(set_to("prices", path))
    content = content_of(path, given, "prices")
    try:
        return _Table.model_validate(content).rows(own=True)
    except ValidationError as error:
        raise ConfigError(f"{given} cannot be used: {_problem(error)}") from None


def _problem(error: ValidationError) -> str:
    """The first thing that is wrong, with its place; the format is in the documentation of costs."""
    first = error.errors()[0]
    place = [f"{part}" if isinstance(part, str) else f"number {part + 1}" for part in first["loc"]]
    where = escaped(" ".join(place)) or "the file"
    if first["type"] == "missing":
        return f"{where} is missing; docs/cost.md shows the format"
    if first["type"] == "extra_forbidden":
        near = did_you_mean(
            str(first["loc"][-1]), (*_Table.model_fields, *_Machines.model_fields, *_Instance.model_fields)
        )
        return f"{where} is not known{near or '; docs/cost.md shows the format'}"
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    return f"{where}: {reason[:1].lower()}{reason[1:]}"
