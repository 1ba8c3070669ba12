"""The verdict over utilization and request volume: where it holds, and where a fleet is too small to save anything."""

from __future__ import annotations

from autokd.decide.policy import Judgement, judge
from autokd.records import Verdict, VerdictMap

UTILIZATION = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
REQUESTS = tuple(float(f"{start}e{power}") for power in range(4, 10) for start in (1, 3))


def verdict_map(judged: Judgement) -> VerdictMap | None:
    """Every verdict of the grid; None where costs do not depend on load: priced by parameters, or billed by use."""
    model = judged.comparison.evidence.cost_model
    if not model.has_load:
        return None

    def verdict(utilization: float, requests: float) -> Verdict:
        known = judged.policy.model_copy(update={"requests_per_month": requests})
        fleet = model.model_copy(update={"requests_per_month": requests, "target_utilization": utilization})
        return judge(judged.comparison.priced(fleet), known).verdict

    return VerdictMap(
        utilization=UTILIZATION,
        requests_per_month=REQUESTS,
        verdicts=tuple(tuple(verdict(share, requests) for requests in REQUESTS) for share in UTILIZATION),
    )
