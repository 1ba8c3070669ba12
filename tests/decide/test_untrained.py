"""Published models that are used as they are, among finalists that were trained."""

from __future__ import annotations

from made_evidence import direct, distilled, made_evidence, published, twin

from autokd.decide import decide
from autokd.records import Decision, Policy


def decided(*finalists, **evidence) -> Decision:
    return decide(made_evidence(*finalists, **evidence), Policy(max_cost=0.001))


def test_the_better_published_model_is_used_and_nothing_is_said_of_training_it() -> None:
    decision = decided(distilled(accuracy=0.93), twin(accuracy=0.92), published(accuracy=0.945, student="known_net"))
    assert (decision.verdict, decision.strength) == ("use_small_model", "strong")
    assert decision.options.direct is not None
    assert decision.options.direct.finalist == 4
    assert decision.summary.startswith("Use known_net as it is (dist_in1k, mit): it keeps ")
    assert any("used as it is, without training" in reason for reason in decision.reasons)
    (summary,) = [f for f in decision.finalists if f.role == "published"]
    assert summary.weights is not None
    assert (summary.weights.label, summary.accuracy.seeds) == ("dist_in1k, mit", 1)


def test_a_teacher_that_a_published_model_beats_is_not_worth_distilling() -> None:
    decision = decided(published(accuracy=0.97, student="known_net"), direct(accuracy=0.93))
    assert any("known_net, used as it is (finalist 4), reaches" in reason for reason in decision.reasons)


def test_a_distilled_student_has_to_beat_it_too() -> None:
    """Its single row adds no seed part to the difference, which is as wide as the distilled pick's seeds make it."""
    made = (distilled(accuracy=0.945), twin(accuracy=0.92), published(accuracy=0.93))
    decision = decided(*made)
    assert decision.verdict == "distill"
    assert decision.options.direct is not None
    assert decision.options.direct.finalist == 4
    assert decision.advantage is not None
    assert decision.advantage.low > 0
    level = decided(distilled(accuracy=0.94), twin(accuracy=0.92), published(accuracy=0.94))
    assert level.verdict == "use_small_model"
