"""Properties that hold for whatever evidence and policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from made_evidence import Made, direct, distilled, made_evidence, shuffled

from autokd.decide import Evidence, decide
from autokd.decide.comparisons import compare
from autokd.decide.economics import cheaper
from autokd.decide.policy import judge
from autokd.records import Policy

IMAGES = 300
COSTS = st.sampled_from([1e-4, 2e-4, 2.1e-4, 5e-4, 1.2e-3, 2.4e-3])
ACCURACIES = st.sampled_from([0.88, 0.91, 0.93, 0.94, 0.95, 0.96])
quick = settings(max_examples=25, deadline=None)


@st.composite
def policies(draw: st.DrawFn, **fixed: Any) -> Policy:
    return Policy(
        **{
            "max_cost": draw(st.sampled_from([5e-5, 3e-4, 1e-3, 1e-2])),
            "min_retention": draw(st.sampled_from([0.9, 0.95, 0.99])),
            "min_gain": draw(st.sampled_from([0.0, 0.003, 0.02])),
            "prefer": draw(st.sampled_from(["accuracy", "savings"])),
            "requests_per_month": draw(st.sampled_from([None, 1e4, 1e6, 1e8])),
        }
        | fixed
    )


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    made: list[Made] = []
    for number in range(draw(st.integers(0, 3))):
        shared = {"cost": draw(COSTS), "student": f"net_{number}", "seeds": draw(st.integers(1, 3))}
        made.append(distilled(3 * number, draw(ACCURACIES), val=draw(ACCURACIES), **shared))
        if draw(st.booleans()):
            twin_of = (3 * number,) if draw(st.booleans()) else ()
            made.append(direct(3 * number + 1, draw(ACCURACIES), val=draw(ACCURACIES), twin_of=twin_of, **shared))
        if draw(st.booleans()):
            made.append(direct(3 * number + 2, draw(ACCURACIES), cost=draw(COSTS), val=draw(ACCURACIES)))
    return made_evidence(
        *made, images=IMAGES, usd=draw(st.sampled_from([0.0, 1.0, 100.0])), seed=draw(st.integers(0, 9))
    )


@quick
@given(st.lists(st.tuples(ACCURACIES, COSTS), min_size=1, max_size=3), policies(), st.integers(0, 9))
def test_identical_arms_never_say_distill(students: list[tuple[float, float]], asked: Policy, seed: int) -> None:
    made = []
    for i, (accuracy, cost) in enumerate(students):
        made.append(distilled(2 * i, accuracy, cost=cost, student=f"net_{i}"))
        made.append(direct(2 * i + 1, accuracy, cost=cost, student=f"net_{i}", twin_of=(2 * i,), like=2 * i))
    assert decide(made_evidence(*made, images=IMAGES, seed=seed), asked).verdict != "distill"


@quick
@given(evidences(), policies(), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(evidence: Evidence, asked: Policy, random: Any) -> None:
    order = list(range(len(evidence.finalists)))
    random.shuffle(order)
    assert decide(shuffled(evidence, order), asked) == decide(evidence, asked)


@quick
@given(evidences(), policies(), st.floats(1.0, 100.0))
def test_more_budget_never_makes_an_eligible_option_ineligible(evidence: Evidence, asked: Policy, more: float) -> None:
    case = compare(evidence)
    less, larger = judge(case, asked), judge(case, asked.model_copy(update={"max_cost": asked.max_cost * more}))
    assert less.eligible <= larger.eligible
    assert less.teacher_eligible <= larger.teacher_eligible


@quick
@given(evidences(), policies(), st.floats(0.0, 1e4))
def test_dearer_training_never_turns_keep_teacher_into_a_student(
    evidence: Evidence, asked: Policy, more: float
) -> None:
    if decide(evidence, asked).verdict != "keep_teacher":
        return
    dearer = replace(evidence, search=evidence.search.model_copy(update={"usd": evidence.search.usd + more}))
    assert decide(dearer, asked).verdict == "keep_teacher"


@quick
@given(evidences(), policies())
def test_a_pick_that_is_dearer_and_worse_is_never_chosen(evidence: Evidence, asked: Policy) -> None:
    judged = judge(compare(evidence), asked)
    if judged.advantage is None or judged.distilled is None or judged.direct is None:
        return
    if judged.distilled.cost.mean > judged.direct.cost.mean and judged.advantage.interval.high < 0:
        assert judged.verdict == "use_small_model"
    assert not (cheaper(judged.distilled.cost.mean, judged.direct.cost.mean) and judged.advantage.interval.low > 0)


@quick
@given(evidences(), policies())
def test_every_decision_is_whole(evidence: Evidence, asked: Policy) -> None:
    decision = decide(evidence, asked)
    assert (decision.strength == "weak") == bool(decision.weaknesses)
    chosen = {"distill": decision.options.distilled, "use_small_model": decision.options.direct}.get(decision.verdict)
    if chosen is not None:
        assert chosen.eligible
        assert chosen.worthwhile
        assert not chosen.why_not
    for finalist in decision.finalists:
        assert finalist.worthwhile == (not finalist.why_not)
    sentences = (decision.summary, *decision.reasons, *decision.weaknesses, *decision.would_change)
    assert not any(word in sentence for sentence in sentences for word in ("nan", "inf ", "None"))
    assert type(decision).model_validate_json(decision.model_dump_json()) == decision
