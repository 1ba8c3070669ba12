"""`autokd export`: what it writes, how it is checked, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import timm
import torch
from believable_run import make_decision, make_finalists, make_policy, make_run
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.data.task import open_task, prepare_task
from autokd.errors import ConfigError, PathError, RunError
from autokd.pipeline.export import export_run
from autokd.progress import Silent
from autokd.records import FinalistRecord
from autokd.report import assemble
from autokd.runs.folder import Run
from autokd.runs.store import FINALISTS, REPORT, TASK, WEIGHTS
from autokd.zoo.build import build

STUDENT = "test_byobnet"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on the digits whose distilled pick is finalist 100, with weights of its own."""
    folder = tmp_path_factory.mktemp("export")
    config = SearchConfig.of(teacher="test_resnet", max_cost=1, image_size=32, cache_dir=folder / "cache")
    task = open_task(prepare_task(config, 32, Silent())).task
    finalists = [one.model_copy(update={"student": STUDENT}) for one in make_finalists()]
    run = make_run(folder / "run", [], finalists=finalists, task=task, histories=False)
    run.write(run.manifest.model_copy(update={"settings": config}))
    for finalist in finalists:
        _write_weights(run, finalist)
    _write_report(run, "distill")
    return run


def _write_weights(run: Run, finalist: FinalistRecord) -> None:
    torch.manual_seed(finalist.number)
    model = build(STUDENT, 10, 32)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    folder = run.finalist_path(finalist.number, finalist.shipped.seed)
    folder.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / WEIGHTS)


def _write_report(run: Run, verdict: str) -> None:
    REPORT.write(run.path, assemble(run, make_decision(verdict), make_policy()))


