"""The benchmarks of students run at tiny sizes: a table is recorded and replayed, small images are compared."""

from __future__ import annotations

import csv
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import timm
import torch
from helpers_images import one_thread

from autokd.tune.prior_knowledge import prior_knowledge

FOLDER = Path(__file__).parent.parent / "benchmarks"
STUDENTS = ["test_resnet", "test_convnext", "resnet10t@width=0.25"]


@pytest.fixture(autouse=True)
def _beside_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    with one_thread():
        yield
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").parent == FOLDER:
            del sys.modules[name]


def bench(name: str) -> ModuleType:
    return importlib.import_module(name)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_students_are_recorded_once_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "students.csv"
    small = ["--table", str(table), "--work", str(tmp_path / "work"), "--teacher", "resnet10t", "--seeds", "1"]
    small += ["--data", "digits", "--epochs", "2", "--batch-size", "64", "--learning-rates", "0.002"]
    bench("record_students").main([*small, "--students", *STUDENTS[:2], "--arms", "direct"])
    assert [(row["student"], row["epochs"]) for row in rows_of(table)] == [
        (name, epochs) for name in STUDENTS[:2] for epochs in ("2", "1")
    ]
    bench("record_students").main([*small, "--students", *STUDENTS])  # goes on: the first two stay as they are
    rows = rows_of(table)
    assert len({tuple(row.values()) for row in rows}) == len(rows) == len(STUDENTS) * 3
    assert {(row["arm"], row["seed"]) for row in rows} == {("distill", "0"), ("direct", "0")}
    assert rows[-1]["family"] == "resnet"
    for part in ("val_accuracy", "test_accuracy"):
        assert all(len(row[part].split()) == int(row["epochs"]) <= 2 for row in rows)

    bench("record_students").main(["--table", str(table), "--costs-only"])
    timed = rows_of(table)
    assert {(row["student"], row["serving_ms"]) for row in timed} == {
        (name, next(row["serving_ms"] for row in timed if row["student"] == name)) for name in STUDENTS
    }
    assert [{**row, "serving_ms": ""} for row in timed] == [{**row, "serving_ms": ""} for row in rows]

    capsys.readouterr()
    asked = ["--tables", str(table), "--repeats", "3", "--candidates", "3", "--short-list", "1"]
    answers = bench("bench_screening").main(asked)
    assert [answer["way"] for answer in answers] == [
        "screening",
        "random",
        "TPE on students",
        "all of them to the end",
    ] * 2
    assert {answer["table"] for answer in answers} == {"digits, direct, 3 students", "digits, distill, 3 students"}
    assert all(float(str(answer["points lost, median"])) >= 0 for answer in answers)
    assert all(float(str(answer["cost / cheapest equal, median"])) >= 1 for answer in answers)
    assert "3 repeats of 3 candidates" in capsys.readouterr().out


def test_the_shipped_table_is_of_real_students_at_every_learning_rate() -> None:
    tables = bench("bench_screening").read_tables(FOLDER / "students.csv")
    assert {*tables} == {f"{data}, {arm}" for data in ("digits", "images") for arm in ("direct", "distill")}
    for students in tables.values():
        assert len(students) >= 60
        assert all(len(student.curves) == 2 <= len(student.looks) and student.cost > 0 for student in students)


def test_a_search_by_screening_loses_less_than_one_by_chance() -> None:
    answers = bench("bench_screening").main(["--repeats", "20"])
    screening, random, _, _ = (row for row in answers if row["table"] == "images, direct, 60 students")
    lost, dearer = "90 %", "90 % "
    assert float(str(screening[lost])) < float(str(random[lost]))
    assert float(str(screening[dearer])) < float(str(random[dearer]))


def test_prior_knowledge_ranks_a_data_set_that_it_was_not_fitted_on(capsys: pytest.CaptureFixture[str]) -> None:
    rows = bench("fit_prior_knowledge").main([])
    assert len(rows) == 4
    assert all(float(str(row["fit on the others"])) > float(str(row["macs"])) for row in rows)
    assert "fit on the others" in capsys.readouterr().out


