"""The benchmarks run at tiny sizes and print tables that can be read; their figures are nobody's business here."""

from __future__ import annotations

import importlib
import math
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from helpers_images import one_thread, small_task
from torch import Tensor, nn

import autokd
from autokd.data.image_store import Indices
from autokd.data.task import TaskData
from autokd.data.views import normalise
from autokd.records import Recipe
from autokd.runs.store import CANDIDATES
from autokd.training.loop import Training, train
from autokd.zoo.build import build, normalisation

FOLDER = Path(__file__).parent.parent / "benchmarks"
Row = dict[str, str]


@pytest.fixture(autouse=True)
def _beside_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules are found as for a script in that folder; processes that a benchmark starts take one thread too."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with one_thread():
        yield
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").parent == FOLDER:
            del sys.modules[name]


def bench(name: str) -> ModuleType:
    return importlib.import_module(name)


def tables(text: str) -> list[list[Row]]:
    """The markdown tables of a text."""
    found: list[list[Row]] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| --- |"):
            columns = _cells(lines[number - 1])
            found.append([])
            for row in lines[number + 1 :]:
                if not row.startswith("|"):
                    break
                found[-1].append(dict(zip(columns, _cells(row), strict=True)))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| \n").split(" | ")]


def is_ratio(cell: str) -> bool:
    return math.isfinite(float(cell)) and float(cell) > 0


def test_sides_take_turns_and_every_second_round_is_reversed() -> None:
    timing, order = bench("timing"), []
    sides = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = timing.interleave(sides, rounds=2, warm_up=1)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [len(rounds) for rounds in seconds.values()] == [2, 2]


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    timing = bench("timing")
    assert timing.ratio([2.0, 30.0, 8.0], [1.0, 10.0, 2.0]) == 3.0
    assert timing.spread([2.0, 30.0, 8.0], [1.0, 10.0, 2.0]) == "2.500 to 3.500"


