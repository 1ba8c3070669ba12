"""Which proposals are confirmed."""

from __future__ import annotations

import pytest

from autokd.records import Candidate, Interval, Reading, Recipe, TrialRecord
from autokd.tune.finalists import Finalist, choose_finalists, front, most_trainings, standard_error, twin_recipe
from autokd.tune.space.space import Space

SPACE = Space.model_validate({"students": {"include": ["a"]}})


def trial(number: int, arm: str, student: str, accuracy: float, cost: float, **changes: object) -> TrialRecord:
    alpha = 0.7 if arm == "distill" else 0.0
    recipe = Recipe(temperature=3.0 if alpha else 1.0, alpha=alpha, learning_rate=1e-3, epochs=6, batch_size=32)
    content = {
        "number": number,
        "arm": arm,
        "student": student,
        "parameters": 10,
        "ratio": 8.0,
        "macs": 5,
        "cost_usd_per_1k": cost,
        "recipe": recipe,
        "state": "complete",
        "epochs": 6,
        "val_accuracy": accuracy,
        "seconds": 60.0,
    }
    return TrialRecord.model_validate(content | changes)


def by_role(finalists: list[Finalist], arm: str, role: str) -> list[Finalist]:
    return [f for f in finalists if f.proposal.arm == arm and f.role == role]


def test_the_front_goes_from_accurate_to_cheap() -> None:
    trials = [
        trial(0, "distill", "big", 0.95, 3.0),
        trial(1, "distill", "expensive and worse", 0.94, 4.0),
        trial(2, "distill", "small", 0.93, 1.0),
        trial(3, "distill", "pruned", 0.99, 0.5, state="pruned"),
        trial(4, "distill", "middle", 0.94, 2.0),
    ]
    assert [t.student for t in front(trials, 9)] == ["big", "small", "middle"]
    assert [t.student for t in front(trials, 2)] == ["big", "small"]
    assert [t.student for t in front(trials, 1)] == ["big"]
    assert [t.student for t in front(trials, 9, floor=0.935)] == ["big", "middle"]
    assert [t.student for t in front(trials, 9, floor=0.99)] == ["big"]
    assert [t.student for t in front(trials, 1, by_cost=True)] == ["small"]
    assert [t.student for t in front(trials, 1, floor=0.935, by_cost=True)] == ["middle"]
    assert front([], 2) == []


def test_of_trials_that_noise_cannot_tell_apart_the_cheapest_comes_first() -> None:
    trials = [trial(0, "direct", "big", 0.95, 3.0), trial(1, "direct", "middle", 0.944, 2.0)]
    trials += [trial(2, "direct", "small", 0.93, 1.0)]
    assert [t.student for t in front(trials, 1, tolerance=0.006)] == ["middle"]
    assert [t.student for t in front(trials, 2, tolerance=0.006)] == ["middle", "big"]
    assert [t.student for t in front(trials, 9, tolerance=0.006)] == ["middle", "big", "small"]
    assert [t.student for t in front(trials, 1, tolerance=0.005)] == ["big"]


def test_finalists_are_picks_defaults_twins_and_a_longer_one() -> None:
    trials = [trial(0, "distill", "a", 0.95, 2.0), trial(1, "direct", "b", 0.94, 2.0)]
    finalists = choose_finalists(trials, SPACE, 1, soft_label_seconds=60.0)
    assert [f.proposal.number for f in finalists] == list(range(len(finalists)))
    (pick,) = by_role(finalists, "distill", "pick")
    (default,) = by_role(finalists, "distill", "default")
    assert (pick.trial, pick.proposal.recipe.alpha) == (0, 0.7)
    assert (default.proposal.recipe.temperature, default.proposal.recipe.alpha) == (4.0, 0.9)
    assert default.proposal.recipe.learning_rate == 2e-3
    others = choose_finalists(trials, SPACE, 1, 60.0, families={"a": "vision_transformer"})
    assert [f.proposal.recipe.learning_rate for f in by_role(others, "distill", "default")] == [5e-4]
    twins = {f.twin_of: f for f in finalists if f.twin_of}
    (longer,) = by_role(finalists, "distill", "longer")
    assert set(twins) == {(f.proposal.number,) for f in (pick, default, longer)}
    twin = twins[(pick.proposal.number,)]
    assert twin.proposal.student == "a"
    assert twin.proposal.recipe == pick.proposal.recipe.model_copy(update={"alpha": 0.0, "temperature": 1.0})


