"""What a teacher or its soft labels left behind may be damaged, or of another timm: it is made again, never trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers_images import Recorder
from helpers_teachers import soft_labels
from safetensors.torch import load_file, save_file

from autokd.teacher.prepare import prepare_teacher


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    """One bit of one weight."""
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def rename(path: Path) -> None:
    """The tensors as another version of timm might name them."""
    save_file({f"body.{key}": value for key, value in load_file(path).items()}, path)


@pytest.mark.parametrize("damage", [cut, flip, rename, Path.unlink])
def test_a_damaged_teacher_is_trained_again(config, data, damage):
    first = prepare_teacher(config, data, "cpu", Recorder())
    (weights,) = (config.cache_dir / "teachers").glob("*/weights.safetensors")
    sound = weights.read_bytes()
    damage(weights)
    assert not weights.exists() or weights.read_bytes() != sound
    listener = Recorder()
    again = prepare_teacher(config, data, "cpu", listener)
    assert [step[1:] for step in listener.steps] == [(epoch, 5) for epoch in range(1, 6)]
    assert listener.notes == [
        f"The teacher kept in {weights.parent} is damaged or of another version; it is trained again."
    ]
    assert again.record.fingerprint == first.record.fingerprint
    assert torch.equal(again.val_logits, first.val_logits)
    assert weights.read_bytes() == sound
    listener = Recorder()
    prepare_teacher(config, data, "cpu", listener)
    assert listener.steps == []


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"fingerprint": 7}', '{"name": "test_resnet", "seconds": 1.0}'])
def test_a_teacher_whose_note_says_nothing_is_trained_again(config, data, note):
    first = prepare_teacher(config, data, "cpu", Recorder())
    (path,) = (config.cache_dir / "teachers").glob("*/teacher.json")
    path.write_text(note)
    listener = Recorder()
    assert prepare_teacher(config, data, "cpu", listener).record.fingerprint == first.record.fingerprint
    assert len(listener.steps) == 5


ENTRIES = {
    "a list": "[]",
    "null": "null",
    "nothing": "",
    "no json": '{"content": ',
    "no content": '{"crc32": 1}',
    "another record": '{"content": {"crc32": 1, "seconds": 1.0}, "crc32": 1}',
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_an_entry_of_another_shape_trusts_no_chunk_of_its_view(tmp_path, entry):
    made = soft_labels(tmp_path, 2)
    (Path(made.folder) / "view-0001.json").write_text(entry)
    listener = Recorder()
    assert soft_labels(tmp_path, 2, listener=listener).reused == 1
    assert "view 1: view-0001.json is damaged" in listener.notes[0]
    assert soft_labels(tmp_path, 2).reused == 2
