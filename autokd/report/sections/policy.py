"""What was asked for: in one sentence, as pairs of term and text, and what its limits look at."""

from __future__ import annotations

from collections.abc import Iterable

from autokd.records import Policy
from autokd.report import format as fmt

Pair = tuple[str, str]

DEFAULT_GAIN = Policy.model_fields["min_gain"].default


def asked(policy: Policy) -> str:
    """What the user wanted, in one sentence: the limits, and what differs from the defaults."""
    return f"Asked for: {fmt.listed(_wishes(policy))}."


def _wishes(policy: Policy) -> Iterable[str]:
    yield f"at most {fmt.usd(policy.max_cost)} per 1,000 requests"
    yield f"at least {fmt.share(policy.min_retention)} of the teacher's accuracy"
    if policy.max_latency_ms is not None:
        yield f"p95 latency within {policy.max_latency_ms:g}{fmt.NBSP}ms"
    if policy.max_negative_flips is not None:
        yield f"at most {fmt.share(policy.max_negative_flips)} negative flips"
    if policy.min_class_recall is not None:
        yield f"a recall of at least {fmt.share(policy.min_class_recall)} in every class"
    if policy.requests_per_month is not None:
        yield f"{fmt.large(policy.requests_per_month)} requests a month over {policy.horizon_months:g} months"
    if policy.prefer == "savings":
        yield "savings before accuracy"
    if policy.min_gain != DEFAULT_GAIN:
        yield f"differences of {_least_gain(policy)} to matter"
    if policy.adoption_usd:
        yield f"{fmt.usd(policy.adoption_usd)} for adopting another model to be paid back too"


def policy_pairs(policy: Policy) -> tuple[Pair, ...]:
    """Every option of the policy; a dash stands for a limit that was not asked for."""
    latency, volume = policy.max_latency_ms, policy.requests_per_month
    return (
        ("Budget", f"{fmt.usd(policy.max_cost)} per 1,000 requests"),
        ("Least retention", fmt.share(policy.min_retention)),
        ("Least gain that matters", _least_gain(policy)),
        ("Preference", policy.prefer),
        ("Latency limit", fmt.NOTHING if latency is None else f"{latency:g} ms (p95)"),
        ("Limit on negative flips", _share(policy.max_negative_flips)),
        ("Least recall of every class", _share(policy.min_class_recall)),
        ("Volume", fmt.NOTHING if volume is None else f"{fmt.count(volume)} requests a month"),
        ("Horizon", f"{policy.horizon_months:g} months"),
        ("Cost of adopting", fmt.usd(policy.adoption_usd)),
    )


def what_moves(policy: Policy) -> str:
    """Which of the numbers beside the accuracy move the verdict."""
    limits = []
    if policy.max_negative_flips is not None:
        limits.append(f"negative flips have to end at {fmt.share(policy.max_negative_flips)} or below")
    if policy.min_class_recall is not None:
        limits.append(f"the recall of the lowest class has to begin at {fmt.share(policy.min_class_recall)} or above")
    if not limits:
        return "Nothing here moves the verdict."
    said = (
        "Only those numbers move the verdict that a limit was asked for, each by its interval over all seeds: "
        f"{fmt.listed(limits)}."
    )
    if policy.min_class_recall is None:
        return said
    return (
        f"{said} The tables of single classes are about the one model that would be shipped, so the lowest class there "
        "can be another one than that of the limit."
    )


def _least_gain(policy: Policy) -> str:
    return fmt.points(policy.min_gain).removeprefix("+")


def _share(limit: float | None) -> str:
    return fmt.NOTHING if limit is None else fmt.share(limit)
