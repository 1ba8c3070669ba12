"""Settings that make no sense together, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autokd.naming import named, set_to

# How models are served; measured elsewhere, the file of costs says it.
SERVED = ("serve_device", "serve_runtime", "serve_precision", "serve_batch_size")
# What may be said of them and of their price where models are only measured.
MEASURING = (*SERVED, "max_latency_ms", "price_per_hour", "instance", "prices")
# Ways of saying one price, of which one can be given.
PRICES = (
    ("price_per_hour", "instance", "price_per_second"),
    ("teacher_price_per_hour", "teacher_instance", "price_per_second"),
)


def inconsistency(settings: Any, defaults: Mapping[str, Any]) -> str | None:
    """The first problem of a SearchConfig as a sentence; None where there is none."""
    return next(_problems(settings, defaults), None)


def empty_range(min_ratio: float, max_ratio: float) -> str | None:
    """The error message for an empty range of compression ratios; None for a valid range."""
    if min_ratio < max_ratio:
        return None
    least, most = set_to("min_ratio", min_ratio), set_to("max_ratio", max_ratio)
    return f"{least} is not below {most}; give a range such as 5 to 20"


def _problems(settings: Any, defaults: Mapping[str, Any]) -> Iterator[str]:
    if problem := empty_range(settings.min_ratio, settings.max_ratio):
        yield problem
    for names in PRICES:
        if len(both := [name for name in names if getattr(settings, name) is not None]) > 1:
            yield f"{named(both[0])} and {named(both[1])} exclude each other; give one of them"
    if settings.cost_model == "params":
        yield from _without_measuring(settings)
    if settings.price_per_second is not None and settings.serve_batch_size not in (None, 1):
        alone = set_to("serve_batch_size", 1)
        yield f"{named('price_per_second')} needs {alone}: a request that is billed by use is served alone"
    if settings.costs is not None:
        for name in SERVED:
            if getattr(settings, name) != defaults[name]:
                yield (
                    f"{named('costs')} and {named(name)} exclude each other: the file says how models are served; "
                    f"leave {named(name)} out, or measure again with it"
                )
    if settings.ray_address is not None and settings.engine != "ray":
        yield f"{named('ray_address')} needs {set_to('engine', 'ray')}"


def _without_measuring(settings: Any) -> Iterator[str]:
    """Settings that only a measured cost can use."""
    needed = set_to("cost_model", "measured")
    if settings.max_latency_ms is not None:
        yield f"{named('max_latency_ms')} needs {needed}: parameters tell no latency"
    for name in (*PRICES[1][:2], "price_per_second"):
        if getattr(settings, name) is not None:
            yield f"{named(name)} needs {needed}: parameters tell no speed"
    if settings.costs is not None:
        yield f"{named('costs')} needs {needed}: the file has measured costs"
