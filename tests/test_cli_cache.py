"""autokd cache: lists what is kept, finds every flipped byte and every wrong logit, and removes nothing in use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers_images import Recorder, one_thread, settings, write_pattern_folder
from helpers_teachers import VIEWS_SEED, ready, tiny_teacher

import autokd.soft_labels.format
from autokd.cache.locks import Hold
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.cache.soft_label_entry import View
from autokd.cli import main
from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import SoftLabelSet
from autokd.soft_labels.format import entry_path, layout_of, view_path, write_chunk
from autokd.soft_labels.verify import verify_set
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import ReadyTeacher, prepare_teacher

VIEWS = 2


@pytest.fixture(scope="module")
def small_chunks():
    """Two chunks a view of 90 images."""
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setattr(autokd.soft_labels.format, "BATCH", 32)
        patch.setattr(autokd.soft_labels.format, "CHUNK_BATCHES", 2)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, small_chunks) -> Path:
    """A cache with decoded images, a teacher that was trained here, and its soft labels."""
    root = tmp_path_factory.mktemp("made")
    few = {"a": 10, "b": 10, "c": 10}
    pictures = write_pattern_folder(root / "pictures", {"train": {"a": 30, "b": 30, "c": 30}, "val": few, "test": few})
    config = settings(
        data=str(pictures), teacher_weights="scratch", teacher_epochs=5, batch_size=16, cache_dir=root / "cache"
    )
    write(config)
    return config.cache_dir


def write(config: SearchConfig, listener=None) -> SoftLabelSet:
    data = open_task(prepare_task(config, 160, Silent()))
    teacher = prepare_teacher(config, data, "cpu", Silent())
    return label(teacher, data, config.cache_dir, listener)


def label(teacher: ReadyTeacher, data: TaskData, cache: Path, listener=None) -> SoftLabelSet:
    return write_soft_labels(teacher, data, VIEWS, VIEWS_SEED, cache, "cpu", listener or Silent())


@pytest.fixture
def cache(made, tmp_path) -> Path:
    """A copy of it that a test may spoil."""
    shutil.copytree(made, tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def call(capsys, monkeypatch):
    """Exit code, stdout and stderr of `autokd cache ...`."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["autokd", "cache", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


def labels(cache: Path) -> Path:
    (folder,) = (cache / "softlabels").iterdir()
    return folder


# ---- list --------------------------------------------------------------------------------------------------------


def test_the_list_says_what_belongs_to_what(call, cache):
    code, out, err = call("list", "--cache-dir", cache)
    assert (code, err) == (0, "")
    lines = {line.split("  ")[0]: line for line in out.splitlines()[1:]}
    assert f"{labels(cache).name}" in lines["soft labels"]
    assert "test_resnet on " in lines["soft labels"]
    assert "2 views, 90 images, 3 classes" in lines["soft labels"]
    assert "test_resnet on " in lines["teacher"]
    assert "150 images, 3 classes" in lines["images"]

    found = {entry["kind"]: entry for entry in json.loads(call("list", "--json", "--cache-dir", cache)[1])}
    assert found.keys() == {"soft labels", "teacher", "images"}
    assert found["soft labels"]["views"] == 2
    assert found["soft labels"]["bytes"] == sum(path.stat().st_size for path in labels(cache).iterdir())
    assert all(time.time() - entry["last_used"] < 3600 and not entry["held"] for entry in found.values())


def test_an_empty_cache_is_no_error(call, tmp_path):
    assert call("list", "--cache-dir", tmp_path / "none")[:2] == (0, f"{tmp_path / 'none'}: 0 entries, 0.0 MB\n")
    assert call("list", "--json", "--cache-dir", tmp_path / "none")[:2] == (0, "[]\n")
    assert call("verify", "--cache-dir", tmp_path / "none")[0] == 0


def test_listing_does_not_count_as_use(call, cache):
    os.utime(labels(cache), (1e9, 1e9))
    call("list", "--cache-dir", cache)
    call("verify", "--cache-dir", cache)
    assert labels(cache).stat().st_mtime == 1e9


def test_what_cannot_be_read_is_listed_too(call, cache):
    (labels(cache) / "about.json").write_text("?")
    for path in (cache / "teachers").glob("*/teacher.json"):
        path.write_text("[]")
    code, out, _ = call("list", "--cache-dir", cache)
    assert code == 0
    assert "unknown" in out


