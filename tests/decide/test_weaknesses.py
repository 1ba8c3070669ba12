"""Strong or weak, and what would settle it."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np
import pytest
from made_evidence import Made, direct, distilled, made_evidence, published, twin

from autokd.decide import decide
from autokd.decide.comparisons import compare
from autokd.decide.sensitivity import at_volume
from autokd.decide.statistics.intervals import Estimate, difference
from autokd.decide.statistics.sample_size import needed
from autokd.decide.weaknesses import Weakness, settling_seeds
from autokd.records import Copies, Decision, Policy

BETTER = (distilled(accuracy=0.94), direct(accuracy=0.925), twin(accuracy=0.92))


def decided(*made: Made, asked: dict[str, Any] | None = None, **evidence: Any) -> Decision:
    return decide(made_evidence(*made, **evidence), Policy(**({"max_cost": 0.001} | (asked or {}))))


def only(decision: Decision) -> str:
    """The only weakness."""
    (weakness,) = decision.weaknesses
    assert decision.strength == "weak"
    return weakness


def test_clear_evidence_is_strong() -> None:
    decision = decided(*BETTER)
    assert (decision.verdict, decision.strength, decision.weaknesses) == ("distill", "strong", ())


def test_every_note_of_the_search_is_a_weakness() -> None:
    decision = decided(*BETTER, notes=("The direct arm ran out of time.", "Two trials failed."))
    assert decision.weaknesses == ("The direct arm ran out of time.", "Two trials failed.")


def test_an_arm_that_was_tried_and_is_empty_is_a_weakness() -> None:
    assert "direct arm has no finalist" in only(decided(distilled()))
    assert "distill arm has no finalist" in only(decided(direct()))
    assert decided(direct(), trials=0).strength == "strong"  # there was nothing to distill


def test_a_test_part_that_the_teacher_may_have_seen() -> None:
    assert "separate test/ folder" in only(decided(*BETTER, own_weights=True, test_is_separate=False))
    assert decided(*BETTER, own_weights=True, test_is_separate=True).strength == "strong"
    assert decided(*BETTER, own_weights=False, test_is_separate=False).strength == "strong"


@pytest.mark.parametrize(("count", "strong"), [(1, True), (5, False)])
def test_copies_of_training_images_among_test_images(count: int, strong: bool) -> None:
    made = made_evidence(*BETTER)
    copies = Copies(part="test", count=count, images=2000, first="b.png", original="a.png")
    evidence = replace(made, task=made.task.model_copy(update={"copies": (copies,)}))
    found = decide(evidence, Policy(max_cost=0.001))
    assert (found.strength == "strong") is strong
    assert strong or "5 of 2,000 test images are copies of training images" in only(found)


def test_a_test_part_that_a_students_own_weights_may_have_seen() -> None:
    assert decided(*BETTER, published(accuracy=0.949)).strength == "strong"
    sentence = only(decided(*BETTER, published(accuracy=0.949, student="known_net"), test_is_separate=False))
    assert "start weights of known_net are" in sentence
    assert "separate test/ folder" in sentence
    unpicked = published(accuracy=0.80)
    assert decided(*BETTER, unpicked, test_is_separate=False).strength == "strong", "no verdict rests on it"


def test_a_noisy_reading_counts_only_where_the_verdict_rests_on_it() -> None:
    noisy = replace(BETTER[0], noisy=True, student="noisy_net")
    assert "measurement of noisy_net is noisy" in only(decided(noisy, *BETTER[1:]))
    assert "measurement of big_net is noisy" in only(decided(*BETTER, teacher_noisy=True))
    bystander = direct(9, accuracy=0.88, noisy=True)
    assert decided(*BETTER, bystander).strength == "strong"


def test_one_seed_is_a_weakness() -> None:
    assert "had one seed" in only(decided(replace(BETTER[0], seeds=1), *BETTER[1:]))


def test_a_budget_above_the_search_is_a_weakness() -> None:
    assert "with max_cost=0.001." in only(decided(*BETTER, budget=0.0005))
    assert decided(*BETTER, budget=0.001).strength == "strong"


def test_a_refused_gain_that_the_interval_leaves_open() -> None:
    open_ = decided(distilled(accuracy=0.932), direct(accuracy=0.93), twin(accuracy=0.93), images=1000)
    assert open_.verdict == "use_small_model"
    gain, advantage = open_.weaknesses
    assert "gain of up to" in gain
    assert "advantage of the distilled pick of up to" in advantage
    shut = decided(distilled(accuracy=0.93), direct(accuracy=0.94), twin(accuracy=0.935))
    assert (shut.verdict, shut.strength) == ("use_small_model", "strong")


def test_a_proven_gain_with_an_open_advantage() -> None:
    open_ = decided(distilled(accuracy=0.94), direct(accuracy=0.9375), twin(accuracy=0.92))
    assert open_.verdict == "use_small_model"
    assert "advantage of the distilled pick of up to" in only(open_)
    shut = decided(distilled(accuracy=0.94), direct(accuracy=0.942), twin(accuracy=0.92), asked={"min_gain": 0.01})
    assert (shut.verdict, shut.strength) == ("use_small_model", "strong")


def test_an_undecided_exclusion_matters_only_where_it_would_change_the_verdict() -> None:
    rival = direct(accuracy=0.906)  # keeps 95.4 %, not shown to be 95 %
    alone = decided(distilled(accuracy=0.88), rival, twin(accuracy=0.87), images=1000)
    assert alone.verdict == "none"
    weakness = only(alone)
    assert "whether finalist 2 (small_net) can keep 95 %" in weakness
    assert "the verdict is use_small_model" in weakness
    beside = decided(*BETTER, direct(7, accuracy=0.906, val=0.9), images=10_000)
    assert (beside.verdict, beside.strength) == ("distill", "strong")


def test_an_exclusion_is_decided_by_the_upper_end() -> None:
    decision = decided(distilled(accuracy=0.88), direct(accuracy=0.88), twin(accuracy=0.87))
    assert (decision.verdict, decision.strength) == ("none", "strong")
    assert "with the whole interval below 95.0 %" in decision.finalists[0].why_not[0]


def test_exclusions_that_matter_only_together() -> None:
    """Distilled and direct both undecided: either alone ends in its own arm's verdict."""
    decision = decided(distilled(accuracy=0.907), direct(accuracy=0.906), twin(accuracy=0.87), images=1000)
    assert decision.verdict == "none"
    assert "(and 1 more)" in only(decision)