def test_the_fit_that_ships_is_that_of_the_shipped_table() -> None:
    script = bench("fit_prior_knowledge")
    tables = bench("bench_screening").read_tables(FOLDER / "students.csv")
    fitted = script.fit(tables, script.counts_of(tables))
    assert fitted.model_copy(update={"rank_correlation": prior_knowledge().rank_correlation}) == prior_knowledge()


def test_trials_are_stopped_wrongly_less_often_from_half_of_their_epochs_on(capsys: pytest.CaptureFixture[str]) -> None:
    rows = bench("bench_pruning").main([])
    wrong = {
        way: sum(int(str(row["wrongly"])) for row in rows if row["rungs"] == way)
        / sum(int(str(row["stopped"])) for row in rows if row["rungs"] == way)
        for way in ("from half on", "from a tenth on")
    }
    assert wrong["from half on"] < 0.1 < wrong["from a tenth on"]
    assert "epochs saved" in capsys.readouterr().out


def test_of_a_part_of_the_candidates_those_that_are_promising_come_first() -> None:
    answers = bench("bench_screening").main(["--repeats", "5", "--looked-at", "6"])
    assert [answer["way"] for answer in answers] == ["by prior knowledge", "along the costs", "at random"] * 4


def test_relatives_fill_a_long_list() -> None:
    script = bench("bench_screening")
    students = script.read_tables(FOLDER / "students.csv")["images, direct"]
    asked = script._parse(["--candidates", "120", "--relatives", "--repeats", "2"])
    (pool, _), (other, _) = script._repeats(asked, students)
    assert len(pool) == len({student.name for student in pool}) == 120
    made_up = pool[len(students) :]
    assert {student.name.partition("#")[0] for student in made_up} <= {student.name for student in students}
    assert len({student.cost for student in made_up}) == len(made_up)
    assert {student.cost for student in made_up}.isdisjoint(student.cost for student in other[len(students) :])
    assert all(0 <= accuracy <= 1 for student in made_up for curve in student.curves.values() for accuracy in curve)


def test_small_images_are_compared_in_accuracy_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--train-images", "40", "--test-images", "20", "--epochs", "1", "--rounds", "1", "--batch-size", "20"]
    bench("bench_small_images").main([*sizes, "--cases", "test_resnet:32", "test_resnet@output_stride=16:32"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| test_resnet")]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    assert [row[:2] for row in cells] == [["test_resnet", "32"], ["test_resnet@output_stride=16", "32"]]
    assert cells[0][3:] == ["1.000"] * 3
    assert float(cells[1][3]) > 1


@pytest.mark.parametrize("start", ["given", "random"])
def test_settings_of_a_preset_are_tabled(tmp_path: Path, capsys: pytest.CaptureFixture[str], start: str) -> None:
    model = timm.create_model("test_resnet", num_classes=7)
    torch.save(model.state_dict(), tmp_path / "test_resnet.pth")
    sizes = ["--train-images", "40", "--test-images", "20", "--epochs", "1", "--batch-size", "20", "--image-size", "32"]
    cases = ["--cases", "", "learning_rate=1e-4 head_factor=1", "ema=0.9 erase=0.25 trivial_augment=true drop_path=0.1"]
    weights = ["--weights", str(tmp_path)] if start == "given" else []
    bench("bench_presets").main(["--students", "test_resnet", *weights, *sizes, *cases])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| test_resnet")]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    assert [row[1] for row in cells] == ["the preset", *cases[2:]]
    assert all(0 <= float(row[2]) <= 1 for row in cells)


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="depth is no setting"):
        bench("bench_presets").main(["--cases", "depth=3"])


def test_a_case_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="write student:size"):
        bench("bench_small_images").main(["--cases", "resnet18"])