# ---- verify ------------------------------------------------------------------------------------------------------


def test_sound_soft_labels_are_computed_again(call, cache):
    code, out, _ = call("verify", "--cache-dir", cache)
    assert code == 0
    assert f"{labels(cache).name}: sound; 4 chunks, 4 of them computed again by the teacher" in out


@pytest.mark.parametrize("name", ["view-0000.npy", "view-0001.npy", "view-0000.json", "view-0001.json", "about.json"])
def test_a_flipped_byte_in_any_file_is_found_named_and_mended(call, cache, made, name):
    path = labels(cache) / name
    sound = path.read_bytes()
    for place in np.linspace(0, len(sound) - 1, 6).astype(int):
        content = bytearray(sound)
        content[place] ^= 4
        path.write_bytes(content)
        code, out, err = call("verify", labels(cache).name[:6], "--cache-dir", cache, "--samples", 0)
        assert code == 1, f"byte {place}"
        line = err.splitlines()[-1]
        assert line.startswith(f"autokd: soft labels {labels(cache).name}: ")
        assert (f"view {int(name[5:9])}" if name.startswith("view") else name) in line
        assert (
            line.removeprefix("autokd: ")
            .split(";")[0]
            .split(" (and")[0]
            .removeprefix(f"soft labels {labels(cache).name}: ")
            in out
        )
    write_again(cache, made)
    assert call("verify", "--cache-dir", cache)[0] == 0
    if name.endswith(".npy"):
        assert path.read_bytes() == sound


def write_again(cache: Path, made: Path) -> None:
    """What the next search would do."""
    pictures = made.parent / "pictures"
    config = settings(data=str(pictures), teacher_weights="scratch", teacher_epochs=5, batch_size=16, cache_dir=cache)
    assert write(config).folder == str(labels(cache))


def swap_classes(folder: Path) -> None:
    """Wrong logits in view 1, chunk 1, with the checksum that fits them."""
    layout, entry = layout_of(90, 3), read_sealed(entry_path(folder, 1), View)
    rows = np.load(view_path(folder, 1))[64:90].copy()
    rows[:, [0, 1]] = rows[:, [1, 0]]
    write_chunk(folder, 1, layout, 1, rows)
    chunk = entry.chunks[1].model_copy(update={"crc32": zlib.crc32(rows.tobytes())})
    write_sealed(entry_path(folder, 1), entry.model_copy(update={"chunks": (entry.chunks[0], chunk)}))


def test_logits_that_were_changed_together_with_their_checksum_are_found(call, cache):
    folder = labels(cache)
    swap_classes(folder)
    assert call("verify", "--cache-dir", cache, "--samples", 0)[0] == 0, "checksums cannot tell"
    code, out, err = call("verify", "--cache-dir", cache)
    assert code == 1
    assert f"soft labels {folder.name}: view 1, chunk 1 differs from the teacher's output by " in err
    assert "standard deviations of its logits" in err
    assert err.rstrip().endswith(f"; remove {folder}")
    assert "1 fault;" in out


def test_wrong_logits_come_before_what_the_next_search_writes_again(call, cache):
    folder = labels(cache)
    swap_classes(folder)
    (folder / "view-0000.npy").unlink()
    code, out, err = call("verify", "--cache-dir", cache)
    assert code == 1
    assert "2 faults; 2 chunks, 2 of them computed again" in out
    assert f"soft labels {folder.name}: view 1, chunk 1 differs from the teacher's output by " in err
    assert err.rstrip().endswith(f" (and 1 more); remove {folder}")


@pytest.mark.parametrize(
    ("file", "cut", "kind", "chunks"),
    [
        ("about.json", 1, "about", 4),
        ("view-0000.json", 1, "entry", 2),
        ("view-0000.npy", None, "rows", 2),
        ("view-0000.npy", 1, "chunk", 4),
    ],
)
def test_a_fault_says_its_kind(cache, file, cut, kind, chunks):
    """`chunks` counts those whose checksum was compared, sound or not."""
    path = labels(cache) / file
    if cut is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-cut])
    check = verify_set(labels(cache), "cpu", 0, None, Silent())
    assert [fault.kind for fault in check.faults] == [kind]
    assert check.chunks == chunks
    assert not check.wrong


