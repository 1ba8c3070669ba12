"""Beyond the range of ratios: what is reported of it, and that no verdict looks at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_evidence import Made, direct, distilled, made_evidence, twin

from autokd.decide import decide
from autokd.decide.statistics import intervals
from autokd.records import Decision, Policy

POLICY = Policy(max_cost=0.01)
INSIDE = (distilled(accuracy=0.94), direct(accuracy=0.925), twin(accuracy=0.92))


def edge(number: int, ratio: float, accuracy: float, **more: Any) -> Made:
    return distilled(number, accuracy, role="edge", trial=1, ratio=ratio, student=f"at {ratio:g}", **more)


BEYOND = (
    edge(4, 4.0, accuracy=0.96, cost=0.0001),  # better and cheaper than all others
    twin(5, accuracy=0.959, of=(4,), ratio=4.0, cost=0.0001),
    edge(6, 25.0, accuracy=0.90, cost=0.0001),
    twin(7, accuracy=0.87, of=(6,), ratio=25.0, cost=0.0001),
)


def decided(*made: Made, **evidence: Any) -> Decision:
    return decide(made_evidence(*made, **evidence), POLICY)


@pytest.mark.parametrize("policy", [POLICY, Policy(max_cost=0.01, prefer="savings", requests_per_month=1e5)])
@pytest.mark.parametrize("inside", [INSIDE, INSIDE[1:], (distilled(accuracy=0.8), twin(accuracy=0.8))])
def test_edges_change_nothing_of_the_verdict(inside: tuple[Made, ...], policy: Policy) -> None:
    plain = decide(made_evidence(*inside, usd=2.0), policy)
    spent = 2.0 + 4 * 3 * 60 / 3600 * 1.2  # four finalists of three seeds and a minute each, at $1.20 an hour
    probed = decide(made_evidence(*inside, *BEYOND, usd=spent), policy)
    own = {"edges": (), "finalists": plain.finalists, "break_even_requests": plain.break_even_requests}
    assert probed.break_even_requests == pytest.approx(plain.break_even_requests)
    assert rounded(probed.model_copy(update=own)) == rounded(plain)
    assert probed.finalists[: len(inside)] == plain.finalists


def rounded(decision: Decision) -> Decision:
    """One-time costs without their last digits."""
    options = decision.options
    alike = {
        name: option.model_copy(update={"one_time_usd": round(option.one_time_usd, 9)})
        for name in ("direct", "distilled")
        if (option := getattr(options, name)) is not None
    }
    return decision.model_copy(update={"options": options.model_copy(update=alike)})


def test_edges_and_their_twins_are_listed_and_never_picked() -> None:
    found = {summary.number: summary for summary in decided(*INSIDE, *BEYOND).finalists}
    for number in (4, 5, 6, 7):
        assert not found[number].eligible and not found[number].worthwhile
        assert found[number].why_not == ("is outside of the ratios of 5 to 20 that were searched, and is never picked",)
    assert found[1].why_not == ()


def test_an_edge_says_what_distilling_did_there_and_within() -> None:
    evidence = made_evidence(*INSIDE, *BEYOND)
    below, above = decide(evidence, POLICY).edges
    assert (below.side, below.limit, below.ratio, below.finalist, below.twin) == ("below", 5.0, 4.0, 4, 5)
    assert (above.side, above.limit, above.ratio, above.finalist, above.twin) == ("above", 20.0, 25.0, 6, 7)
    correct = evidence.correct
    assert above.gain == intervals.difference(correct[6], correct[7]).difference
    assert above.inside == 1 and above.inside_gain == intervals.difference(correct[1], correct[3]).difference
    assert above.lead is not None and below.lead is not None
    assert above.lead.mean == pytest.approx(above.inside_gain.mean - above.gain.mean)
    assert below.lead.low > 0 > above.lead.high  # 2 points within, 0.1 below and 3 above
    shown = (above.accuracy.mean, above.twin_accuracy.mean)
    assert shown == pytest.approx((correct[6].mean(), correct[7].mean()))


def test_a_twin_that_is_a_finalist_anyway_stays_one() -> None:
    serving = replace(INSIDE[1], twin_of=(4,))
    decision = decided(INSIDE[0], serving, INSIDE[2], BEYOND[0])
    (only,) = decision.edges
    assert (only.finalist, only.twin) == (4, serving.number)
    assert decision.options.direct is not None and decision.options.direct.finalist == serving.number


def test_an_edge_without_a_twin_or_without_company_within() -> None:
    assert decided(*INSIDE, BEYOND[0]).edges == ()
    (alone,) = decided(INSIDE[1], *BEYOND[:2]).edges
    assert (alone.inside, alone.inside_gain, alone.lead) == (None, None, None)


# ---- the difference of two gains -----------------------------------------------------------------------------------


def test_a_difference_of_differences_by_hand() -> None:
    a, b, c, d = (np.array([[digit == "1" for digit in text]]) for text in ("1111", "1100", "0110", "0011"))
    found = intervals.difference_of_differences((a, b), (c, d))
    values = np.array([0 - 0, 0 - 1, 1 - 0, 1 + 1])
    assert found.mean == values.mean() == 0.5
    assert found.image_part == pytest.approx(max(values.var(ddof=1) / 4, intervals.z_squared(0.95) * 4 / 16))


def test_it_is_the_plain_difference_where_the_second_pair_is_one_model() -> None:
    rng = np.random.default_rng(3)
    a, b, c = (rng.random((3, 500)) < p for p in (0.9, 0.8, 0.7))
    plain = intervals.difference(a, b)
    assert intervals.difference_of_differences((a, b), (c, c)) == plain
    fewer = intervals.difference_of_differences((a, b), (c[:2], c[:2]))
    assert (fewer.seeds, fewer.mean) == (2, intervals.difference(a[:2], b[:2]).mean)


@pytest.mark.slow
def test_equal_gains_are_called_different_in_one_of_twenty() -> None:
    """Four arms whose seeds differ as a whole and image by image; both gains are truly 0.02."""
    rng, images, wrong = np.random.default_rng(0), 2000, 0
    hardness = (np.arange(images) + 0.5) / images
    for _ in range(400):
        arms = []
        for accuracy in (0.92, 0.90, 0.86, 0.84):
            level = accuracy + rng.normal(0, 0.005, (3, 1))
            own = rng.random((3, images)) < 0.05
            arms.append(np.where(own, rng.random((3, images)), rng.permutation(hardness)[None]) < level)
        interval = intervals.difference_of_differences((arms[0], arms[1]), (arms[2], arms[3])).interval
        wrong += not interval.low <= 0 <= interval.high
    assert wrong / 400 <= 0.075