def test_costs_whose_intervals_straddle_the_budget() -> None:
    straddling = tuple(replace(made, cost=0.00098, spread=0.05) for made in BETTER)
    assert "the verdict could also be none" in only(decided(*straddling))
    assert decided(*(replace(made, cost=0.0009, spread=0.05) for made in BETTER)).strength == "strong"
    assert "keep_teacher" in only(decided(*BETTER[:0], trials=0, teacher_cost=0.00102, teacher_spread=0.05))


def test_costs_of_one_model_move_together() -> None:
    """Distilled pick and twin are the same model: no interval of its cost makes the one cheaper than the other."""
    wide = tuple(replace(m, spread=0.2) for m in (distilled(accuracy=0.94), twin(2, accuracy=0.942)))
    assert decided(*wide).strength == "strong"


def test_a_payback_that_the_costs_leave_open() -> None:
    near = {"max_cost": 0.01, "requests_per_month": 76_500}  # 2.02 dollars saved, 2 paid
    weakness = only(decided(*BETTER, asked=near, teacher_spread=0.05))
    assert "keep_teacher" in weakness
    assert "a larger request volume" in weakness


def test_a_volume_that_was_not_given() -> None:
    dear = tuple(replace(made, cost=0.002) for made in BETTER)
    decision = decided(*dear, asked={"max_cost": 0.01})
    assert decision.verdict == "keep_teacher"
    assert "with 1,100 M or more requests a month (whole replicas)" in only(decision)
    assert "Needed: requests_per_month" in only(decision)
    enough = {"max_cost": 0.01, "requests_per_month": 1_100_000_000}
    assert at_volume(compare(made_evidence(*dear)), Policy(max_cost=0.01), 1_100_000_000).verdict == "distill"
    assert decided(*dear, asked=enough).verdict == "distill"
    known = decided(*dear, asked={"max_cost": 0.01, "requests_per_month": 10_000})
    assert (known.verdict, known.strength) == ("keep_teacher", "strong")


