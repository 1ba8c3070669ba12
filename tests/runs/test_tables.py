"""What is written comes back equal, whatever names and errors hold."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from believable_run import make_finalists, make_trials, recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from autokd.errors import RunError
from autokd.records import EpochReport, TrialRecord
from autokd.runs.tables import (
    FINALIST_COLUMNS,
    HISTORY_COLUMNS,
    TRIAL_COLUMNS,
    read_history,
    read_trials,
    table_text,
    write_finalists,
    write_history,
    write_trials,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)

TRIALS = st.builds(
    TrialRecord,
    number=st.integers(0, 10**6),
    student=TEXT,
    parameters=st.integers(0, 10**12),
    ratio=NUMBER,
    macs=st.integers(0, 10**15),
    cost_usd_per_1k=NUMBER,
    recipe=st.builds(
        recipe,
        st.just("distill"),
        temperature=NUMBER,
        alpha=NUMBER,
        learning_rate=NUMBER,
        weight_decay=NUMBER,
        label_smoothing=NUMBER,
        schedule=st.sampled_from(["cosine", "linear", "constant"]),
        epochs=st.integers(1, 999),
    ),
    val_accuracy=st.none() | NUMBER,
    seconds=NUMBER,
    error=st.none() | TEXT,
    note=TEXT,
)


@settings(max_examples=60, deadline=None)
@given(trials=st.lists(TRIALS, max_size=4))
def test_trials_come_back_equal(tmp_path_factory: pytest.TempPathFactory, trials: list[TrialRecord]) -> None:
    path = tmp_path_factory.mktemp("trials")
    write_trials(path, trials)
    assert read_trials(path) == tuple(trials)


@pytest.mark.parametrize(
    "error", ["", "'", "'quoted", "=HYPERLINK()", "-1", "a\rb", "a\r\nb", 'say "no", twice', "\n", "\x00"]
)
def test_odd_errors_come_back_equal(tmp_path: Path, error: str) -> None:
    trial = make_trials(1)[0].model_copy(update={"error": error, "student": error})
    write_trials(tmp_path, [trial])
    assert read_trials(tmp_path) == (trial,)


def test_a_formula_is_text_to_a_spreadsheet(tmp_path: Path) -> None:
    trial = make_trials(1)[0].model_copy(update={"student": "=cmd|' /C calc'!A0", "error": "+1"})
    write_trials(tmp_path, [trial])
    (row,) = csv.DictReader((tmp_path / "trials.csv").read_text().splitlines())
    assert row["student"].startswith("'=") and row["error"] == "'+1"


def test_a_broken_file_name_in_an_error_does_not_stop_the_writing(tmp_path: Path) -> None:
    trial = make_trials(1)[0].model_copy(update={"error": "cannot read \udcff.png"})
    write_trials(tmp_path, [trial])
    assert read_trials(tmp_path)[0].error == r"cannot read \udcff.png"


def test_columns_of_trials(tmp_path: Path) -> None:
    write_trials(tmp_path, make_trials(3))
    lines = (tmp_path / "trials.csv").read_text().splitlines()
    assert lines[0].split(",") == list(TRIAL_COLUMNS)
    assert len(lines) == 4
    assert lines[1].startswith("0,distill,")


def test_no_trials(tmp_path: Path) -> None:
    write_trials(tmp_path, [])
    assert read_trials(tmp_path) == ()


@pytest.mark.parametrize("content", ["nonsense\n1\n", ",".join(TRIAL_COLUMNS) + "\nx\n", "\xff"])
def test_a_damaged_table_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "trials.csv"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(RunError, match=r"trials\.csv"):
        read_trials(tmp_path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"trials\.csv cannot be read"):
        read_trials(tmp_path)


def test_finalists_have_one_row_a_seed(tmp_path: Path) -> None:
    finalists = make_finalists()
    write_finalists(tmp_path, finalists)
    rows = list(csv.DictReader((tmp_path / "finalists.csv").open()))
    assert tuple(rows[0]) == FINALIST_COLUMNS
    assert len(rows) == sum(len(f.seeds) for f in finalists) == 15
    twin = next(row for row in rows if row["role"] == "twin")
    assert (twin["twin_of"], twin["trial"], twin["seed"]) == ("100 101", "", "1000")
    assert float(rows[0]["test_accuracy"]) == finalists[0].seeds[0].test_accuracy
    assert float(rows[0]["cost_usd_per_1k"]) == finalists[0].reading.cost_usd_per_1k.mean


HEAD = ",".join(HISTORY_COLUMNS) + "\n"
ROW = "1,1.25,0.5,0.75,0.001,3.5,1,\n"


def epoch(number: int, accuracy: float = 0.5) -> EpochReport:
    return EpochReport(
        epoch=number, train_loss=1.25, val_accuracy=accuracy, val_nll=0.75, learning_rate=0.001, seconds=3.5
    )


@pytest.mark.parametrize(
    "torn", ["", "3,1.25,0.5,0.75,0.001,3.", "3,1.2", "3", ",,,,,\n", "3,1,1,1,1,1,1,,more\n", "3,1\n"]
)
def test_a_torn_last_line_is_passed_over(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(HEAD + ROW + "2,1.25,0.6,0.75,0.001,3.5,1,\n" + torn)
    assert read_history(tmp_path)[:2] == (epoch(1), epoch(2, 0.6))
    assert len(read_history(tmp_path)) == (3 if torn.endswith("more\n") else 2)


def test_the_last_report_of_an_epoch_counts(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(HEAD + ROW + "2,1.25,0.6,0.75,0.001,3.5,1,\n" + ROW.replace("0.5", "0.7"))
    assert read_history(tmp_path) == (epoch(1, 0.7), epoch(2, 0.6))


def test_a_history_comes_back_equal_with_its_note(tmp_path: Path) -> None:
    written = epoch(1), epoch(2).model_copy(update={"accumulate": 2, "note": '=batches in "2" parts,\r\nfor memory'})
    write_history(tmp_path, written)
    assert read_history(tmp_path) == written
    assert "\r\n2," in (tmp_path / "history.csv").read_bytes().decode()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_text_of_any_column_is_defused_and_numbers_stay_numbers(text: str) -> None:
    written = table_text(("text", "float", "whole", "none"), [{"text": text, "float": -1.5, "whole": -2, "none": None}])
    assert list(csv.reader(io.StringIO(written, newline="")))[1] == ["'" + text, "-1.5", "-2", ""]


def test_no_history(tmp_path: Path) -> None:
    assert read_history(tmp_path) == ()
    (tmp_path / "history.csv").write_text("")
    assert read_history(tmp_path) == ()
