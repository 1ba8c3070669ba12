"""An estimate says what a search would do and cost, and trains nothing."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import autokd
from autokd.cli import cli
from autokd.config import SearchConfig, default_cache_dir
from autokd.pipeline.estimate import Estimate
from autokd.pipeline.screening import screening_epochs


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def estimate(cache: Path, made: tuple[SearchConfig, Path]) -> Estimate:
    asked = {"trials": 4, "epochs": 3, "seeds": 2, "finalists": 1, "serve_runtime": "eager"}
    return autokd.estimate(teacher="resnet10t", max_cost=1.0, space=made[0].space, cache_dir=cache, **asked)


def test_a_screening_is_counted_with_whole_trainings_of_those_that_stay(estimate: Estimate) -> None:
    settings = {"trials": 8, "epochs": 6, "finalists": 1, "seeds": 2}
    config = SearchConfig.of(teacher="resnet10t", max_cost=1.0, **settings)
    one = estimate.candidates[0].model_copy(update={"arms": ("distill", "direct")})
    many = [one.model_copy(update={"student": f"student_{n}"}) for n in range(25)]
    assert screening_epochs(config, many) == 25 * 2 + 20 * 3
    assert screening_epochs(config, many[:4]) == 0


def test_the_plan_counts_every_image_and_its_money(estimate: Estimate) -> None:
    images = {stage.name: stage.image_passes / estimate.task.train for stage in estimate.stages}
    assert images == {"teacher": 3, "soft labels": 3, "screening": 4 * 2, "search": 4 * 3, "confirmation": 9 * 2 * 3}
    assert all(stage.seconds > 0 for stage in estimate.stages)
    assert estimate.seconds == pytest.approx(sum(stage.seconds for stage in estimate.stages))
    price = estimate.cost_model.train_price_usd_per_hour
    assert estimate.usd == pytest.approx(estimate.seconds / 3600 * price)


def test_the_presets_are_planned_side_by_side(estimate: Estimate) -> None:
    quick, standard, thorough = estimate.presets
    assert [plan.preset for plan in estimate.presets] == ["quick", "standard", "thorough"]
    sizes = {(plan.trials, plan.epochs, plan.seeds, plan.finalists) for plan in estimate.presets}
    assert sizes == {(4, 3, 2, 1)}, "what was given stays"
    assert estimate.preset == "quick"
    assert (quick.seconds, quick.usd) == (estimate.seconds, estimate.usd)
    assert quick.seconds < standard.seconds == thorough.seconds, "teachers from scratch are trained twice as long"


def test_presets_size_what_was_not_given(space_file: Path) -> None:
    plans = autokd.estimate(teacher="resnet10t", max_cost=1.0, space=str(space_file), cost_model="params").presets
    assert [(plan.trials, plan.epochs, plan.seeds) for plan in plans] == [(8, 6, 3), (16, 60, 3), (32, 300, 5)]
    assert plans[0].seconds < plans[1].seconds < plans[2].seconds


def test_an_arm_without_students_has_no_trials(space_file: Path) -> None:
    plan = autokd.estimate(
        teacher="resnet10t",
        max_cost=1.0,
        space=str(space_file),
        cost_model="params",
        min_ratio=19.9,
        trials=6,
        epochs=2,
    )
    assert {arm for candidate in plan.candidates for arm in candidate.arms} == {"direct"}
    (search,) = [stage for stage in plan.stages if stage.name == "search"]
    assert search.work.startswith("3 trials of 2 epochs")
    assert search.image_passes == 3 * 2 * plan.task.train


def test_edges_are_counted(space_file: Path) -> None:
    settings = {"teacher": "resnet10t", "max_cost": 1.0, "space": str(space_file), "cost_model": "params"}
    sizes = {"trials": 4, "epochs": 3, "seeds": 2, "finalists": 1, "min_ratio": 8.2, "max_ratio": 13.15}
    plain, probed = (autokd.estimate(**settings, **sizes, probe_edges=probe) for probe in (False, True))
    (work,) = [stage.work for stage in probed.stages if stage.name == "confirmation"]
    assert work == "up to 26 trainings, 8 of them beyond the ratio range"
    images = {stage.name: stage.image_passes / plain.task.train for stage in probed.stages}
    assert images["confirmation"] == 26 * 3
    assert images["search"] == 4 * 3
    assert probed.disk.finalists > plain.disk.finalists
    assert [c.student for c in probed.candidates] == [c.student for c in plain.candidates]


def test_the_disk_is_bounded_part_by_part(estimate: Estimate) -> None:
    disk, parameters = estimate.disk, max(c.parameters for c in estimate.candidates)
    task = estimate.task
    assert disk.decoded_images > (task.train + task.val + task.test) * 3 * 32 * 32
    assert disk.soft_labels == pytest.approx(3 * task.train * 10 * 2, rel=0.05)
    assert disk.checkpoints == pytest.approx(2 * 3 * 4 * parameters, rel=0.05)
    assert disk.teacher == pytest.approx(4 * estimate.teacher_parameters, rel=0.05)
    assert disk.teacher_training == pytest.approx(2 * (3 + 1) * 4 * estimate.teacher_parameters, rel=0.05)
    assert disk.finalists == pytest.approx(9 * (4 * parameters + 2 * task.test * 10 * 4) + 2 * 4 * parameters, rel=0.05)
    assert estimate.disk_bytes == disk.peak == disk.decoded_images + disk.teacher_training


def test_the_limit_of_the_cache_bounds_the_soft_labels(space_file: Path) -> None:
    limited = autokd.estimate(
        teacher="resnet10t", max_cost=1.0, space=str(space_file), epochs=300, cache_limit_gb=0.001, cost_model="params"
    )
    assert limited.disk.soft_labels == 1_000_000


def test_weights_that_students_start_from_are_counted(space_file: Path, tmp_path: Path) -> None:
    (tmp_path / "lcnet_050.pth").touch()
    given = autokd.estimate(
        teacher="resnet10t", max_cost=1.0, space=str(space_file), cost_model="params", student_weights=str(tmp_path)
    )
    (student,) = [c for c in given.candidates if c.student == "lcnet_050"]
    assert given.disk.student_weights == 4 * student.parameters


def bytes_on_disk(root: Path) -> int:
    total = 0
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@pytest.mark.slow
def test_a_search_stays_below_its_estimate(quick: dict[str, Any], tmp_path: Path) -> None:
    """What a search has on disk, looked at again and again while it runs."""
    plan, cache, run = autokd.estimate(**quick), default_cache_dir(), tmp_path / "run"
    seen, over = [0], threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.append(bytes_on_disk(cache) + sum(bytes_on_disk(run / part) for part in ("trials", "finalists")))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        autokd.search(**quick, output=run)
    finally:
        over.set()
        watcher.join()
    tables = 500_000  # histories, and what is neither weights nor images nor logits
    assert 0.5 * plan.disk_bytes < max(seen) < plan.disk_bytes + tables


def test_candidates_carry_ratio_and_cost(estimate: Estimate) -> None:
    assert {c.student for c in estimate.candidates} == {
        "test_resnet",
        "lcnet_035",
        "mobilenetv3_small_050",
        "lcnet_050",
    }
    assert all(5 <= c.ratio <= 20 and c.reading.cost_usd_per_1k.mean < 1 for c in estimate.candidates)
    assert estimate.teacher_reading.cost_usd_per_1k.mean > 0


def test_nothing_is_trained_or_written(estimate: Estimate, cache: Path, tmp_path: Path) -> None:
    assert not (cache / "teachers").exists()
    assert not (cache / "softlabels").exists()
    assert not (tmp_path / "reports").exists()


def test_a_given_teacher_is_not_charged_for(space_file: Path) -> None:
    import timm

    module = timm.create_model("resnet10t", num_classes=10)
    plan = autokd.estimate(teacher=module, max_cost=1.0, space=str(space_file), epochs=2, cost_model="params")
    assert {stage.name: stage.image_passes for stage in plan.stages}["teacher"] == 0
    assert plan.teacher == "ResNet"


def test_without_candidates_there_is_no_work_but_the_teachers(space_file: Path) -> None:
    plan = autokd.estimate(teacher="resnet10t", max_cost=1e-12, space=str(space_file), cost_model="params")
    assert not plan.candidates
    assert [stage.name for stage in plan.stages if stage.image_passes] == ["teacher"]
    assert any("above the budget" in entry.reason for entry in plan.left_out)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_it(space_file: Path, as_json: bool) -> None:
    arguments = ["--teacher", "resnet10t", "--max-cost", "1", "--space", str(space_file), "--epochs", "2"]
    arguments += ["--cost-model", "params", *(["--json"] if as_json else [])]
    result = CliRunner().invoke(cli, ["estimate", *arguments])
    assert result.exit_code == 0, result.stderr
    if as_json:
        answer = json.loads(result.stdout)
        assert answer["teacher"] == "resnet10t"
        assert [plan["preset"] for plan in answer["presets"]] == ["quick", "standard", "thorough"]
    else:
        assert "Nothing was trained." in result.stdout
        assert "  screening     none, there are few students: about " in result.stdout
        assert "quick *" in result.stdout
        assert "  disk: decoded images 5.6 MB, teacher training " in result.stdout
        assert "mobilenetv3_small_050" in result.stdout
