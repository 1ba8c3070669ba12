"""The ledger: Optuna studies on disk, one for each arm, written by the controller alone.

Arms are separate studies of one file, so pruning compares within an arm, and each arm's sampler learns from its own.
A study's name carries the fingerprints of what may be proposed: Optuna freezes the choices of a study. Only this file
and sampler.py know Optuna.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.files import digest
from autokd.records import ARMS, Arm, Candidate, EpochReport, Proposal, Recipe, TrialRecord
from autokd.tune.optuna_trials import hand_out_again, importance, refuse_another, trial_record
from autokd.tune.proposals import Proposals
from autokd.tune.pruning import is_behind, rungs
from autokd.tune.sampler import sampler, sampler_seed
from autokd.tune.short_list import margin_at
from autokd.tune.space.schema import Range
from autokd.tune.space.space import Space, as_read, at_its_rate
from autokd.tune.study_file import damage_named, disk_named, write_ahead

if TYPE_CHECKING:
    import optuna


REDRAWS = 20  # of a proposal that was tried before


@dataclass(frozen=True)
class SearchPlan:
    """What is fixed for every trial of a search."""

    trials: int  # over both arms
    epochs: int
    batch_size: int
    classes: int
    seed: int
    ema: float = 0.0
    min_retention: float = 0.95
    by_cost: bool = False  # the cheapest students are wanted first

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that name the plan."""
        return digest(json.dumps(asdict(self), sort_keys=True))


