"""Optuna's trials as records, and what the ledger does to single ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autokd.errors import RunError
from autokd.naming import named
from autokd.records import Arm, Candidate, Recipe, TrialRecord, TrialState

if TYPE_CHECKING:
    import optuna

FEWEST_FOR_IMPORTANCE = 20  # complete trials; with fewer the shares are chance


def trial_record(trial: optuna.trial.FrozenTrial, arm: Arm, candidate: Candidate, recipe: Recipe) -> TrialRecord:
    """A trial of the ledger."""
    seconds: dict[str, float] = trial.user_attrs.get("seconds", {})
    steps = trial.intermediate_values
    state: TrialState = _STATES[trial.state.name]
    return TrialRecord(
        number=trial.user_attrs["number"],
        arm=arm,
        student=candidate.student,
        parameters=candidate.parameters,
        ratio=candidate.ratio,
        macs=candidate.macs,
        cost_usd_per_1k=candidate.reading.cost_usd_per_1k.mean,
        recipe=recipe,
        state=state,
        epochs=max(steps, default=0),
        val_accuracy=steps[max(steps)] if steps else None,
        seconds=sum(seconds.values()),
        error=trial.user_attrs.get("error") if state == "failed" else None,
        note=trial.user_attrs.get("note", ""),
    )


_STATES: dict[str, TrialState] = {
    "RUNNING": "running",
    "WAITING": "running",
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


def importance(study: optuna.Study) -> dict[str, float]:
    """Share of the variance of validation accuracy that each parameter explains (fANOVA, Hutter 2014).

    None with fewer than 20 complete trials, or without any variance.
    """
    import optuna

    values = [trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len(values) < FEWEST_FOR_IMPORTANCE or len(set(values)) == 1:
        return {}
    return optuna.importance.get_param_importances(study)


def hand_out_again(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Let the study ask for the same parameters once more, under the same number."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        hand_out = optuna.storages.RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)
    hand_out(study, trial)


def refuse_another(path: Path, arm: Arm, name: str, known: Sequence[str]) -> None:
    """Raise RunError where this arm was started with other choices, so that it is not silently started again."""
    if name not in known and any(each.startswith(f"{arm}-") for each in known):
        raise RunError(
            f"{path} was started with another search space, other candidates or other settings, so its trials "
            f"cannot be continued; start again with another {named('output')}"
        )
