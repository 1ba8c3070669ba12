"""screening.csv, trials.csv, finalists.csv, history.csv: one row a student, a trial, a finalist's seed, an epoch.

Tables are those of RFC 4180: commas, CR LF, quotes around a cell that holds either. Numbers are written so that reading
gives back the same float. Text comes from users: what a spreadsheet could take for a formula gets an apostrophe in
front, which reading takes away again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from autokd.errors import RunError
from autokd.files import write_text
from autokd.formatting import printable
from autokd.naming import set_to
from autokd.records import (
    EpochReport,
    Evaluation,
    FinalistRecord,
    ScreenedStudent,
    Screening,
    TrialRecord,
)

SCREENING, TRIALS, FINALISTS, HISTORY = "screening.csv", "trials.csv", "finalists.csv", "history.csv"

TRIAL_COLUMNS = (
    "number", "arm", "student", "parameters", "ratio", "macs", "cost_usd_per_1k", "loss", "temperature", "alpha",
    "beta", "learning_rate", "fine_tuning", "schedule", "weight_decay", "label_smoothing", "mixup", "cutmix",
    "drop_path", "ema", "batch_size", "planned_epochs", "state", "epochs", "val_accuracy", "seconds", "error", "note",
)  # fmt: skip
SCREENING_COLUMNS = (
    "number", "student", "arms", "parameters", "ratio", "macs", "cost_usd_per_1k", "promise", "learning_rate",
    "fine_tuning", "batch_size", "state", "trainings", "val_accuracies", "val_accuracy", "epochs", "seconds",
    "error",
)  # fmt: skip
_SHARES = (
    "nll", "calibration_error", "temperature_scaling", "scaled_nll", "scaled_calibration_error", "agreement",
    "negative_flips",
)  # fmt: skip
FINALIST_COLUMNS = (
    "number", "arm", "role", "student", "twin_of", "trial", "seed", "loss", "temperature", "alpha", "beta",
    "learning_rate", "fine_tuning", "schedule", "weight_decay", "label_smoothing", "mixup", "cutmix",
    "drop_path", "ema", "batch_size", "epochs", "parameters", "ratio", "cost_usd_per_1k", "val_accuracy",
    "test_accuracy", "device_seconds", "accumulate", *_SHARES, "weights", "weights_fingerprint", "contender",
)  # fmt: skip
HISTORY_COLUMNS = (
    "epoch", "train_loss", "val_accuracy", "val_nll", "learning_rate", "seconds", "accumulate", "note",
)  # fmt: skip

_RECIPE = (
    "loss", "temperature", "alpha", "beta", "learning_rate", "fine_tuning", "schedule", "weight_decay",
    "label_smoothing", "mixup", "cutmix", "drop_path", "ema", "batch_size",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def trials_text(trials: Sequence[TrialRecord]) -> str:
    """The content of trials.csv."""
    return table_text(TRIAL_COLUMNS, (_trial_row(trial) for trial in trials))


def write_trials(folder: Path, trials: Sequence[TrialRecord]) -> None:
    """Write a run's trials.csv, one row a trial in the order given."""
    write_text(folder / TRIALS, trials_text(trials))


def stored_trials(folder: Path) -> tuple[TrialRecord, ...]:
    """The trials of a run; none where their table is missing."""
    return read_trials(folder) if (folder / TRIALS).is_file() else ()


def read_trials(folder: Path) -> tuple[TrialRecord, ...]:
    """The trials that `write_trials` wrote.

    Raises RunError for a file that is missing or is not a table of trials.
    """
    path = folder / TRIALS
    rows = _rows(path)
    try:
        return tuple(_trial(row) for row in rows)
    except (KeyError, ValueError, AttributeError) as error:
        raise RunError(
            f"{path} is not a table of trials ({_reason(error)}); restore it from a copy of the run"
        ) from None


def write_screening(folder: Path, screening: Screening) -> None:
    """Write a run's screening.csv, one row a student; lists are separated by spaces."""
    write_text(folder / SCREENING, table_text(SCREENING_COLUMNS, map(_screened_row, screening.students)))


def write_finalists(folder: Path, finalists: Sequence[FinalistRecord]) -> None:
    """Write a run's finalists.csv, one row a finalist and seed; `twin_of` holds numbers separated by spaces."""
    rows = (row for finalist in finalists for row in _finalist_rows(finalist))
    write_text(folder / FINALISTS, table_text(FINALIST_COLUMNS, rows))


