"""Every file of the cache, damaged in every way: the next search makes it again, with the same content, and says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from helpers_images import Recorder, one_thread, settings, write_pattern_folder
from safetensors.torch import save_file

import autokd.teacher.prepare
from autokd.cache.entries import entries
from autokd.cache.locks import Hold, is_held
from autokd.data.task import cache_folders, open_task, prepare_task
from autokd.errors import CacheError
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import prepare_teacher
from autokd.training.checkpoint import State, load_checkpoint, save_checkpoint
from autokd.weights.published import start_from
from autokd.weights.start import Supply, weights_path
from autokd.zoo.build import build
from autokd.zoo.count import count_all

SCALED = "resnet18@width=0.5"  # not in the catalogue, so it is counted
# those of a set are damaged together; of each what the next search says of it, where it says something
SETS: dict[str, dict[str, str]] = {
    "data": {
        "images/*/images.npy": "The decoded images kept in",
        "tasks/*/arrays.npz": "",
        "teachers/*/weights.safetensors": "The teacher kept in",
        "softlabels/*/view-0001.npy": "Soft labels in",
        "students/*/weights.safetensors": "The weights kept in",
        "images/*/.held": "",
        "softlabels/*/.lock": "",
    },
    "about the data": {
        "images/*/meta.json": "The decoded images kept in",
        "tasks/*/task.json": "",
        "teachers/*/teacher.json": "The teacher kept in",
        "softlabels/*/view-0001.json": "Soft labels in",
        "softlabels/*/about.json": "",
        "students/*/start.json": "The weights kept in",
        "softlabels/*/.held": "",
        "counts.json": "counts.json is damaged",
    },
}


def halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def flipped(path: Path) -> None:
    """One bit, in the middle."""
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "halved": halved,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "flipped": flipped,
    "a folder": a_folder,
    "missing": Path.unlink,
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images, weights to start from, and a cache that a search has filled; nobody changes them."""
    root = tmp_path_factory.mktemp("given")
    few = {"a": 10, "b": 10}
    write_pattern_folder(root / "images", {"train": {"a": 20, "b": 20}, "val": few, "test": few})
    (root / "weights").mkdir()
    state = timm.create_model("test_resnet", num_classes=10).state_dict()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, root / "weights" / "test_resnet.safetensors")
    with one_thread(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(autokd.teacher.prepare, "check_teacher", lambda *_: 1.0)  # it is hardly trained
        used(root, root / "cache", Recorder())
        yield root


@cache
def expected(root: Path) -> tuple[object, ...]:
    """What a search has from a sound cache."""
    return used(root, root / "cache", Recorder())


def used(root: Path, cache_dir: Path, listener: Recorder) -> tuple[object, ...]:
    """Everything that a search does with the cache, and what it has from there."""
    config = settings(
        data=str(root / "images"),
        teacher_weights="scratch",
        teacher_epochs=1,
        batch_size=16,
        loader_workers=0,
        cache_dir=cache_dir,
    )
    folder = prepare_task(config, 160, listener)
    hold = Hold(*cache_folders(folder))
    data = open_task(folder, "cpu", 0)
    ready = prepare_teacher(config, data, "cpu", listener)
    labels = write_soft_labels(ready, data, 2, 7, cache_dir, "cpu", listener, hold=hold)
    logits = SoftLabels(Path(labels.folder), 2, "cpu").logits(1, np.arange(40), torch.empty(0))
    weights = Supply(str(root / "weights")).fetch("test_resnet", data.task, cache_dir, hold, listener)
    start_from(build("test_resnet", 2, 32), weights_path(cache_dir, weights))
    counts, _ = count_all([SCALED], 2, 32, cache_dir, listener)
    pixels = data.images.take(np.arange(80)).sum().item()
    assert all(entry.held for entry in entries(cache_dir) if entry.kind == "soft labels")
    return data.task, pixels, ready.record.fingerprint, logits.sum().item(), weights, counts


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("files", SETS)
def test_damaged_files_are_made_again_and_never_stop_a_search(
    given: Path, tmp_path: Path, files: str, damage: str
) -> None:
    root = shutil.copytree(given / "cache", tmp_path / "cache")
    for pattern in SETS[files]:
        (path,) = root.glob(pattern)
        DAMAGES[damage](path)
    first, second = Recorder(), Recorder()
    assert used(given, root, first) == expected(given)
    assert used(given, root, second) == expected(given)
    if damage in ("halved", "empty", "garbage", "flipped"):
        for sentence in filter(None, SETS[files].values()):
            assert sum(sentence in note and "again" in note for note in first.notes) == 1, (sentence, first.notes)
    assert not any("amaged" in note for note in second.notes), second.notes


def test_a_file_in_the_place_of_an_entry_gives_way(given: Path, tmp_path: Path) -> None:
    root = shutil.copytree(given / "cache", tmp_path / "cache")
    for kind in ("images", "students", "teachers", "softlabels", "tasks"):
        (entry,) = (root / kind).iterdir()
        shutil.rmtree(entry)
        entry.write_text("")
    assert used(given, root, Recorder()) == expected(given)


def test_a_lock_that_is_a_folder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "entry" / ".held").mkdir(parents=True)
    assert not is_held(tmp_path / "entry")


@pytest.mark.parametrize("damage", sorted(DAMAGES.keys() - {"flipped"}))
@pytest.mark.parametrize("pattern", ["tasks/*/arrays.npz", "images/*/images.npy"])
def test_what_a_process_finds_damaged_in_the_middle_of_a_run_is_one_sentence(
    given: Path, tmp_path: Path, pattern: str, damage: str
) -> None:
    root = shutil.copytree(given / "cache", tmp_path / "cache")
    (path,) = root.glob(pattern)
    DAMAGES[damage](path)
    (task,) = (root / "tasks").iterdir()
    with pytest.raises(CacheError, match=rf"^{path} in the cache cannot be read .*; remove {path.parent}; a search"):
        open_task(task)


CHECKPOINTS: dict[str, Any] = {
    "no record": 7,
    "without a part": {"model": {}},
    "of another model": {"model": {"weight": torch.zeros(3)}, "optimizer": None, "average": None, "history": []},
    "with a strange history": {"model": {}, "optimizer": None, "average": None, "history": [7]},
}


@pytest.mark.parametrize("content", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_checkpoint_of_another_shape_begins_the_training_again(tmp_path: Path, content: Any) -> None:
    path, model = tmp_path / "checkpoint.pt", torch.nn.Linear(2, 2)
    torch.save(content, path)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state = State(model, torch.optim.AdamW(model.parameters()))
    load_checkpoint(path, state, "cpu")
    assert not path.exists() and not state.history
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    save_checkpoint(path, state)
    load_checkpoint(path, state, "cpu")
    assert path.exists()
