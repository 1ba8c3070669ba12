"""What timm publishes for a student, and weights that are loaded into one but for its head."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import ImageNetInfo

from autokd.errors import TrainingError, UsageError
from autokd.weights.published import is_imagenet, published, start_from, without_head
from autokd.zoo.build import build, head_names


def test_a_plain_name_asks_for_timms_default_tag_and_a_tag_for_itself() -> None:
    default, asked = published("resnet18"), published("resnet18.tv_in1k")
    assert default is not None
    assert default.name == f"resnet18.{timm.get_pretrained_cfg('resnet18').tag}"
    assert (default.licence, default.classes) == ("apache-2.0", 1000)
    assert asked is not None
    assert (asked.name, asked.tag) == ("resnet18.tv_in1k", "tv_in1k")


def test_scaled_students_and_models_without_weights_have_none() -> None:
    assert published("resnet18@width=0.5") is None
    assert published("resnet18@output_stride=8") == published("resnet18")
    without = next(name for name in timm.list_models("resnet*") if not timm.get_pretrained_cfg(name).has_weights)
    assert published(without) is None
    with pytest.raises(UsageError, match="timm has no weights 'nonsense'"):
        published("resnet18.nonsense")


def test_a_licence_that_timm_does_not_know_is_not_named() -> None:
    unknown = next(n for n in timm.list_models() if timm.get_pretrained_cfg(n).license == "unknown")
    found = published(unknown)
    assert found is not None
    assert found.licence is None


def test_imagenet_is_known_by_its_names_in_its_order() -> None:
    info = ImageNetInfo()
    synsets = tuple(info.label_names())
    assert is_imagenet(synsets)
    assert is_imagenet(tuple(info.label_descriptions()))
    assert not is_imagenet((synsets[1], synsets[0], *synsets[2:]))
    assert not is_imagenet(tuple(map(str, range(1000))))
    assert not is_imagenet(synsets[:100])


@pytest.mark.parametrize("name", ["test_resnet", "efficientvit_m2", "deit_tiny_distilled_patch16_224"])
def test_weights_without_a_head_leave_the_head_as_it_was_drawn(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    body = without_head(build(name, 1000, 224))
    save_file({key: tensor.contiguous() for key, tensor in body.items()}, tmp_path / "w.safetensors")
    torch.manual_seed(2)
    model = build(name, 7, 224)
    drawn = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    start_from(model, tmp_path / "w.safetensors")
    state = model.state_dict()
    assert all(torch.equal(state[key], body[key]) for key in body)
    head = set(state) - set(body)
    assert head
    assert all(key.startswith(head_names(model)) and torch.equal(state[key], drawn[key]) for key in head)


def test_weights_of_another_student_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = build("test_resnet", 3, 32)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    del state["conv1.0.weight"]
    save_file(state, path)
    with pytest.raises(TrainingError, match="not those of this student"):
        start_from(model, path)
    save_file({"stray": torch.ones(1)}, path)
    with pytest.raises(TrainingError, match="not those of this student"):
        start_from(model, path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TrainingError, match="cannot be used"):
        start_from(model, path)
