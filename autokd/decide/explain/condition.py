"""What a recommended student rests on where nobody gave a volume: that it pays itself back, and how it is billed."""

from __future__ import annotations

from collections.abc import Sequence

from autokd import formatting as fmt
from autokd.decide.dials import VOLUMES, WHOLE_REPLICAS
from autokd.decide.policy import Judgement
from autokd.decide.sensitivity import Change


def condition(judged: Judgement, found: Sequence[Change]) -> str | None:
    """The requests after which it is paid back, and the volumes at which it holds with whole machines of one's own.

    None where the teacher could not be kept, where a volume is known, or where no student is recommended. found: what
    would change the verdict.
    """
    if judged.pick is None or not judged.teacher_eligible or judged.policy.requests_per_month is not None:
        return None
    requests, model = judged.break_even(judged.pick), judged.comparison.evidence.cost_model
    if requests is None:
        return None
    busy = (
        f", on machines that are busy for {fmt.clean(model.utilization * 100)} % of the time" if model.has_load else ""
    )
    return f"once {fmt.requests(requests)} requests in all are served{busy}{_with_whole_machines(found)}"


def _with_whole_machines(found: Sequence[Change]) -> str:
    """Volumes at which the verdict stays if whole machines are paid for, as a clause; empty where it always does."""
    changes = [change for change in found if change.dial == "volume" and WHOLE_REPLICAS in change.condition]
    if not changes:
        return ""
    above = next((change.region.near for change in changes if not change.upwards), None)
    below = next((change.region.near for change in changes if change.upwards), None)
    if below is not None and (below <= VOLUMES[0] or (above is not None and above >= 0.99 * below)):
        return "; not with whole machines of your own"
    if above is None:
        span = f"below {fmt.short_count(below or 0.0)}"
    else:
        span = (
            f"above {fmt.short_count(above)}"
            if below is None
            else f"between {fmt.short_count(above)} and {fmt.short_count(below)}"
        )
    return f"; with whole machines of your own only {span} requests a month"
