"""Made-up economics and a map of verdicts: a fleet that is too small saves nothing, a busy one does."""

from __future__ import annotations

from math import inf

from autokd.records import Economics, Interval, Verdict, VerdictMap

UTILIZATION = (0.1, 0.3, 0.5, 0.7, 0.9)
REQUESTS = (1e4, 1e5, 1e6, 3e6, 1e7, 3e7, 1e8, 1e9)


def make_economics(volume: bool = True, pays: bool = True) -> Economics:
    """One-time cost of $1.20 and a saving that, unless it `pays`, may be none."""
    low = 0.0008 if pays else -0.0001
    requests = Interval(mean=1_000_000, low=750_000, high=1_500_000 if pays else inf)
    return Economics(
        one_time_usd={"teacher": 0.25, "soft_labels": 0.05, "search": 0.5, "confirmation": 0.4},
        saving_usd_per_1k=Interval(mean=0.0012, low=low, high=0.0016),
        saving_usd_per_month=Interval(mean=2.4, low=low * 2000, high=3.2) if volume else None,
        break_even_requests=requests,
        break_even_months=Interval(mean=0.5, low=0.05, high=requests.high / 2e6) if volume else None,
    )


def make_map() -> VerdictMap:
    """More verdicts to distill towards high volumes."""

    def verdict(i: int, j: int) -> Verdict:
        reach = i + j
        if reach < 3:
            return "none"
        if reach < 5:
            return "keep_teacher"
        return "use_small_model" if reach < 7 else "distill"

    return VerdictMap(
        utilization=UTILIZATION,
        requests_per_month=REQUESTS,
        verdicts=tuple(tuple(verdict(i, j) for j in range(len(REQUESTS))) for i in range(len(UTILIZATION))),
    )