def write_history(folder: Path, history: Sequence[EpochReport]) -> None:
    """Write the epochs so far."""
    rows = ({**dict(report), "note": report.note or None} for report in history)
    write_text(folder / HISTORY, table_text(HISTORY_COLUMNS, rows))


def read_history(folder: Path) -> tuple[EpochReport, ...]:
    """The epochs of one training in order; empty where there is no file that can be read.

    A kill may leave a torn last line and a resumed training may repeat an epoch: torn lines are passed over, and the
    last report of an epoch counts.
    """
    try:
        content = (folder / HISTORY).read_bytes().decode("utf-8", errors="replace")
    except OSError:
        return ()
    whole = content[: content.rfind("\n") + 1]
    reports = (_epoch(row) for row in csv.DictReader(io.StringIO(whole, newline="")))
    latest = {report.epoch: report for report in reports if report is not None}
    return tuple(latest[epoch] for epoch in sorted(latest))


# ---- rows ------------------------------------------------------------------------------------------------------


def _trial_row(trial: TrialRecord) -> dict[str, object]:
    return {
        **dict(trial),
        **{name: getattr(trial.recipe, name) for name in _RECIPE},
        "planned_epochs": trial.recipe.epochs,
        "note": trial.note or None,
    }


def _trial(row: Mapping[str, str]) -> TrialRecord:
    recipe = {name: row[name] for name in _RECIPE}
    recipe["epochs"] = row["planned_epochs"]
    fields = {name: row[name] for name in TRIAL_COLUMNS if name in TrialRecord.model_fields}
    return TrialRecord.model_validate(
        fields
        | {
            "recipe": recipe,
            "student": _unguarded(row["student"]) or "",
            "error": _unguarded(row["error"]),
            "note": _unguarded(row["note"]) or "",
            "val_accuracy": row["val_accuracy"] or None,
        }
    )


def _screened_row(student: ScreenedStudent) -> dict[str, object]:
    return {
        **dict(student),
        **{name: getattr(student.recipe, name) for name in ("learning_rate", "fine_tuning", "batch_size")},
        "arms": " ".join(student.arms),
        "trainings": " ".join(str(training.planned) for training in student.trainings) or None,
        "val_accuracies": " ".join(map(repr, student.looks)) or None,
        "val_accuracy": student.val_accuracy,
        "epochs": student.epochs,
        "seconds": student.seconds,
    }


def _finalist_rows(finalist: FinalistRecord) -> Iterable[dict[str, object]]:
    shared: dict[str, object] = {
        **dict(finalist),
        "twin_of": " ".join(map(str, finalist.twin_of)) or None,
        **{name: getattr(finalist.recipe, name) for name in (*_RECIPE, "epochs")},
        "cost_usd_per_1k": finalist.reading.cost_usd_per_1k.mean,
        "weights": finalist.weights.label if finalist.weights else None,
        "weights_fingerprint": finalist.weights.fingerprint if finalist.weights else None,
    }
    return (shared | dict(result) | _evaluated(result.evaluation) for result in finalist.seeds)


def _evaluated(evaluation: Evaluation | None) -> dict[str, object]:
    """Cells of the test logits, empty where a run has none; `temperature` there is the recipe's."""
    if evaluation is None:
        return dict.fromkeys(_SHARES)
    values = dict(evaluation) | {"temperature_scaling": evaluation.temperature}
    return {name: values[name] for name in _SHARES}


def _epoch(row: Mapping[str, str]) -> EpochReport | None:
    try:
        cells = {name: row[name] for name in HISTORY_COLUMNS}
        return EpochReport.model_validate(cells | {"note": _unguarded(row["note"]) or ""})
    except (KeyError, ValidationError):
        return None


# ---- cells -----------------------------------------------------------------------------------------------------


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A table as a spreadsheet reads it (RFC 4180)."""
    buffer = io.StringIO()
    table = csv.writer(buffer)  # ends rows with CR LF, as RFC 4180 has it, and quotes either in a cell
    table.writerow(columns)
    table.writerows([_cell(row[name]) for name in columns] for row in rows)
    return buffer.getvalue()


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path} cannot be read ({error}); finish the run with {set_to('resume', True)}") from None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return _guarded(value) if isinstance(value, str) else str(value)


def _guarded(text: str) -> str:
    """An apostrophe before what a spreadsheet would calculate, and for an empty text, which is not the same as none."""
    text = printable(text)
    return f"'{text}" if not text or text.startswith(_FORMULA) else text


def _unguarded(cell: str) -> str | None:
    return cell.removeprefix("'") if cell else None


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{first['loc'][-1]}: {first['msg']}"
    return f"column {error} is missing" if isinstance(error, KeyError) else str(error)
