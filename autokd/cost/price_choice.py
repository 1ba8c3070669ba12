"""Which row of the price table is that of the measured machine, and what is said where none is.

A row fits a CPU of the same model or series with at least as many vCPUs as the process may use cores, and no more than
twice as many. Of the rows that fit, one's own come first, then the same model before the same series, then the
smallest, then the first in the file (AWS before Google Cloud before Azure). Where none fits, the price is *borrowed*
from the smallest large enough row of the same vendor, else of any. A row fits a GPU if all words of its accelerator are
in the device's name; the row with the most words is taken, and a GPU without a row has no price.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autokd.cost.price_table import Price
from autokd.cost.processors import processor
from autokd.errors import ConfigError
from autokd.naming import named
from autokd.records import Hardware, HourlyPrice, PriceRange

VGPU = re.compile(r"\d+[ABCQ]")  # as in "A10-4Q": gigabytes and kind of a slice
LARGEST = 2  # vCPUs of a row for every core that the process may use


def chosen_price(rows: Sequence[Price], hardware: Hardware, device: str) -> HourlyPrice:
    """The price of the row for the hardware at hand.

    `device` is a torch device. Raises ConfigError where the table has no price for it.
    """
    if device.partition(":")[0] == "cpu":
        return price_on(_cpu_row(rows, hardware), hardware, rows)
    if hardware.cores is None and (row := _gpu_row(rows, hardware.name)):
        return price_on(row, hardware, rows)
    what = hardware.name if hardware.cores is None else device
    raise ConfigError(f"no price is known for {what}; give {named('price_per_hour')} or {named('instance')}")


def price_on(row: Price, hardware: Hardware | None, rows: Sequence[Price]) -> HourlyPrice:
    """A row's price for speeds that were measured on some hardware (None: unknown): its own, or borrowed."""
    if hardware is None or _fits(row, hardware):
        return row.hourly
    return row.hourly.model_copy(update={"price_origin": "borrowed", "price_range": price_range(row, rows)})


def price_range(row: Price, rows: Sequence[Price]) -> PriceRange:
    """What a machine of a row's size costs at the lowest and the highest price of its kind.

    The kind is machines with accelerators, priced by the accelerator, or those without, priced by the vCPU. Of the
    machine that was measured nothing else is known: it is one of that kind, and its price lies where theirs do.
    """
    alike = [other for other in rows if (other.accelerator is None) == (row.accelerator is None)]
    each = [other.usd_per_hour / other.units for other in alike]
    size = row.vcpus if row.accelerator is None else 1
    return PriceRange(low=min(each) * size, high=max(each) * size)


def _fits(row: Price, hardware: Hardware) -> bool:
    """Whether a row is that of the hardware, in kind and size."""
    if hardware.cores is None:
        return row.accelerator is not None and _words(row.accelerator) <= _gpu_words(hardware.name)
    return _likeness(row, hardware) > 0 and hardware.cores <= row.vcpus <= LARGEST * hardware.cores


def _likeness(row: Price, hardware: Hardware) -> int:
    """2 for the same model of a CPU, 1 for the same series, else 0; in one's own row the very name counts as well."""
    if row.cpu is None or row.accelerator:
        return 0
    if row.own and row.cpu.casefold() == hardware.name.casefold():
        return 2
    return processor(row.cpu).is_like(processor(hardware.name))


def _cpu_row(rows: Sequence[Price], hardware: Hardware) -> Price:
    cores, vendor = hardware.cores or 1, processor(hardware.name).vendor
    large_enough = [row for row in rows if row.accelerator is None and row.vcpus >= cores]
    if not large_enough:
        raise ConfigError(f"no price is known for a CPU with {cores} cores; give {named('price_per_hour')}")
    if fitting := [row for row in large_enough if _fits(row, hardware)]:
        return min(fitting, key=lambda row: (not row.own, -_likeness(row, hardware), row.vcpus))
    return min(large_enough, key=lambda row: (processor(row.cpu or "").vendor != vendor, not row.own, row.vcpus))


def _gpu_row(rows: Sequence[Price], name: str) -> Price | None:
    words = _gpu_words(name)
    fitting = [row for row in rows if row.accelerator is not None and _words(row.accelerator) <= words]
    return max(fitting, key=lambda row: (row.own, len(_words(row.accelerator or ""))), default=None)


def _words(name: str) -> set[str]:
    return set(re.findall(r"[A-Z0-9]+", name.upper()))


def _gpu_words(name: str) -> set[str]:
    """The words of a device's name; none of a slice of one (MIG, or a vGPU such as A10-4Q), which has no price."""
    words = _words(name)
    return set() if "MIG" in words or any(VGPU.fullmatch(word) for word in words) else words