class Ledger:
    """Proposals and results of a search; survives a kill at any moment."""

    def __init__(
        self,
        path: Path,
        space: Space,
        candidates: Sequence[Candidate],
        plan: SearchPlan,
        short_list: Sequence[str] | None = None,
    ) -> None:
        """Open the ledger, or start it; short_list: the students that are proposed, most promising first; None: all.

        Raises RunError where it is damaged, or was started with another space or other candidates.
        """
        self._path, self._plan, self._space = path, plan, space
        self._candidates = {candidate.student: candidate for candidate in candidates}
        self._starts = {arm: {c.weights is not None for c in candidates if arm in c.arms} for arm in ARMS}
        self._names = {arm: [c.student for c in candidates if arm in c.arms] for arm in ARMS}
        wanted = list(self._candidates) if short_list is None else short_list
        self._listed = {arm: [student for student in wanted if student in self._names[arm]] for arm in ARMS}
        self._running: dict[int, tuple[Arm, optuna.Trial]] = {}
        self._exhausted: set[Arm] = set()  # arms in which there is nothing new to try
        with damage_named(path):
            write_ahead(path)
            storage = self._storage()
            self._studies = {arm: self._open(storage, arm) for arm in ARMS if self._listed[arm]}
            self._recover()
        margin = margin_at(0, 1, plan.min_retention)
        self._proposals = {
            arm: Proposals(
                space,
                arm,
                {student: self._candidates[student].family for student in self._listed[arm]},
                self._ranges(arm),
                margin,
                plan.by_cost,
            )
            for arm in self._studies
        }

    # ---- asking ----------------------------------------------------------------------------------------------

    def next(self) -> Proposal | None:
        """The next trial, for the arm that has started fewer; None when both have started all of theirs."""
        with disk_named(self._path):
            return self._next()

    def _next(self) -> Proposal | None:
        import optuna

        arm = self._next_arm()
        if arm is None:
            return None
        for attempt in range(REDRAWS):
            trial = self._ask(arm, attempt)
            proposal = self._proposal(arm, trial)
            if "number" in trial.user_attrs or not self._is_repeat(proposal):
                break
            self._studies[arm].tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._exhausted.add(arm)
            return self._next()
        trial.set_user_attr("number", proposal.number)
        self._running[proposal.number] = (arm, trial)
        return proposal

    def _next_arm(self) -> Arm | None:
        """That of the first trial to be handed out again, else the one that has started fewer."""
        again = {number: arm for arm in self._studies for number in self._waiting_again(arm)}
        if again:
            return again[min(again)]
        waiting = {arm: self._started(arm) for arm in self._studies if self._may_start(arm)}
        return min(waiting, key=lambda arm: (waiting[arm], ARMS.index(arm)), default=None)

    def _ask(self, arm: Arm, attempt: int) -> optuna.Trial:
        """The next trial: one that is waiting, else of a student and recipe as Proposals has them."""
        study = self._studies[arm]
        if not any(trial.state.name == "WAITING" for trial in study.get_trials(deepcopy=False)):
            fixed = self._proposals[arm].fixed(self.records())
            # What is fixed may be what has been tried already; then the recipe is drawn.
            study.enqueue_trial({"student": fixed["student"]} if attempt else fixed)
        study.sampler = sampler(sampler_seed(self._plan.seed, self._number() * REDRAWS + attempt), self._plan.trials)
        return study.ask()

    def _number(self) -> int:
        """Of the next trial that was not started before."""
        return sum(self._started(arm) for arm in self._studies)

    def _proposal(self, arm: Arm, trial: optuna.Trial) -> Proposal:
        number = trial.user_attrs.get("number", self._number())
        return Proposal(number=number, arm=arm, student=self._student(trial, arm), recipe=self._recipe(trial, arm))

    def _is_repeat(self, proposal: Proposal) -> bool:
        known = {(record.arm, record.student, record.recipe) for record in self.records()}
        return (proposal.arm, proposal.student, proposal.recipe) in known

    def _may_start(self, arm: Arm) -> bool:
        return self._started(arm) < self.planned(arm) and arm not in self._exhausted

    def planned(self, arm: Arm) -> int:
        """Trials that an arm gets: half of all, fewer where there is nothing new to try, none without a candidate."""
        if arm in self._exhausted:
            return self._started(arm)
        return self._plan.trials // 2 if arm in self._studies else 0

    def _student(self, trial: optuna.Trial, arm: Arm) -> str:
        return str(trial.suggest_categorical("student", self._names[arm]))

    def _recipe(self, trial: optuna.Trial, arm: Arm) -> Recipe:
        losses, schedules = self._space.recipe.distill.losses, self._space.recipe.of(arm).schedules
        if arm == "distill" and len(losses) > 1:
            trial.suggest_categorical("loss", losses)
        if len(schedules) > 1:
            trial.suggest_categorical("schedule", schedules)
        for name, bounds in self._ranges(arm).items():
            trial.suggest_float(name, bounds.low, bounds.high, log=bounds.log)
        return self._recipe_of(trial.params, arm)

    def _ranges(self, arm: Arm) -> dict[str, Range]:
        return self._space.ranges(arm, self._plan.classes, self._starts[arm])

    def _recipe_of(self, drawn: dict[str, Any], arm: Arm) -> Recipe:
        """The recipe that was drawn; what its student's start or its loss does not read is left out.

        Every trial draws all there is, because the sampler learns from parameters that all trials share.
        """
        fine_tuning = self._candidates[drawn["student"]].weights is not None
        fields = at_its_rate({name: value for name, value in drawn.items() if name != "student"}, fine_tuning)
        fields = {"schedule": self._space.recipe.of(arm).schedules[0], **fields}
        if arm == "distill":
            fields = as_read({"loss": self._space.recipe.distill.losses[0], **fields})
        return Recipe(epochs=self._plan.epochs, batch_size=self._plan.batch_size, ema=self._plan.ema, **fields)

    # ---- telling ---------------------------------------------------------------------------------------------

    def report(self, number: int, report: EpochReport) -> bool:
        """Record an epoch; True where the trial is pruned by it, which is then recorded too."""
        with disk_named(self._path):
            return self._report(number, report)

    def _report(self, number: int, report: EpochReport) -> bool:
        import optuna

        arm, trial = self._running[number]
        seconds = dict(trial.user_attrs.get("seconds", {}))
        trial.set_user_attr("seconds", {**seconds, str(report.epoch): report.seconds})
        if report.note:
            trial.set_user_attr("note", report.note)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a step that was reported before the kill
            trial.report(report.val_accuracy, report.epoch)
        if not self._is_behind(arm, trial, report):
            return False
        self._studies[arm].tell(trial, state=optuna.trial.TrialState.PRUNED)
        del self._running[number]
        return True

    def _is_behind(self, arm: Arm, trial: optuna.Trial, report: EpochReport) -> bool:
        """Whether the trial ends at this rung, because another of its student in its arm was clearly better there."""
        if report.epoch not in rungs(self._plan.epochs):
            return False
        student, own = trial.params["student"], trial.user_attrs["number"]
        others = [
            other.intermediate_values[report.epoch]
            for other in self._studies[arm].get_trials(deepcopy=False)
            if other.params.get("student") == student
            and other.user_attrs.get("number") not in (None, own)
            and report.epoch in other.intermediate_values
        ]
        return is_behind(report.val_accuracy, others, report.epoch / self._plan.epochs)

    def finish(self, number: int, val_accuracy: float) -> None:
        """A trial is complete."""
        with disk_named(self._path):
            self._finish(number, val_accuracy)

    def _finish(self, number: int, val_accuracy: float) -> None:
        arm, trial = self._running.pop(number)
        self._studies[arm].tell(trial, val_accuracy)

    def fail(self, number: int, error: str, retry: bool) -> None:
        """A trial ended with an error; with `retry` it will be handed out again."""
        with disk_named(self._path):
            self._fail(number, error, retry)

    def _fail(self, number: int, error: str, retry: bool) -> None:
        arm, trial = self._running.pop(number)
        trial.set_user_attr("error", error)
        self._set_failed(arm, trial.number, again=retry)

    def try_again(self, number: int) -> None:
        """Hand out a failed trial once more, after a resume."""
        with disk_named(self._path):
            for study in self._studies.values():
                own = [t for t in study.get_trials(deepcopy=False) if t.user_attrs.get("number") == number]
                if own and own[-1].state.name == "FAIL":
                    hand_out_again(study, own[-1])

    # ---- reading ---------------------------------------------------------------------------------------------

    def records(self) -> list[TrialRecord]:
        """Every trial that was started, by number; of a trial that was started twice, the last attempt."""
        latest = {}
        for arm, study in self._studies.items():
            drawn = self._ranges(arm).keys()
            for trial in study.get_trials(deepcopy=False):
                if "number" in trial.user_attrs and drawn <= trial.params.keys():  # not killed in the middle of drawing
                    latest[trial.user_attrs["number"]] = self._record(arm, trial)
        return [latest[number] for number in sorted(latest)]

    def _record(self, arm: Arm, trial: optuna.trial.FrozenTrial) -> TrialRecord:
        return trial_record(trial, arm, self._candidates[trial.params["student"]], self._recipe_of(trial.params, arm))

    def remarks(self) -> list[str]:
        """First proposals that are not tried, because their student is not a candidate of their arm."""
        return [
            f"The first proposal of {first['student']} is left out: it is not a candidate of the {arm} arm."
            for arm in self._studies
            for first in self._space.firsts(arm)
            if "student" in first and first["student"] not in self._names[arm]
        ]

    def importance(self) -> dict[str, dict[str, float]]:
        """Share of the variance of validation accuracy that each parameter explains, by arm; what is fixed is left out.

        Arms without trials enough, or without any variance, are left out.
        """
        found: dict[str, dict[str, float]] = {}
        for arm, study in self._studies.items():
            fixed = {name for name, bounds in self._ranges(arm).items() if bounds.is_fixed}
            if shares := importance(study):
                found[arm] = {name: share for name, share in shares.items() if name not in fixed}
        return found

    # ---- inside ----------------------------------------------------------------------------------------------

    def _storage(self) -> optuna.storages.RDBStorage:
        """One for both arms: opening it takes longer than most of what is asked of it."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return optuna.storages.RDBStorage(f"sqlite:///{self._path}", engine_kwargs={"connect_args": {"timeout": 60}})

    def _open(self, storage: optuna.storages.RDBStorage, arm: Arm) -> optuna.Study:
        import optuna

        name = f"{arm}-{digest(*self._names[arm], self._space.fingerprint, self._plan.fingerprint)}"
        refuse_another(self._path, arm, name, optuna.get_all_study_names(storage))
        return optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)

    def _recover(self) -> None:
        """What ran when the last controller died is handed out again, under its number."""
        for arm, study in self._studies.items():
            for trial in study.get_trials(deepcopy=False):
                if trial.state.name == "RUNNING":
                    self._set_failed(arm, trial.number, again="number" in trial.user_attrs)

    def _set_failed(self, arm: Arm, optuna_number: int, again: bool) -> None:
        import optuna

        study = self._studies[arm]
        study.tell(optuna_number, state=optuna.trial.TrialState.FAIL)
        if again:
            hand_out_again(study, study.trials[optuna_number])

    def _started(self, arm: Arm) -> int:
        trials = self._studies[arm].get_trials(deepcopy=False)
        return len({t.user_attrs["number"] for t in trials if "number" in t.user_attrs})

    def _waiting_again(self, arm: Arm) -> list[int]:
        """Numbers of trials that were started before and are to be handed out once more."""
        trials = self._studies[arm].get_trials(deepcopy=False)
        return [t.user_attrs["number"] for t in trials if t.state.name == "WAITING" and "number" in t.user_attrs]
