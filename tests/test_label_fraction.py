"""Searches whose students see some labels only: what is shared, what is said, and that resuming keeps to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import Hearing
from helpers_images import plain, write_pattern_folder

import autokd
from autokd.cache.entries import entries
from autokd.cli import cli
from autokd.config import default_cache_dir
from autokd.errors import RunError


@pytest.mark.slow
def test_searches_at_several_shares_have_teacher_and_soft_labels_in_common(
    quick: dict[str, Any], tmp_path: Path
) -> None:
    runs, heard = {}, {}
    for share in (0.1, None):
        heard[share] = Hearing()
        output = tmp_path / str(share)
        runs[share] = autokd.search(**quick, output=output, label_fraction=share, listener=heard[share])
    tenth, whole = runs[0.1], runs[None]
    assert whole.report.teacher.fingerprint == tenth.report.teacher.fingerprint
    assert "Reusing the teacher" in " ".join(heard[None].notes)
    assert "2 views, 2 of them kept from an earlier run." in heard[None].notes
    assert whole.report.search.stages["teacher"] == whole.report.search.stages["soft_labels"] == 0
    assert sorted(entry.kind for entry in entries(default_cache_dir())) == ["images", "soft labels", "teacher"]

    assert (tenth.report.task["labelled"], whole.report.task["labelled"]) == (9, 90)
    assert "3 classes at 32 px; 90 training images, 9 of them labelled" in " ".join(heard[0.1].notes)
    assert any("the labels of 9 of 90 training images" in remark.text for remark in tenth.report.search.remarks)
    assert not any(remark.kind == "labels" for remark in whole.report.search.remarks)
    page = (tenth.path / "report.html").read_text()
    assert "9 labelled, 81 unlabelled" in page
    assert "An image without a label has the teacher" in page
    assert "An image without a label" not in whole.report.formula
    assert {trial.state for trial in tenth.trials.itertuples()} <= {"complete", "pruned"}
    assert {finalist.arm for finalist in tenth.report.finalists} == {"distill", "direct"}

    with pytest.raises(RunError, match="was started with another label_fraction"):
        autokd.search(**quick, output=tenth.path, resume=True, label_fraction=0.2)
    stored = json.loads((tenth.path / "task.json").read_text())
    assert (stored["labelled"], stored["unhidden_fingerprint"]) == (9, whole.report.task["fingerprint"])

    checked = CliRunner().invoke(cli, ["cache", "verify"])
    assert checked.exit_code == 0, checked.output


@pytest.mark.slow
def test_a_search_with_unlabelled_images(quick: dict[str, Any], tmp_path: Path) -> None:
    few, held_out = dict.fromkeys("abc", 10), dict.fromkeys("abc", 12)
    folder = write_pattern_folder(tmp_path / "pictures", {"train": few, "val": held_out, "test": held_out})
    (folder / "unlabelled").mkdir()
    for number in range(50):
        plain(number).save(folder / "unlabelled" / f"{number}.png")
    quick |= {"data": str(folder), "teacher_epochs": 20, "batch_size": 16}
    result = autokd.search(**quick, output=tmp_path / "run")
    assert {key: result.report.task[key] for key in ("train", "labelled")} == {"train": 80, "labelled": 30}
    (labels,) = [entry for entry in entries(default_cache_dir()) if entry.kind == "soft labels"]
    assert labels.images == 80
    (remark,) = [remark.text for remark in result.report.search.remarks if "Students see" in remark.text]
    assert "hidden" not in remark


def test_an_estimate_counts_what_each_arm_goes_through(space_file: Path) -> None:
    sizes = {"trials": 2, "epochs": 2, "seeds": 2, "finalists": 1, "teacher_epochs": 4, "batch_size": 64}
    settings = {"teacher": "resnet10t", "max_cost": 1.0, "cost_model": "params", "space": str(space_file), **sizes}
    tenth, two = (autokd.estimate(**settings, label_fraction=share) for share in (0.1, 0.01))
    assert (tenth.task.labelled, two.task.labelled) == (109, 20)  # two of every class
    images = {stage.name: stage.image_passes / 1078 for stage in tenth.stages}
    assert images == {"teacher": 4, "soft labels": 2, "screening": 4, "search": 4, "confirmation": 36}
    fewer = {stage.name: stage.image_passes for stage in two.stages}
    direct = 1078 * 20 // 64  # batches of 20 in place of 64
    assert fewer["search"] == 2 * 1 * (1078 + direct)
    assert fewer["confirmation"] == 2 * (6 * 1078 + 12 * direct)
    assert fewer["teacher"] == 4 * 1078
