"""Strong or weak, and what would settle it."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from made_evidence import Made, direct, distilled, made_cost_model, made_evidence, published, twin

from autokd.decide import decide
from autokd.decide.at_stake import open_options
from autokd.decide.comparisons import compare
from autokd.decide.dials import at_volume
from autokd.decide.policy import judge
from autokd.decide.repeats import Repeats
from autokd.records import Copies, Decision, HourlyPrice, PayPerUse, Policy, PriceRange, Reading

ALIKE = (distilled(accuracy=0.94), direct(accuracy=0.94), twin(accuracy=0.94))
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


def test_a_noisy_reading_that_decides_nothing_weakens_nothing() -> None:
    noisy = replace(BETTER[0], noisy=True, spread=0.2)
    assert decided(noisy, *BETTER[1:], teacher_noisy=True, teacher_spread=0.1).strength == "strong"


@pytest.mark.parametrize("name", ["big_net", "small_net"])
def test_a_cost_without_an_upper_end_is_a_weakness(name: str) -> None:
    def endless(reading: Reading) -> Reading:
        capacity = reading.capacity_interval
        if reading.model != name or capacity is None:
            return reading
        perhaps = {"cost_usd_per_1k": reading.cost_usd_per_1k.model_copy(update={"high": inf})}
        return reading.model_copy(update={**perhaps, "capacity_interval": capacity.model_copy(update={"low": 0.0})})

    made = made_evidence(*BETTER)
    finalists = tuple(f.model_copy(update={"reading": endless(f.reading)}) for f in made.finalists)
    evidence = replace(made, teacher_reading=endless(made.teacher_reading), finalists=finalists)
    sentence = only(decide(evidence, Policy(max_cost=0.001)))
    assert sentence.startswith(f"The timings of {name} do not show that a request meets the latency limit at all.")


def test_one_seed_is_a_weakness() -> None:
    assert "had one seed" in only(decided(replace(BETTER[0], seeds=1), *BETTER[1:]))


def test_a_budget_above_the_search_is_a_weakness() -> None:
    assert "with max_cost=0.001." in only(decided(*BETTER, budget=0.0005))
    assert decided(*BETTER, budget=0.001).strength == "strong"


def test_a_gain_that_the_interval_leaves_open_is_at_stake() -> None:
    open_ = decided(distilled(accuracy=0.94), direct(accuracy=0.936), twin(accuracy=0.936), images=500)
    assert (open_.verdict, open_.strength) == ("use_small_model", "weak")
    assert open_.advantage is not None
    assert open_.at_stake.points == pytest.approx(open_.advantage.high)
    assert open_.at_stake.points > 0.01
    assert any("more accurate than the direct pick. Its gain from distilling" in w for w in open_.weaknesses)
    made = (distilled(accuracy=0.94), direct(accuracy=0.936), twin(accuracy=0.936))
    allowed = decided(*made, images=500, asked={"max_regret": 0.05})
    assert not any("distilled" in weakness for weakness in allowed.weaknesses)
    shut = decided(distilled(accuracy=0.93), direct(accuracy=0.94), twin(accuracy=0.935))
    assert (shut.verdict, shut.strength, shut.at_stake.points) == ("use_small_model", "strong", 0.0)


def test_a_proven_gain_with_an_open_advantage() -> None:
    open_ = decided(distilled(accuracy=0.94), direct(accuracy=0.938), twin(accuracy=0.88), images=400)
    assert open_.verdict == "use_small_model"
    assert any("Its advantage over the direct pick is not shown to be enough" in w for w in open_.weaknesses)
    shut = decided(distilled(accuracy=0.94), direct(accuracy=0.942), twin(accuracy=0.92), asked={"min_gain": 0.01})
    assert (shut.verdict, shut.strength) == ("use_small_model", "strong")


def told(decision: Decision) -> str:
    """What is said of the distilled finalist that was not taken."""
    (sentence,) = (weakness for weakness in decision.weaknesses if "(small_net, distilled)" in weakness)
    return sentence


def test_a_distilled_pick_that_may_be_better_is_told_by_what_is_at_stake() -> None:
    """Its gain reaches further than what could be given up, which is a cost here, an accuracy there."""
    dear = direct(accuracy=0.945, cost=0.0006, student="other_net")
    cost = decided(distilled(accuracy=0.94), dear, twin(accuracy=0.94), images=1000)
    assert cost.verdict == "use_small_model"
    assert cost.gain is not None
    assert cost.gain.high > cost.at_stake.points > 0
    assert cost.at_stake.points < 0.01, "accuracy does not matter"
    assert told(cost).startswith(
        "Finalist 1 (small_net, distilled) may cost up to $0.0003 less per 1,000 requests than the direct pick. "
        "Its gain from distilling is not shown (95 % interval -"
    )
    accuracy = decided(distilled(accuracy=0.94), direct(accuracy=0.936), twin(accuracy=0.936), images=500)
    points = f"{100 * accuracy.at_stake.points:.2f}"
    assert f"may be up to {points} points more accurate than the direct pick." in told(accuracy)
    behind = (direct(accuracy=0.936, cost=0.0006, student="other_net"), twin(accuracy=0.938, val=0.9))
    both = decided(distilled(accuracy=0.94), *behind, images=500)
    assert "points more accurate and cost up to $0.0003 less per 1,000 requests than" in told(both)


def test_with_a_volume_the_dollars_at_stake_are_those_of_a_month() -> None:
    made = (distilled(accuracy=0.94), direct(accuracy=0.945, cost=0.0006, student="other_net"), twin(accuracy=0.94))
    found = decided(*made, asked={"requests_per_month": 1e6}, images=1000)
    assert found.at_stake.usd_per_month == pytest.approx(0.3)
    assert "may cost up to $0.30 less a month than the direct pick" in told(found)


def test_a_distilled_pick_that_is_not_taken_says_what_is_not_shown() -> None:
    lone = decided(distilled(accuracy=0.94), direct(accuracy=0.8), twin(accuracy=0.8), asked={"max_cost": 0.01})
    assert lone.verdict == "distill", "its gain is shown"
    equal = (distilled(accuracy=0.913), twin(accuracy=0.912, cost=0.0026))
    unproven = decided(*equal, asked={"max_cost": 0.01})
    assert unproven.verdict == "keep_teacher"
    assert "may cost up to $0.0022 less per 1,000 requests than the teacher. Its gain" in told(unproven)
    alone = decided(distilled(accuracy=0.94), direct(accuracy=0.936), images=500)
    assert "It has no twin, so its gain from distilling is unknown. Needed: the same student" in told(alone)
    cheaper = (distilled(accuracy=0.96, cost=0.0006), direct(accuracy=0.93), twin(accuracy=0.92))
    saving = decided(*cheaper, asked={"prefer": "savings"})
    assert saving.verdict == "use_small_model"
    assert told(saving).endswith("Savings are preferred, and the direct pick is the cheaper one.")


def test_a_verdict_close_to_its_limit_does_not_repeat() -> None:
    close = decided(distilled(accuracy=0.94), direct(accuracy=0.937), twin(accuracy=0.92))
    assert 0.3 < close.repeatability < 0.9
    assert "100 repeats of the confirmation would end in the same verdict; 90 are asked for" in only(close)
    assert decided(*BETTER).repeatability > 0.99


def test_what_settles_it_is_named() -> None:
    few = decided(*BETTER, images=400)
    assert few.strength == "weak"
    assert few.settles is not None
    assert "test images" in few.settles
    assert "would settle it." in few.settles
    assert decided(*BETTER).settles is None


def test_seeds_settle_what_seeds_leave_open() -> None:
    """Seeds that differ as a whole, on many images: only more of them narrow the gain."""
    rng = np.random.default_rng(3)
    made = (distilled(accuracy=0.94), direct(accuracy=0.92), twin(accuracy=0.92))
    evidence = made_evidence(*made, images=20_000)
    hard = np.random.default_rng(0).permutation(20_000) / 20_000
    correct = {m.number: hard < m.accuracy + rng.normal(0, 0.008, (3, 1)) for m in made}
    finalists = tuple(
        record.model_copy(
            update={
                "seeds": tuple(
                    seed.model_copy(update={"test_accuracy": float(row.mean())})
                    for seed, row in zip(record.seeds, correct[record.number], strict=True)
                )
            }
        )
        for record in evidence.finalists
    )
    found = decide(replace(evidence, correct=correct, finalists=finalists), Policy(max_cost=0.001))
    assert found.strength == "weak"
    assert found.settling_seeds is not None
    assert f"{found.settling_seeds} seeds of the contenders" in str(found.settles)


def test_an_undecided_exclusion_matters_only_where_it_would_change_the_verdict() -> None:
    rival = direct(accuracy=0.906)  # keeps 95.4 %, not shown to be 95 %
    alone = decided(distilled(accuracy=0.88), rival, twin(accuracy=0.87), images=1000)
    assert alone.verdict == "none"
    assert any("whether finalist 2 (small_net) can keep 95 %" in weakness for weakness in alone.weaknesses)
    assert any("the verdict is to use the small model directly" in weakness for weakness in alone.weaknesses)
    assert alone.at_stake.usd_per_1k == pytest.approx(0.0025 - 0.0003)  # the teacher's cost less the student's
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
    assert any("(and 1 more)" in weakness for weakness in decision.weaknesses)


def test_a_finalist_that_only_does_not_pay_is_not_open() -> None:
    """Two finalists are undecided and change the verdict together; a third keeps enough and saves too little."""
    at_limit = {"cost": 0.0004, "val": 0.96, "student": "limit_net"}
    made = (
        distilled(accuracy=0.906, cost=0.0004, val=0.93),
        direct(accuracy=0.94, cost=0.0004, val=0.93, student="other_net"),
        twin(accuracy=0.85, cost=0.0004),
        direct(4, accuracy=0.899, **at_limit),
        direct(5, accuracy=0.945, cost=0.00249, student="dear_net"),
    )
    asked = {"max_cost": 0.01, "requests_per_month": 1e6}
    judged = judge(compare(made_evidence(*made, images=2000)), Policy(**asked))
    assert 5 in judged.eligible - judged.worthwhile
    (option,) = [option for option in open_options(judged) if "(and 1 more)" in option.why]
    assert "dear_net" not in option.why


def test_costs_whose_intervals_straddle_the_budget_do_not_repeat() -> None:
    straddling = tuple(replace(made, cost=0.00098, spread=0.05) for made in BETTER)
    found = decided(*straddling)
    assert found.repeatability < 0.9
    assert only(found).startswith("About ")
    assert found.settles == "Reading the costs again on an idle machine would settle it."
    assert decided(*(replace(made, cost=0.0009, spread=0.05) for made in BETTER)).strength == "strong"
    kept = decided(*BETTER[:0], trials=0, teacher_cost=0.00102, teacher_spread=0.05)
    assert (kept.verdict, kept.repeatability < 0.9) == ("none", True)


def test_costs_of_one_model_move_together() -> None:
    """Distilled pick and twin are the same model: no interval of its cost makes the one cheaper than the other."""
    wide = tuple(replace(m, spread=0.2) for m in (distilled(accuracy=0.94), twin(2, accuracy=0.942)))
    assert decided(*wide).strength == "strong"


def test_a_payback_that_the_costs_leave_open() -> None:
    near = {"max_cost": 0.01, "requests_per_month": 76_500}  # 2.02 dollars saved, 2 paid
    assert decided(*BETTER, asked=near, teacher_spread=0.05).repeatability < 0.9


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
    assert any("Needed: requests_per_month" in weakness for weakness in decision.weaknesses)


# ---- students that were not done -------------------------------------------------------------------------------


def improving(gain: float | None, *made: Made, **evidence: Any) -> Decision:
    """A verdict on finalists that gained so much in the last quarter of their training."""
    known = made_evidence(*made, **evidence)
    finalists = tuple(
        record.model_copy(update={"seeds": tuple(seed.model_copy(update={"late_gain": gain}) for seed in record.seeds)})
        for record in known.finalists
    )
    return decide(replace(known, finalists=finalists), Policy(max_cost=0.01))


BEHIND = (distilled(accuracy=0.60), direct(accuracy=0.60), twin(accuracy=0.60))


@pytest.mark.parametrize(("gain", "said"), [(0.04, "gained 4.00 points on validation"), (None, "too few to tell")])
def test_no_student_is_refused_for_good_while_it_improves(gain: float | None, said: str) -> None:
    found = improving(gain, *BEHIND)
    assert (found.verdict, found.strength) == ("keep_teacher", "weak")
    assert said in only(found)
    assert "epochs=6" in only(found)
    assert improving(0.002, *BEHIND).strength == "strong"


def test_an_improving_student_that_is_recommended_is_no_flaw() -> None:
    assert improving(0.04, *BETTER).strength == "strong"


def test_a_longer_training_that_gained_much_says_that_it_was_not_done() -> None:
    known = made_evidence(*BEHIND, direct(4, accuracy=0.65, role="longer"))
    last = known.finalists[-1]
    longer = last.model_copy(update={"recipe": last.recipe.model_copy(update={"epochs": 9})})
    found = decide(replace(known, finalists=(*known.finalists[:-1], longer)), Policy(max_cost=0.01))
    assert found.verdict == "keep_teacher"
    assert "gained 5.00 points on validation by training longer" in only(found)


def test_the_gain_over_the_best_direct_training_of_the_student_is_told() -> None:
    found = decided(*BETTER)
    assert found.gain is not None
    assert found.gain_over_best is not None
    assert found.gain_over_best.mean == pytest.approx(0.015, abs=0.002)  # over direct at 0.925, not the twin at 0.92
    assert found.gain.mean > found.gain_over_best.mean


def borrowed(low: float, high: float, **changes: Any) -> dict[str, Any]:
    span = PriceRange(low=low, high=high)
    return {"model": made_cost_model(price_origin="borrowed", price_range=span, **changes)}


def test_a_borrowed_price_is_a_weakness_only_where_the_right_one_may_flip_the_verdict() -> None:
    assert decided(*BETTER, **borrowed(0.6, 3.0)).strength == "strong"
    decision = decided(*BETTER, **borrowed(0.6, 6.0))
    assert decision.verdict == "distill"
    assert only(decision) == (
        "The price is that of another machine than was measured, and machines of that kind and size cost $0.60 to "
        "$6.00 an hour: at a price of $4.01 or more an hour of serving instead of $1.20 nothing meets the limits. "
        "Needed: price_per_hour."
    )


def test_a_borrowed_price_is_no_weakness_where_costs_do_not_follow_it() -> None:
    assert decided(*BETTER, **borrowed(0.6, 6.0, pay_per_use=PayPerUse(usd_per_second=1e-4))).strength == "strong"


def test_a_borrowed_price_of_the_teacher_is_a_weakness_of_its_own() -> None:
    theirs = HourlyPrice(
        price_usd_per_hour=1.2,
        price_origin="borrowed",
        price_source="made up",
        price_date="undated",
        instance="two",
        price_range=PriceRange(low=0.1, high=2.0),
    )
    decision = decided(*BETTER, model=made_cost_model(teacher_price=theirs))
    assert "an hour of serving the teacher instead of $1.20 the verdict is to keep the teacher" in only(decision)
    assert "Needed: teacher_price_per_hour." in only(decision)


def test_seeds_are_not_noisier_where_more_images_are_supposed() -> None:
    evidence, rng = made_evidence(*ALIKE, images=2000), np.random.default_rng(0)
    seeds = {number: rng.random((3, 2000)) < 0.9 for number in evidence.correct}
    comparison = compare(replace(evidence, correct=seeds))
    now, later = (Repeats(case)._seed_variances[0] for case in (comparison, comparison.with_more(images=8)))
    assert later == pytest.approx(now)