def test_the_longer_direct_one_gets_the_device_seconds_of_distilling() -> None:
    trials = [trial(0, "distill", "a", 0.95, 2.0, seconds=90.0), trial(1, "direct", "b", 0.94, 2.0)]
    (longer,) = by_role(choose_finalists(trials, SPACE, 1, soft_label_seconds=30.0), "direct", "longer")
    assert longer.proposal.recipe.epochs == 12  # 90 + 30 seconds at 10 seconds an epoch
    same = [trial(0, "distill", "a", 0.95, 2.0), trial(1, "direct", "b", 0.94, 2.0)]
    assert not by_role(choose_finalists(same, SPACE, 1, soft_label_seconds=0.0), "direct", "longer")


def test_the_distilled_best_is_trained_as_long_with_a_twin_of_its_own() -> None:
    trials = [trial(0, "distill", "a", 0.95, 2.0, seconds=90.0), trial(1, "direct", "b", 0.94, 2.0)]
    finalists = choose_finalists(trials, SPACE, 1, soft_label_seconds=30.0)
    (longer,), (pick,) = (by_role(finalists, "distill", role) for role in ("longer", "pick"))
    assert longer.proposal.recipe == pick.proposal.recipe.model_copy(update={"epochs": 12})
    (twin,) = [f for f in finalists if longer.proposal.number in f.twin_of]
    assert (twin.proposal.student, twin.proposal.recipe.epochs, twin.proposal.recipe.alpha) == ("a", 12, 0.0)


def test_a_direct_finalist_that_is_a_twin_is_not_trained_twice() -> None:
    trials = [trial(0, "distill", "a", 0.95, 2.0), trial(1, "direct", "a", 0.94, 2.0)]
    finalists = choose_finalists(trials, SPACE, 1, soft_label_seconds=0.0)
    (pick,) = by_role(finalists, "direct", "pick")
    assert pick.twin_of == (by_role(finalists, "distill", "pick")[0].proposal.number,)
    keys = [(f.proposal.arm, f.proposal.student, f.proposal.recipe) for f in finalists]
    assert len(keys) == len(set(keys))


def test_an_arm_without_complete_trials_has_no_finalists() -> None:
    finalists = choose_finalists([trial(1, "direct", "b", 0.94, 2.0)], SPACE, 2, soft_label_seconds=5.0)
    assert {f.proposal.arm for f in finalists} == {"direct"}
    assert choose_finalists([], SPACE, 2, soft_label_seconds=5.0) == []


def edge(student: str, ratio: float) -> Candidate:
    cost = Interval(mean=1.0, low=1.0, high=1.0)
    reading = Reading(
        model=student, capacity_rps=1.0, latency_ms=None, cost_usd_per_1k=cost, noisy=False, batch_size=1, rounds=1
    )
    return Candidate(student=student, family="f", parameters=1, ratio=ratio, macs=1, arms=(), reading=reading)


