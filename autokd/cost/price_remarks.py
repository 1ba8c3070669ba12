"""What has to be known of a price and of the speed that it prices: whose either is, and how old the price is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from autokd.formatting import usd
from autokd.records import CostModel, HourlyPrice

OLDEST = 180  # days after which a price may no longer be that of today


def remarks(model: CostModel, today: date) -> Iterator[str]:
    """A sentence each about the speeds and prices of a cost model; nothing where parameters are priced."""
    if model.measured_elsewhere and model.measured_on is not None:
        yield (
            f"Speeds were measured on {model.measured_on.label} by `autokd measure`, the teacher in this form only, "
            "without decoding."
        )
    if not model.has_load:
        return
    if (text := idle_cores(model)) is not None:
        yield text
    for whose, price in _prices(model):
        if (text := borrowed(model, price, whose)) is not None:
            yield text
    for _, price in _prices(model):
        if (days := age(price.price_date, today)) > OLDEST:
            yield f"The price of {price.instance} is {days} days old ({price.price_date}); give today's."


def borrowed(model: CostModel, price: HourlyPrice, whose: str = "") -> str | None:
    """Whose speed is priced as whose machine, and what the price may be; None where the price is not borrowed."""
    if price.price_origin != "borrowed" or model.measured_on is None or price.price_range is None:
        return None
    low, high = usd(price.price_range.low), usd(price.price_range.high)
    return (
        f"The {whose}price is borrowed: it is that of {price.instance}, of {price.price_date}, but the speeds were "
        f"measured on {model.measured_on.label}. Machines of that kind and size cost {low} to {high} an hour."
    )


def idle_cores(model: CostModel) -> str | None:
    """That a machine is paid for of which most cores were not in use; None where that is not so.

    Of a price that was given, or that is another machine's, it is not known what it pays for. Where a core runs two
    threads, torch uses half as many threads as the machine seems to have cores.
    """
    cores, threads = model.measured_on.cores if model.measured_on else None, model.threads
    if model.price_origin != "table" or cores is None or threads is None or 2 * threads >= cores:
        return None
    many = "s" if threads > 1 else ""
    return (
        f"Models were served with {threads} thread{many}, but the price is that of a machine with {cores} cores; set "
        f"OMP_NUM_THREADS={cores}, or give the price of {threads} core{many}."
    )


def age(day: str, today: date) -> int:
    """Days since a price was valid; 0 for one without a date."""
    try:
        return (today - date.fromisoformat(day)).days
    except ValueError:
        return 0


def _prices(model: CostModel) -> Iterator[tuple[str, HourlyPrice]]:
    yield "", model
    if model.teacher_price is not None:
        yield "teacher's ", model.teacher_price