@pytest.fixture(scope="module")
def served(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of an ONNX export, and what was said of it."""
    output = tmp_path_factory.mktemp("served") / "onnx"
    return output, called(finished, "onnx", output)


def called(run: Run, kind: str, output: Path, *more: str) -> str:
    answer = CliRunner().invoke(
        cli, ["export", str(run.path), "--format", kind, "--output", str(output), *more], catch_exceptions=False
    )
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_onnx_file_is_checked_on_a_hundred_test_images(served: tuple[Path, str]) -> None:
    output, said = served
    assert sorted(path.name for path in output.iterdir()) == ["README.md", "model.onnx"]
    assert re.search(r"The largest difference to the logits of the timm model is \S+ \(\S+ of", said)
    assert "on 100 test images" in said
    both = re.search(r"Accuracy on these images: (\S+) % \(ONNX\), (\S+) % \(timm\)", said)
    assert both is not None
    assert both[1] == both[2]


def test_its_metadata_tell_preprocessing_and_classes(served: tuple[Path, str], finished: Run) -> None:
    model = onnx.load(served[0] / "model.onnx")
    onnx.checker.check_model(model)
    about = {entry.key: entry.value for entry in model.metadata_props}
    task = TASK.read(finished.path)
    assert json.loads(about["classes"]) == list(task.classes)
    assert (about["student"], about["image_size"], about["interpolation"]) == (STUDENT, "32", "bicubic")
    assert len(json.loads(about["mean"])) == len(json.loads(about["std"])) == 3
    (images,) = model.graph.input
    assert images.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_its_card_runs_where_there_is_neither_torch_nor_timm(
    served: tuple[Path, str], finished: Run, tmp_path: Path
) -> None:
    """A picture, by the code of the card in a process of its own, against the timm folder in this one."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (57, 40, 3)).astype(np.uint8))
    picture.save(tmp_path / "picture.png")
    (code,) = re.findall(r"```python\n(.*?)```", (served[0] / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    script = "\n".join(
        [
            "import sys",
            "sys.modules['torch'] = sys.modules['timm'] = sys.modules['torchvision'] = None  # importing them fails",
            "from PIL import Image",
            f"image = Image.open({str(tmp_path / 'picture.png')!r})",
            code.replace("PATH/TO/THIS/FOLDER", str(served[0])),
            "print(json.dumps([answer, logits[0].tolist()]))",
        ]
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    answer, logits = json.loads(ran.stdout)

    called(finished, "timm", tmp_path / "timm")
    model = timm.create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=True).eval()
    transform: Any = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with torch.inference_mode():
        expected = model(transform(picture)[None])[0]
    assert torch.allclose(torch.tensor(logits), expected, atol=1e-4)
    assert answer == TASK.read(finished.path).classes[int(expected.argmax())]


def test_the_card_tells_what_the_student_is_and_costs(served: tuple[Path, str]) -> None:
    card = (served[0] / "README.md").read_text(encoding="utf-8")
    for part in (
        "library_name: onnx",
        "Distill resnet152 into",
        "| teacher | resnet152 (",
        "| licence of these weights | none |",
        "95 % interval 95.50 % to 97.00 % (3 seeds)",
        "per 1,000 requests (",
    ):
        assert part in card


def test_an_int8_file_is_smaller_nearly_as_right_and_told_on_its_card(
    served: tuple[Path, str], finished: Run, tmp_path: Path
) -> None:
    output = tmp_path / "int8"
    said = called(finished, "onnx", output, "--precision", "int8")
    assert re.search(r"Accuracy on these images: (\S+) % \(ONNX\), (\S+) % \(timm\)", said)
    share = re.search(r"\((\S+) of the largest logit\)", said)
    assert share is not None
    assert 0.001 < float(share[1]) < 0.5
    model = onnx.load(output / "model.onnx")
    assert {entry.key: entry.value for entry in model.metadata_props}["precision"] == "int8"
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    assert (output / "model.onnx").stat().st_size < (served[0] / "model.onnx").stat().st_size
    card = (output / "README.md").read_text(encoding="utf-8")
    assert "| precision | int8: weights by channel, in 7 bits, activations as seen on 128 training images |" in card
    assert re.search(r"\| int8 beside fp32 \| \S+ % and \S+ % right of 100 test images \|", card)


def test_int8_needs_onnx_and_the_images_of_the_search(finished: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="int8 is written as ONNX only; add --format onnx"):
        export_run(finished.path, "timm", tmp_path / "a", precision="int8")
    task = TASK.read(finished.path)
    TASK.write(finished.path, task.model_copy(update={"fingerprint": "another"}))
    try:
        with pytest.raises(RunError, match="int8 is calibrated on training images, which are missing: the data of"):
            export_run(finished.path, "onnx", tmp_path / "a", precision="int8")
    finally:
        TASK.write(finished.path, task)
    assert not (tmp_path / "a").exists()


def test_another_finalist_by_its_number(finished: Run, tmp_path: Path) -> None:
    assert "finalist 103" in called(finished, "timm", tmp_path / "other", "--finalist", "103")
    assert "recommends another model" in (tmp_path / "other" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(RunError, match=r"no finalist 7; those of finalists\.csv are 100, 101"):
        export_run(finished.path, "timm", tmp_path / "none", number=7)


def test_a_folder_is_only_replaced_on_request_and_only_if_it_is_an_export(finished: Run, tmp_path: Path) -> None:
    output = tmp_path / "served"
    called(finished, "timm", output)
    with pytest.raises(PathError, match="already holds an export; add --force"):
        export_run(finished.path, "timm", output)
    called(finished, "timm", output, "--force")
    (output / "notes.txt").write_text("mine")
    with pytest.raises(PathError, match="holds other files than an export"):
        export_run(finished.path, "timm", output, force=True)
    shutil.copytree(output, finished.student_path)
    try:
        with pytest.raises(PathError, match="the run's own copy"):
            export_run(finished.path, "timm", finished.student_path, force=True)
    finally:
        shutil.rmtree(finished.student_path)


def test_where_the_data_are_gone_made_up_images_are_compared(finished: Run, tmp_path: Path) -> None:
    task = TASK.read(finished.path)
    TASK.write(finished.path, task.model_copy(update={"fingerprint": "another"}))
    try:
        said = called(finished, "onnx", tmp_path / "served")
    finally:
        TASK.write(finished.path, task)
    assert "on 100 made-up images" in said
    assert "The accuracy was not checked: the data of" in said


def test_a_run_without_a_student_is_refused_in_one_sentence(finished: Run, tmp_path: Path) -> None:
    kept = REPORT.read(finished.path)
    try:
        _write_report(finished, "keep_teacher")
        with pytest.raises(RunError, match="is keep_teacher: it recommends no student; name one with --finalist N"):
            export_run(finished.path, "onnx", tmp_path / "a")
        REPORT.path(finished.path).unlink()
        with pytest.raises(RunError, match=r"has no verdict yet; finish it with `autokd search --resume"):
            export_run(finished.path, "onnx", tmp_path / "a")
    finally:
        REPORT.write(finished.path, kept)
    assert FINALISTS.exists(finished.path)


def test_a_student_that_cannot_be_converted_is_said(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no operator for this")

    monkeypatch.setattr("autokd.export.onnx_file.convert", fails)
    with pytest.raises(RunError, match=r"cannot be converted to ONNX \(no operator for this\); export it"):
        export_run(finished.path, "onnx", tmp_path / "a")
    assert not (tmp_path / "a").exists()
