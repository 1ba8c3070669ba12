"""The ledger: equal arms, pruning within a student, and nothing lost or done twice by a kill."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import optuna
import pytest

from autokd.errors import RunError
from autokd.records import Candidate, EpochReport, Interval, Proposal, Reading, Recipe, StartWeights
from autokd.tune.space.schema import Default, First, Range
from autokd.tune.space.space import Space
from autokd.tune.study import Ledger, SearchPlan

PLAN = SearchPlan(trials=8, epochs=6, batch_size=32, classes=10, seed=0)
SPACE = Space.model_validate(
    {
        "students": {"include": ["a", "b", "c"]},
        "first": [{"temperature": 4, "alpha": 0.9}, {"temperature": 1, "alpha": 0.5}],
    }
)


def candidate(name: str, *arms: str) -> Candidate:
    cost = Interval(mean=0.001, low=0.001, high=0.001)
    reading = Reading(
        model=name, capacity_rps=100, latency_ms=None, cost_usd_per_1k=cost, noisy=False, batch_size=8, rounds=3
    )
    return Candidate(student=name, family="f", parameters=10, ratio=10.0, macs=5, arms=arms, reading=reading)


BOTH = [candidate("a", "distill", "direct"), candidate("b", "distill", "direct"), candidate("c", "direct")]


def epoch(number: int, accuracy: float) -> EpochReport:
    return EpochReport(epoch=number, train_loss=1.0, val_accuracy=accuracy, val_nll=1.0, learning_rate=0.1, seconds=2.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.db"


def test_arms_alternate_and_get_equal_trials(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, PLAN)
    arms = []
    while proposal := ledger.next():
        arms.append(proposal.arm)
        ledger.finish(proposal.number, 0.5)
    assert arms == ["distill", "direct"] * 4
    assert [record.number for record in ledger.records()] == list(range(8))


def test_first_recipes_come_first_and_only_in_the_distill_arm(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, PLAN)
    proposals = []
    while proposal := ledger.next():
        proposals.append(proposal)
        ledger.finish(proposal.number, 0.5)
    distilled = [p.recipe for p in proposals if p.arm == "distill"]
    assert [(r.temperature, r.alpha) for r in distilled] == [(4.0, 0.9)] * 3 + [(1.0, 0.5)]
    assert all(p.recipe.alpha == 0 for p in proposals if p.arm == "direct")
    assert all(p.student in {"a", "b"} for p in proposals if p.arm == "distill")


@pytest.mark.parametrize("arm", ["direct", "distill"])
def test_a_learning_rate_among_the_first_proposals_does_not_end_an_arm_early(path: Path, arm: str) -> None:
    first = {"arm": arm, "learning_rate": 0.002, **({"temperature": 4, "alpha": 0.9} if arm == "distill" else {})}
    space = Space.model_validate({"students": {"include": ["a", "b", "c"]}, "first": [first]})
    ledger = Ledger(path, space, BOTH, replace(PLAN, trials=12))
    recipes = []
    while proposal := ledger.next():
        recipes.append((proposal.arm, proposal.student, proposal.recipe))
        ledger.finish(proposal.number, 0.5)
    assert [each[0] for each in recipes].count("direct") == [each[0] for each in recipes].count("distill") == 6
    assert len({(a, s, r.model_dump_json()) for a, s, r in recipes}) == 12


def test_every_student_is_tried_by_the_usual_rate_before_other_rates_are(path: Path) -> None:
    plain_transformer = BOTH[2].model_copy(update={"family": "vision_transformer"})
    ledger = Ledger(path, SPACE, [*BOTH[:2], plain_transformer], PLAN)
    tried: dict[str, list[tuple[str, float]]] = {"distill": [], "direct": []}
    while proposal := ledger.next():
        tried[proposal.arm].append((proposal.student, round(proposal.recipe.learning_rate, 6)))
        value = {"a": 0.7, "b": 0.9, "c": 0.5}[proposal.student]
        ledger.report(proposal.number, epoch(PLAN.epochs, value))
        ledger.finish(proposal.number, value)
    assert tried["direct"] == [("a", 0.002), ("b", 0.002), ("c", 0.0005), ("b", 0.005)]
    assert tried["distill"] == [("a", 0.002), ("b", 0.002), ("b", 0.005), ("b", 0.002)]  # the last by another recipe


def test_other_rates_and_other_recipes_are_tried_in_turn_and_lower_rates_first_from_given_weights(path: Path) -> None:
    given = BOTH[0].model_copy(update={"weights": StartWeights(source="a1_in1k", fingerprint="f", key="k")})
    space = SPACE.model_copy(update={"first": (*SPACE.first, First(temperature=2, alpha=1))})

    def tried(student: Candidate) -> list[tuple[float, float, float]]:
        name = "given.db" if student.weights else "random.db"
        ledger = Ledger(path.with_name(name), space, [student], replace(PLAN, trials=10))
        found = []
        while proposal := ledger.next():
            ledger.finish(proposal.number, 0.5)
            if proposal.arm == "distill":
                recipe = proposal.recipe
                found.append((round(recipe.learning_rate, 6), recipe.temperature, recipe.alpha))
        return found

    usual, soft, hard = (4, 0.9), (1, 0.5), (2, 1)
    expected = [(0.002, *usual), (0.005, *usual), (0.002, *soft), (0.0008, *usual), (0.002, *hard)]
    assert tried(BOTH[0]) == expected
    expected = [(0.0015, *usual), (0.0006, *usual), (0.0015, *soft), (0.003, *usual), (0.0015, *hard)]
    assert tried(given) == expected


def test_a_search_that_was_stopped_and_opened_again_draws_what_it_would_have_drawn(tmp_path: Path) -> None:
    plan = replace(PLAN, trials=24)

    def proposals(path: Path, reopened: bool) -> list[Proposal]:
        found, ledger = [], Ledger(path, SPACE, BOTH, plan)
        while proposal := ledger.next():
            if reopened:
                ledger = Ledger(path, SPACE, BOTH, plan)
                assert ledger.next() == proposal
            found.append(proposal)
            value = proposal.number * 7 % 11 / 11
            ledger.report(proposal.number, epoch(plan.epochs, value))
            ledger.finish(proposal.number, value)
        return found

    assert proposals(tmp_path / "one.db", False) == proposals(tmp_path / "other.db", True)


def test_no_training_is_done_twice(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, replace(PLAN, trials=40))
    seen = []
    while proposal := ledger.next():
        seen.append((proposal.arm, proposal.student, proposal.recipe))
        ledger.finish(proposal.number, proposal.number * 7 % 11 / 11)
    assert len(seen) == 40
    assert all(each not in seen[:i] for i, each in enumerate(seen))


MANY_LOSSES = Space.model_validate(
    {
        "students": {"include": ["a", "b", "c"]},
        "recipe": {"distill": {"losses": ["kl", "kl_zscore", "dist", "dkd", "hard"]}},
        "first": [{"temperature": 4, "alpha": 0.9}, {"loss": "dkd", "temperature": 1, "alpha": 0.5, "beta": 3}],
    }
)


def test_losses_are_drawn_and_recipes_carry_what_their_loss_reads(path: Path) -> None:
    plan = replace(PLAN, trials=60)
    ledger = Ledger(path, MANY_LOSSES, BOTH, plan)
    recipes = []
    while proposal := ledger.next():
        ledger.finish(proposal.number, proposal.number * 7 % 11 / 11)
        if proposal.arm == "distill":
            recipes.append(proposal.recipe)
        else:
            assert (proposal.recipe.loss, proposal.recipe.alpha) == ("kl", 0.0)
    assert (recipes[0].loss, recipes[0].temperature, recipes[0].alpha) == ("kl", 4.0, 0.9)
    assert any((recipe.loss, recipe.beta) == ("dkd", 3.0) for recipe in recipes)
    assert len({recipe.loss for recipe in recipes}) >= 4
    assert all(recipe.temperature == 1.0 for recipe in recipes if recipe.loss == "hard")
    assert all((recipe.beta != 1.0) is (recipe.loss == "dkd") for recipe in recipes)
    assert [record.recipe for record in ledger.records() if record.arm == "distill"] == recipes


def test_mixing_and_averaging_reach_both_arms(path: Path) -> None:
    mixing = {"mixup": {"low": 0.1, "high": 0.4}, "cutmix": {"low": 0.5, "high": 1.0}}
    space = Space.model_validate({"students": {"include": ["a"]}, "recipe": {"distill": mixing, "direct": mixing}})
    ledger = Ledger(path, space, BOTH, replace(PLAN, ema=0.99))
    while proposal := ledger.next():
        ledger.finish(proposal.number, 0.5)
        recipe = proposal.recipe
        assert 0.1 <= recipe.mixup <= 0.4 and 0.5 <= recipe.cutmix <= 1.0 and recipe.ema == 0.99


def test_smoothing_and_schedules_are_drawn_in_each_arm(path: Path) -> None:
    searched = {"label_smoothing": {"low": 0.0, "high": 0.2}, "schedules": ["linear", "cosine"]}
    space = Space.model_validate(
        {
            "students": {"include": ["a"]},
            "recipe": {"distill": searched, "direct": searched},
            "first": [{"arm": "direct", "label_smoothing": 0.1}, {"alpha": 1, "schedule": "cosine"}],
        }
    )
    ledger = Ledger(path, space, BOTH, replace(PLAN, trials=40))
    recipes: dict[str, list[Recipe]] = {"distill": [], "direct": []}
    while proposal := ledger.next():
        ledger.finish(proposal.number, proposal.number * 7 % 11 / 11)
        recipes[proposal.arm].append(proposal.recipe)
    assert (recipes["direct"][0].label_smoothing, recipes["direct"][0].schedule) == (0.1, "linear")
    assert (recipes["distill"][0].label_smoothing, recipes["distill"][0].schedule) == (0.0, "cosine")  # reads no label
    for drawn in recipes.values():
        assert {recipe.schedule for recipe in drawn} == {"linear", "cosine"}
        assert len({recipe.label_smoothing for recipe in drawn}) > 10
        assert all(0 <= recipe.label_smoothing <= 0.2 for recipe in drawn)
    assert [record.recipe for record in ledger.records() if record.arm == "direct"] == recipes["direct"]


def test_a_single_schedule_is_used_and_not_searched(path: Path) -> None:
    space = Space.model_validate(
        {"students": {"include": ["a"]}, "recipe": {"direct": {"schedules": ["constant"], "label_smoothing": 0.1}}}
    )
    ledger = Ledger(path, space, BOTH, replace(PLAN, trials=40))
    while proposal := ledger.next():
        ledger.finish(proposal.number, proposal.recipe.learning_rate)
        expected = ("constant", 0.1) if proposal.arm == "direct" else ("cosine", 0.0)
        assert (proposal.recipe.schedule, proposal.recipe.label_smoothing) == expected
    assert ledger.importance()["direct"].keys() == {"student", "learning_rate"}


def test_a_study_goes_by_what_its_space_says_not_by_how_it_is_written(path: Path) -> None:
    Ledger(path, SPACE, BOTH, PLAN)
    names = optuna.get_all_study_names(f"sqlite:///{path}")
    whole = SPACE.model_dump(exclude={"students"})
    written_out = Space.model_validate({"students": {"include": ["a", "b", "c"]}, **whole})
    assert written_out.fingerprint == SPACE.fingerprint
    Ledger(path, written_out, BOTH, PLAN)
    assert optuna.get_all_study_names(f"sqlite:///{path}") == names


def test_every_change_of_space_or_plan_changes_its_fingerprint() -> None:
    direct = SPACE.recipe.direct.model_copy(update={"mixup": Range(low=0, high=0.4)})
    spaces = [
        SPACE,
        SPACE.model_copy(update={"first": SPACE.first[::-1]}),
        SPACE.model_copy(update={"default": Default(schedule="linear")}),
        SPACE.model_copy(update={"recipe": SPACE.recipe.model_copy(update={"direct": direct})}),
    ]
    assert len({space.fingerprint for space in spaces}) == len(spaces)
    plans = [PLAN, *(replace(PLAN, **{name: 0.5 if name == "ema" else 99}) for name in asdict(PLAN))]
    assert len({plan.fingerprint for plan in plans}) == len(plans)


def test_a_ledger_of_another_space_is_refused_in_one_sentence(path: Path) -> None:
    Ledger(path, SPACE, BOTH, PLAN)
    changed = SPACE.model_copy(update={"first": ()})
    with pytest.raises(RunError, match=r"started with another search .* start again with another output"):
        Ledger(path, changed, BOTH, PLAN)


def test_an_empty_arm_leaves_the_other_its_own_trials(path: Path) -> None:
    ledger = Ledger(path, SPACE, [candidate("c", "direct")], PLAN)
    count = 0
    while proposal := ledger.next():
        count += 1
        ledger.finish(proposal.number, 0.5)
    assert count == 4
    assert ledger.planned("distill") == 0


def test_a_trial_is_pruned_for_being_worse_than_another_of_its_student_only(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, replace(PLAN, trials=10))
    accuracy = {("a", 0.002): 0.94, ("b", 0.002): 0.3, ("c", 0.002): 0.2, ("a", 0.005): 0.95, ("a", 0.0008): 0.5}
    pruned = {}
    while proposal := ledger.next():
        value = accuracy.get((proposal.student, round(proposal.recipe.learning_rate, 6)), 0.3)
        for number in range(1, PLAN.epochs + 1):
            if ledger.report(proposal.number, epoch(number, value)):
                pruned[proposal.number] = number
                break
        else:
            ledger.finish(proposal.number, value)
    by_number = {record.number: record for record in ledger.records()}
    assert [by_number[number].val_accuracy for number in pruned] == [0.5]
    assert list(pruned.values()) == [3]
    assert all(by_number[n].state == "pruned" and by_number[n].epochs == at for n, at in pruned.items())


def test_records_carry_recipe_cost_and_seconds(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, PLAN)
    proposal = ledger.next()
    assert proposal is not None
    for number in range(1, 7):
        ledger.report(proposal.number, epoch(number, number / 10))
    ledger.finish(proposal.number, 0.6)
    record = ledger.records()[0]
    assert record.recipe == proposal.recipe
    assert (record.state, record.epochs, record.val_accuracy, record.seconds) == ("complete", 6, 0.6, 12.0)
    assert record.cost_usd_per_1k == 0.001


def test_a_failed_trial_keeps_its_reason_and_counts(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, PLAN)
    proposal = ledger.next()
    assert proposal is not None
    ledger.fail(proposal.number, "it exploded", retry=False)
    record = ledger.records()[0]
    assert (record.state, record.error) == ("failed", "it exploded")
    rest = 0
    while another := ledger.next():
        rest += 1
        ledger.finish(another.number, 0.5)
    assert rest == 7


def test_a_retried_trial_comes_back_under_its_number(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, PLAN)
    first = ledger.next()
    assert first is not None
    ledger.report(first.number, epoch(1, 0.2))
    ledger.fail(first.number, "the worker died", retry=True)
    seen = {}
    while proposal := ledger.next():
        seen[proposal.number] = proposal
        ledger.finish(proposal.number, 0.5)
    assert seen[first.number] == first
    assert sorted(seen) == list(range(8))


def test_importance_is_given_for_arms_with_enough_trials(path: Path) -> None:
    ledger = Ledger(path, SPACE, BOTH, replace(PLAN, trials=40))
    assert ledger.importance() == {}
    while proposal := ledger.next():
        ledger.finish(proposal.number, proposal.recipe.learning_rate)
    importance = ledger.importance()
    assert set(importance) == {"distill", "direct"}
    assert sum(importance["direct"].values()) == pytest.approx(1)


SHORT = replace(PLAN, trials=4)
KILLED = """
    import os, sys
    sys.path.insert(0, {here!r})
    from pathlib import Path
    from test_study import BOTH, SHORT, SPACE, epoch
    from autokd.tune.study import Ledger
    ledger = Ledger(Path({path!r}), SPACE, BOTH, SHORT)
    for turn in range(2):
        proposal = ledger.next()
        if proposal is None:
            print("nothing left")
            sys.exit()
        for number in range(1, 7):
            if turn == 1 and number == 4:
                os.kill(os.getpid(), 9)
            ledger.report(proposal.number, epoch(number, 0.5))
        print("done", proposal.number, flush=True)
        ledger.finish(proposal.number, 0.5)
"""


def test_kills_lose_nothing_and_do_nothing_twice(path: Path) -> None:
    script = textwrap.dedent(KILLED.format(here=str(Path(__file__).parent), path=str(path)))
    done: list[int] = []
    for _ in range(8):
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        done += [int(line.split()[1]) for line in result.stdout.splitlines() if line.startswith("done")]
        if "nothing left" in result.stdout:
            break
    assert sorted(done) == list(range(4))
    records = Ledger(path, SPACE, BOTH, SHORT).records()
    assert [r.state for r in records] == ["complete"] * 4
    assert all(r.seconds == 12.0 for r in records)
