"""What was asked for: in one sentence, as pairs of term and text, and what its limits look at."""

from __future__ import annotations

from collections.abc import Iterable

from autokd.decide.policy_limits import LIMITS, QUALITY, RECALL, RETENTION, Limit
from autokd.records import Policy
from autokd.report import format as fmt

Pair = tuple[str, str]

DEFAULT_GAIN, DEFAULT_REGRET = (Policy.model_fields[name].default for name in ("min_gain", "max_regret"))


def asked(policy: Policy) -> str:
    """What the user wanted, in one sentence: the limits, and what differs from the defaults."""
    return f"Asked for: {fmt.listed(_demands(policy))}."


def _demands(policy: Policy) -> Iterable[str]:
    yield from (_phrase(limit, limit.noun, policy) for limit in LIMITS if limit.asked(policy) is not None)
    if policy.requests_per_month is not None:
        yield f"{fmt.large(policy.requests_per_month)} requests a month over {policy.horizon_months:g} months"
    if policy.prefer == "savings":
        yield "savings before accuracy"
    if policy.min_gain != DEFAULT_GAIN:
        yield f"differences of {_points(policy.min_gain)} to matter"
    if policy.max_regret != DEFAULT_REGRET:
        yield f"at most {_points(policy.max_regret)} at stake in a strong verdict"
    if policy.adoption_usd:
        yield f"{fmt.usd(policy.adoption_usd)} for adopting another model to be paid back too"


def policy_pairs(policy: Policy) -> tuple[Pair, ...]:
    """Every option of the policy; a dash stands for a limit that was not asked for."""
    volume = policy.requests_per_month
    return (
        *((limit.term, _phrase(limit, limit.bare, policy)) for limit in LIMITS),
        ("Least gain that matters", _points(policy.min_gain)),
        ("At stake in a strong verdict at most", _points(policy.max_regret)),
        ("Preference", policy.prefer),
        ("Volume", fmt.NOTHING if volume is None else f"{fmt.count(volume)} requests a month"),
        ("Horizon", f"{policy.horizon_months:g} months"),
        ("Cost of adopting", fmt.usd(policy.adoption_usd)),
    )


def _phrase(limit: Limit, phrase: str, policy: Policy) -> str:
    value = limit.asked(policy)
    return fmt.NOTHING if value is None else phrase.format(fmt.typeset(limit.value(value)))


def what_moves(policy: Policy) -> str:
    """Which of the other quality metrics move the verdict."""
    asked_for = [limit for limit in QUALITY if limit is not RETENTION and limit.asked(policy) is not None]
    if not asked_for:
        return "None of it moves the verdict."
    nouns = fmt.listed(_phrase(limit, limit.noun, policy) for limit in asked_for)
    said = f"Only the limits that were asked for move the verdict, each by its interval over all seeds: {nouns}."
    if RECALL not in asked_for:
        return said
    return (
        f"{said} The tables of single classes are about the one model that would be shipped, so the lowest class there "
        "can be another one than that of the limit."
    )


def _points(share: float) -> str:
    return fmt.points(share).removeprefix("+")