def test_edges_come_last_with_the_best_recipe_and_a_twin_of_their_own() -> None:
    trials = [trial(0, "distill", "a", 0.95, 2.0), trial(1, "direct", "b", 0.94, 2.0)]
    plain = choose_finalists(trials, SPACE, 1, 30.0)
    probed = choose_finalists(trials, SPACE, 1, 30.0, edges=[edge("large", 4.0), edge("tiny", 25.0)])
    assert probed[: len(plain)] == plain
    for probe, twin in zip(probed[len(plain) :: 2], probed[len(plain) + 1 :: 2], strict=True):
        assert (probe.role, probe.trial, probe.proposal.recipe) == ("edge", 0, trials[0].recipe)
        assert (twin.role, twin.twin_of) == ("twin", (probe.proposal.number,))
        assert twin.proposal.student == probe.proposal.student
        assert twin.proposal.recipe == twin_recipe(trials[0].recipe)
    assert [f.proposal.number for f in probed] == list(range(len(plain) + 4))
    assert len(probed) * 3 <= most_trainings(1, 3, edges=2) == most_trainings(1, 3) + 12


def test_a_direct_finalist_may_be_the_twin_of_an_edge() -> None:
    large = trial(1, "direct", "large", 0.94, 2.0)
    probed = choose_finalists([trial(0, "distill", "a", 0.95, 2.0), large], SPACE, 1, 0.0, edges=[edge("large", 4.0)])
    (probe,) = [f for f in probed if f.role == "edge"]
    (pick,) = by_role(probed, "direct", "pick")
    assert pick.twin_of == (probe.proposal.number,)


def test_without_a_distilled_trial_no_edge_has_a_recipe() -> None:
    finalists = choose_finalists([trial(1, "direct", "b", 0.94, 2.0)], SPACE, 1, 0.0, edges=[edge("large", 4.0)])
    assert "edge" not in {f.role for f in finalists}


def test_a_twin_keeps_all_but_the_teacher() -> None:
    changes = {"loss": "dkd", "beta": 3.0, "mixup": 0.2, "cutmix": 0.5, "ema": 0.99, "weight_decay": 0.1}
    changes |= {"label_smoothing": 0.1, "schedule": "linear"}
    distilled = trial(0, "distill", "a", 0.95, 2.0)
    distilled = distilled.model_copy(update={"recipe": distilled.recipe.model_copy(update=changes)})
    finalists = choose_finalists([distilled], SPACE, 1, soft_label_seconds=0.0)
    (twin,) = [f for f in finalists if 0 in f.twin_of]
    assert twin.proposal.recipe == twin_recipe(distilled.recipe)
    kept = {"mixup": 0.2, "cutmix": 0.5, "ema": 0.99, "weight_decay": 0.1, "learning_rate": 1e-3}
    kept |= {"label_smoothing": 0.1, "schedule": "linear"}
    assert {name: getattr(twin.proposal.recipe, name) for name in kept} == kept
    assert (twin.proposal.recipe.loss, twin.proposal.recipe.beta, twin.proposal.recipe.alpha) == ("kl", 1.0, 0.0)


def test_the_default_recipe_is_the_spaces_own_and_averages_like_the_others() -> None:
    space = Space.model_validate(
        {
            "students": {"include": ["a"]},
            "recipe": {"distill": {"losses": ["dist"], "mixup": {"low": 0.1, "high": 0.4}}},
            "default": {"loss": "dist", "temperature": 1.0, "alpha": 0.6},
        }
    )
    mixed = trial(0, "distill", "a", 0.95, 2.0)
    mixed = mixed.model_copy(update={"recipe": mixed.recipe.model_copy(update={"mixup": 0.3, "ema": 0.9})})
    (default,) = by_role(choose_finalists([mixed], space, 1, soft_label_seconds=0.0), "distill", "default")
    recipe = default.proposal.recipe
    assert (recipe.loss, recipe.temperature, recipe.alpha, recipe.mixup, recipe.ema) == ("dist", 1.0, 0.6, 0.0, 0.9)


def test_a_standard_error_is_that_of_a_difference_and_not_nothing_where_all_are_right() -> None:
    assert standard_error(0.9, 10_000) == pytest.approx((2 * 0.9 * 0.1 / 10_000) ** 0.5, rel=0.01)
    assert 0.007 < standard_error(1.0, 269) < standard_error(0.99, 269) < 0.012