def test_idx_files_become_an_image_folder(tmp_path: Path) -> None:
    import gzip

    from autokd.data.sources.image_folder import read_folder

    for prefix, count in (("train", 9), ("t10k", 4)):
        images, labels = np.zeros((count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8) % 2
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (tmp_path / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    counts = {"train": 6, "val": 3, "test": 4}
    parts = read_folder(bench("made").idx_folder(tmp_path / "data", counts, 32, tmp_path))
    assert parts.val is not None and parts.test is not None
    assert [len(part) for part in (parts.train, parts.val, parts.test)] == [6, 3, 4]
    assert parts.train.read(0).size == (32, 32)


def test_the_loop_is_compared_with_the_bare_step(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--models", "test_resnet", "--sizes", "32", "--steps", "2", "--rounds", "2", "--batch-size", "8"]
    bench("bench_loop").main([*sizes, "--profile"])
    text = capsys.readouterr().out
    (rows,) = tables(text)
    assert [row["arm"] for row in rows] == ["direct", "distill"]
    assert all(is_ratio(row["loop / bare"]) for row in rows)
    assert "convolution" in text and "tottime" in text


def test_the_verdict_is_judged_on_made_up_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--runs", "2", "--images", "200", "300", "--most-images", "200", "--look-images", "200"]
    bench("bench_verdict").main([*sizes, "--fronts", "one student"])
    text = capsys.readouterr().out
    says, reasons, alone, saves, needed, intervals, *powers, reliable, selection, looks, speed = tables(text)
    assert [len(rows) for rows in (says, reasons, alone, saves, needed, looks)] == [1, 1, 1, 1, 1, 3]
    assert [[row["test images"] for row in power] for power in powers] == [["200", "300"] * 5] * 2
    assert [row["test images"] for row in intervals] == ["200"] * 14 + ["300"] * 14
    assert sum(int(row["runs"]) for row in reliable) == 2 * 4 * 2  # of one front: gains, spreads
    assert all(float(row["width of accuracy, points"]) > 0 for row in intervals)
    assert [row["seeds differ"] for row in selection] == ["image by image", "as a whole", "both"]
    assert all(is_ratio(row["times a bare mean"]) for row in speed)


class Computed:
    """The teacher's logits where the training asks for them."""

    def __init__(self, teacher: nn.Module) -> None:
        self._teacher = teacher

    @torch.no_grad()
    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:
        return self._teacher(normalise(images, *normalisation(self._teacher)))


def test_the_live_side_trains_as_autokd_does_but_for_the_teacher() -> None:
    data, recipe = small_task(), Recipe(learning_rate=1e-3, temperature=4.0, alpha=0.7, epochs=2, batch_size=20)
    torch.manual_seed(0)
    teacher = build("lcnet_050", 3, 32).eval()
    nn.init.normal_(teacher.get_classifier().weight, std=1.0)
    own, peer = (_training(data, recipe, Computed(teacher)) for _ in range(2))
    assert len(list(bench("live").live_training(peer, teacher))) == len(list(train(own))) == 2
    for (name, ours), theirs in zip(own.model.state_dict().items(), peer.model.state_dict().values(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4), name


def _training(data: TaskData, recipe: Recipe, teacher: Computed) -> Training:
    torch.manual_seed(1)
    model = build("lcnet_035", 3, 32)
    return Training(
        data=data,
        model=model,
        normalisation=normalisation(model),
        recipe=recipe,
        seed=3,
        views_seed=5,
        device="cpu",
        teacher=teacher,
    )


@pytest.mark.slow
def test_stored_soft_labels_are_compared_with_a_live_teacher(
    patterns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--teacher", "resnet10t", "--students", "lcnet_035", "--data", str(patterns)]
    sizes = ["--rounds", "2", "--epochs", "2", "--seeds", "2", "--teacher-epochs", "2"]
    bench("bench_live_teacher").main([*models, *sizes])
    speed, accuracy = tables(capsys.readouterr().out)
    assert all(is_ratio(speed[0][column]) for column in ("live / cached", "ceiling", "of the ceiling"))
    assert is_ratio(speed[0]["writing a view / live epoch"])
    assert [row["part"] for row in accuracy] == ["validation", "test"]
    assert all(0 <= float(row[side]) <= 1 for row in accuracy for side in ("cached", "live"))
    assert all(is_ratio(row["live / cached, validation included"]) for row in accuracy)


def test_a_student_that_sees_other_pixels_than_the_teacher_is_refused() -> None:
    live = ["--parts", "speed", "--teacher", "lcnet_050", "--students", "test_resnet", "--rounds", "1", "--epochs", "1"]
    with pytest.raises(SystemExit, match="normalise differently"):
        bench("bench_live_teacher").main(live)


@pytest.mark.slow
def test_a_whole_search_is_compared_with_the_peers(capsys: pytest.CaptureFixture[str]) -> None:
    models = ["--teacher", "resnet10t", "--teacher-epochs", "4", "--students", "lcnet_035", "mobilenetv3_small_050"]
    data = ["--train-images", "192", "--val-images", "60", "--test-images", "40", "--batch-size", "16"]
    sizes = ["--trials", "2", "--epochs", "2", "--workers", "1", "--no-pruning", "--same-proposals"]
    bench("bench_search").main([*models, *data, *sizes])
    sides, ratios = tables(capsys.readouterr().out)
    assert [side["trials"] for side in sides] == ["2", "2"]
    assert all(is_ratio(row["value"]) for row in ratios)
    assert all(0 <= float(side["best validation accuracy"]) <= 1 for side in sides)
    assert [(side["pruned"], side["images trained"]) for side in sides] == [("0", "768"), ("0", "768")]


def test_runtimes_and_forms_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--models", "test_resnet", "test_byobnet", "--size", "32", "--rounds", "2"]
    bench("bench_runtimes").main([*sizes, "--runtimes", "eager", "onnxruntime"])
    against_first, against_itself = tables(capsys.readouterr().out)
    columns = [f"{runtime}, {form}" for runtime in ("eager", "onnxruntime") for form in ("trained", "served")]
    assert [row["model"] for row in against_first] == ["test_resnet", "test_byobnet"]
    assert all(against_first[0][column] == "1.000" and is_ratio(against_first[1][column]) for column in columns)
    assert all(is_ratio(row[column].split()[0]) for row in against_itself for column in columns)


@pytest.mark.slow
def test_a_finished_run_is_quantised_in_two_ways_and_all_its_candidates_are_trained(
    quick: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    run = autokd.search(**quick | {"cache_dir": cache, "output": tmp_path / "run"}).path
    rows = bench("bench_int8").main([str(run), "--cache-dir", str(cache), "--rounds", "2"])
    (printed,) = tables(capsys.readouterr().out)
    assert [row["model"] for row in printed] == [row["model"] for row in rows]
    assert len(printed) >= 3, "no student of either arm"
    assert all(is_ratio(row["time, 7 / 8 bits"]) for row in printed)
    assert all(abs(float(row["fp32"][:-1]) - float(row["7 bits"][:-1])) < 10 for row in printed)
    beside = ["--work", str(tmp_path / "work"), "--cache-dir", str(cache), "--seeds", "1", "--workers", "1"]
    bench("bench_every_candidate").main([str(run), *beside])
    (everybody,) = tables(capsys.readouterr().out)
    candidates = CANDIDATES.read(run).candidates
    assert {row["student"] for row in everybody} == {candidate.student for candidate in candidates}
    assert all(float(row["direct, test %"].split()[0]) > 0 for row in everybody)


def test_latency_under_load_is_simulated_and_served(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--student", "test_resnet", "--image-size", "32", "--batch", "2", "--requests", "20", "--repeats", "1"]
    rows = bench("bench_queue").main([*sizes, "--runtime", "eager"])
    assert [row["arrivals / highest throughput"] for row in rows] == ["30%", "60%", "85%"]
    assert all(float(str(row["simulated p95"])) >= 1 for row in rows)
    (printed,) = tables(capsys.readouterr().out)
    assert [row["simulated p95"] for row in printed] == [row["simulated p95"] for row in rows]


def test_ways_to_start_a_worker_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = bench("bench_start_up").main(["--processes", "1", "--rounds", "1"])
    assert is_ratio(str(row["spawned / forked"]))
    assert len(tables(capsys.readouterr().out)) == 1


def test_recommendations_are_alike_where_cost_and_accuracy_are() -> None:
    script = bench("bench_repeated_search")
    said = [(1.00, 0.970), (1.05, 0.972), (1.09, 0.966), (1.30, 0.970), (0.95, 0.950)]
    found = [script.Recommended("distill", "weak", "small", cost, accuracy) for cost, accuracy in said]
    assert script.alike(found) == (
        "3 of 5 within 10% of the median cost and 0.5 points of the median accuracy; distill 5"
    )


def test_searches_are_repeated_and_those_that_are_done_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their folders are those of a sample; costs are measured once."""
    script, asked = bench("bench_repeated_search"), list[tuple[str, ...]]()

    def autokd(*arguments: str) -> None:
        asked.append(arguments)
        if arguments[0] == "measure":
            (tmp_path / "costs.json").touch()
        else:
            shutil.copytree(FOLDER.parent / "reports/samples/distill", arguments[arguments.index("--output") + 1])

    monkeypatch.setattr(script, "_autokd", autokd)
    found = script.main(["--work", str(tmp_path), "--searches", "2", "--trials", "4"])
    assert [command[0] for command in asked] == ["measure", "search", "search"]
    assert [command[command.index("--seed") + 1] for command in asked[1:]] == ["0", "1000"]
    assert all(command[command.index("--trials") + 1] == "4" for command in asked[1:])
    assert script.main(["--work", str(tmp_path), "--searches", "2"]) == found
    assert len(asked) == 3
    first, _ = tables(capsys.readouterr().out)
    assert [row["verdict"] for row in first] == ["distill", "distill"]