def test_a_tolerance_of_almost_nothing_finds_the_rounding(call, cache):
    assert call("verify", "--cache-dir", cache, "--tolerance", 1e-7)[0] == 1


def test_without_the_teacher_only_checksums_are_compared(call, cache):
    weights = next((cache / "teachers").glob("*/weights.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    code, out, _ = call("verify", "--cache-dir", cache)
    assert code == 0
    assert "checksums only: the weights of its teacher have changed" in out
    weights.unlink()
    assert "checksums only: its teacher or its data cannot be loaded again" in call("verify", "--cache-dir", cache)[1]
    shutil.rmtree(cache / "tasks")
    assert "checksums only: its task" in call("verify", "--cache-dir", cache)[1]


def test_a_module_from_python_cannot_be_asked_again(call, made, tmp_path):
    data = open_task(next((made / "tasks").iterdir()))
    label(ready(tiny_teacher().model), data, tmp_path)
    code, out, _ = call("verify", "--cache-dir", tmp_path)
    assert code == 0
    assert "checksums only: its teacher was given from Python" in out


def test_a_teacher_from_a_file_is_read_again(call, cache, made, tmp_path):
    weights = tmp_path / "mine.safetensors"
    shutil.copy(next((cache / "teachers").glob("*/weights.safetensors")), weights)
    config = settings(data=str(made.parent / "pictures"), teacher_weights=str(weights), cache_dir=tmp_path / "own")
    write(config)
    code, out, _ = call("verify", "--cache-dir", tmp_path / "own")
    assert code == 0
    assert "4 of them computed again by the teacher" in out


def test_a_pretrained_teacher_comes_from_the_hub_again(call, cache, monkeypatch):
    from autokd.cache.soft_label_entry import About
    from autokd.soft_labels import verify
    from autokd.weights.loading import read_state

    path, asked = labels(cache) / "about.json", []
    about = read_sealed(path, About)
    write_sealed(path, about.model_copy(update={"source": "pretrained"}))

    def from_hub(name, classes, size, pretrained=False):
        asked.append((name, classes, size, pretrained))
        model = made_up(name, classes, size)
        model.load_state_dict(read_state(cache / about.source))
        return model

    made_up = verify.build
    monkeypatch.setattr(verify, "build", from_hub)
    assert "4 of them computed again" in call("verify", "--cache-dir", cache)[1]
    assert asked == [("test_resnet", 3, 64, True)]

    def unreachable(*_, **__):
        raise ConnectionResetError("connection reset by peer")

    monkeypatch.setattr(verify, "build", unreachable)
    code, out, _ = call("verify", "--cache-dir", cache)
    assert code == 0
    assert "checksums only: its teacher or its data cannot be loaded again (connection reset by peer)" in out


def test_an_unknown_key_is_one_sentence(call, cache):
    code, _, err = call("verify", "zzz", "--cache-dir", cache)
    assert code == 2
    assert "there are no soft labels zzz" in err
    assert "autokd cache list" in err


def test_an_unfinished_set_is_sound(call, cache):
    path = entry_path(labels(cache), 1)
    entry = read_sealed(path, View)
    write_sealed(path, entry.model_copy(update={"chunks": (entry.chunks[0], None)}))
    view = view_path(labels(cache), 1)
    view.write_bytes(view.read_bytes()[:-10])
    code, out, _ = call("verify", "--cache-dir", cache)
    assert code == 0
    assert "sound; 3 chunks, 3 of them" in out
    (cache / "softlabels" / "begun").mkdir()
    assert "begun: sound; 0 chunks" in call("verify", "--cache-dir", cache)[1]


# ---- prune -------------------------------------------------------------------------------------------------------


def age(path: Path, days: float) -> None:
    moment = time.time() - days * 86_400
    os.utime(path, (moment, moment))


def kinds(cache: Path) -> set[str]:
    return {name for name in ("softlabels", "teachers", "images") if any((cache / name).glob("[!.]*"))}


def test_prune_needs_to_know_what(call, cache):
    code, _, err = call("prune", "--cache-dir", cache)
    assert code == 2
    assert "--older-than DAYS, --to-gb X or --all" in err


def test_what_is_old_goes_and_a_dry_run_removes_nothing(call, cache):
    age(labels(cache), 40)
    for folder in (cache / "images").iterdir():
        age(folder, 20)
    code, out, _ = call("prune", "--older-than", 30, "--dry-run", "--cache-dir", cache)
    assert code == 0
    assert out.startswith("would remove soft labels ")
    assert "Would free 0.0 MB; 2 entries with" in out
    assert kinds(cache) == {"softlabels", "teachers", "images"}
    _, out, _ = call("prune", "--older-than", 30, "--cache-dir", cache)
    assert out.startswith("removed soft labels ")
    assert kinds(cache) == {"teachers", "images"}
    assert not list((cache / "softlabels").glob(".*"))


def test_the_least_recently_used_goes_first(call, cache):
    for name, days in (("images", 3), ("softlabels", 2), ("teachers", 1)):
        age(next((cache / name).iterdir()), days)
    entries = json.loads(call("list", "--json", "--cache-dir", cache)[1])
    assert [entry["kind"] for entry in entries] == ["teacher", "soft labels", "images"]
    room = sum(entry["bytes"] for entry in entries[:2]) / 1e9
    call("prune", "--to-gb", room, "--cache-dir", cache)
    assert kinds(cache) == {"softlabels", "teachers"}
    call("prune", "--to-gb", room, "--cache-dir", cache)
    assert kinds(cache) == {"softlabels", "teachers"}
    call("prune", "--to-gb", 0, "--cache-dir", cache)
    assert kinds(cache) == set()
    assert (cache / "tasks").exists()


def test_what_a_running_process_holds_stays(call, cache):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(labels(cache))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    _, out, _ = call("list", "--cache-dir", cache)
    assert ", in use" in out
    code, out, _ = call("prune", "--all", "--cache-dir", cache)
    assert code == 0
    assert "1 entries with 0.0 MB stay, 1 of them in use." in out
    assert kinds(cache) == {"softlabels"}
    assert call("verify", "--cache-dir", cache)[0] == 0
    holder.kill()
    holder.wait()
    call("prune", "--all", "--cache-dir", cache)
    assert kinds(cache) == set()


HOLDING = """
import sys
from pathlib import Path
from autokd.cache.locks import Hold
hold = Hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_hold_ends_with_its_owner_and_stays_in_its_process(cache):
    import pickle

    from autokd.cache.locks import is_held

    hold = Hold(labels(cache))
    copy = pickle.loads(pickle.dumps(hold))  # noqa: S301 - its own
    del hold
    assert not is_held(labels(cache))
    del copy


def test_what_another_process_makes_is_waited_for(tmp_path):
    import fcntl
    import os

    from autokd.cache.locks import one_at_a_time

    other = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)

    class Done(Recorder):
        """The other one is ready as soon as somebody waits."""

        def note(self, text: str) -> None:
            super().note(text)
            os.close(other)

    listener = Done()
    for _ in range(2):
        with one_at_a_time(tmp_path / "lock", listener, "It waits."):
            pass
    assert listener.notes == ["It waits."]


def test_a_hold_leaves_the_end_of_its_process_to_the_system(cache):
    from autokd.cache.locks import is_held

    hold = Hold(labels(cache))
    hold.__del__(lambda: True)  # modules are taken apart by then
    assert is_held(labels(cache))
    hold.__del__()
    assert not is_held(labels(cache))


def test_a_search_holds_what_it_uses(cache, made):
    from autokd.cache.entries import entries
    from autokd.pipeline.services import Parts

    config = settings(
        data=str(made.parent / "pictures"), teacher_weights="scratch", teacher_epochs=5, batch_size=16,
        cache_dir=cache, epochs=VIEWS, trials=2,
    )  # fmt: skip
    parts = Parts()
    prepared = parts.prepare(config, Recorder())
    assert {entry.kind for entry in entries(cache) if entry.held} == {"images"}
    parts.soft_labels(prepared, config, Recorder(), 0.0)
    assert {entry.kind for entry in entries(cache) if entry.held} == {"images", "soft labels"}
    del prepared
    assert not any(entry.held for entry in entries(cache))


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--help"], ["verify", "--help"], ["prune", "--help"]])
def test_help_and_listing_load_no_torch(arguments):
    code = (
        f"import sys; sys.argv = {['autokd', 'cache', *arguments]}\n"
        "from autokd.cli import cli\ncli.main(standalone_mode=False)\n"
        "print([m for m in ('torch', 'timm', 'optuna', 'ray', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