def test_keeping_all_of_the_accuracy_may_be_what_is_open() -> None:
    """Over half of the teacher's cost: without a volume the student has to keep all of the teacher's accuracy."""
    decision = decided(direct(accuracy=0.949, cost=0.002), asked={"max_cost": 0.01}, images=2000)
    assert decision.verdict == "keep_teacher"
    assert any("can keep 100 % of the teacher's accuracy" in weakness for weakness in decision.weaknesses)


def test_a_student_may_be_open_in_accuracy_and_in_volume() -> None:
    made = direct(accuracy=0.91, cost=0.002)
    decision = decided(made, asked={"max_cost": 0.01}, images=1000)
    assert (decision.verdict, decision.strength) == ("keep_teacher", "weak")
    assert any("and requests_per_month" in weakness for weakness in decision.weaknesses)


# ---- how much more evidence ------------------------------------------------------------------------------------


def test_seeds_settle_what_seeds_leave_open() -> None:
    estimate = Estimate(mean=0.01, image_part=1e-6, seed_part=1e-4, images=10_000, seeds=3)
    assert needed(estimate, 0.0) == "about 19 seeds"  # at the level of a second look: t(18) is 2.445


def test_more_seeds_also_average_what_they_change_image_by_image() -> None:
    """Three seeds that differ image by image: the expectation of ten is what ten of that kind have."""
    rng = np.random.default_rng(0)
    hard = rng.random(4000)
    seeds = (rng.normal(hard, 0.1, (40, 4000)) < 0.9, rng.normal(hard, 0.1, (40, 4000)) < 0.88)
    expected = [difference(seeds[0][i : i + 3], seeds[1][i : i + 3]).with_more(seeds=10) for i in range(0, 30, 3)]
    found = [difference(seeds[0][i : i + 10], seeds[1][i : i + 10]) for i in range(0, 40, 10)]
    assert mean(e.image_part for e in expected) == pytest.approx(mean(f.image_part for f in found), rel=0.1)


def test_seeds_settle_a_verdict_only_where_they_settle_all_that_is_open() -> None:
    nine, none = Weakness("a.", 9, needs_evidence=True), Weakness("b.", None, needs_evidence=True)
    assert settling_seeds([nine, Weakness("c.", 4, needs_evidence=True), Weakness("A price is noisy.")]) == 9
    assert settling_seeds([nine, none]) is None
    assert settling_seeds([]) is None


def test_images_settle_what_images_leave_open() -> None:
    estimate = Estimate(mean=0.01, image_part=1e-4, seed_part=0.0, images=1000, seeds=1)
    assert needed(estimate, 0.0) == "about 3,900 test images"


def test_both_are_named_where_either_would_do() -> None:
    estimate = Estimate(mean=0.01, image_part=1.2e-5, seed_part=4e-6, images=1000, seeds=3)
    clause = needed(estimate, 0.0)
    assert "seeds or" in clause
    assert "test images" in clause


def test_seeds_and_images_together() -> None:
    estimate = Estimate(mean=0.005, image_part=1e-4, seed_part=3e-5, images=1000, seeds=3)
    assert "about 20 seeds together with" in needed(estimate, 0.0)


@pytest.mark.parametrize("limit", [0.01, 0.0100001])
def test_a_mean_on_the_limit_cannot_be_settled(limit: float) -> None:
    estimate = Estimate(mean=0.01, image_part=1e-5, seed_part=1e-6, images=1000, seeds=3)
    assert "more seeds or test images than are affordable" in needed(estimate, limit)


def test_the_images_asked_for_do_settle_it() -> None:
    estimate = Estimate(mean=0.01, image_part=1e-4, seed_part=0.0, images=1000, seeds=1)
    assert estimate.with_more(images=3.9).half_width < 0.01
