"""The exported student: timm loads it and sees what autokd saw, input for input and logit for logit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from autokd.data.image_store import to_pixels
from autokd.data.views import clean_view, normalise, store_size
from autokd.errors import RunError
from autokd.export.timm_folder import data_config, export_timm
from autokd.records import FinalistRecord, Interval, Reading, Recipe, SeedResult, Task, Transform
from autokd.zoo.build import build, normalisation

CLASSES = ("cat", "dog & fox", "größe", "10")
STUDENTS = ["test_resnet", "test_vit", "mobilenetv3_small_050"]
# 128 and 72: a margin that would not round away; 96: what mid-sized photos get; 32: padded crops
SIZES = [32, 64, 72, 96, 128]


def task(size: int, interpolation: str = "bicubic") -> Task:
    return Task(
        data="made up",
        fingerprint="0",
        classes=CLASSES,
        train=100,
        val=20,
        test=20,
        transform=Transform(
            image_size=size, crop="padded" if size <= 64 else "resized", flip=True, interpolation=interpolation
        ),
        split_note="",
        test_is_separate=True,
    )


def finalist(student: str) -> FinalistRecord:
    cost = Interval(mean=0.001, low=0.001, high=0.001)
    return FinalistRecord(
        number=4,
        arm="direct",
        role="pick",
        student=student,
        trial=1,
        recipe=Recipe(learning_rate=1e-3, epochs=2, batch_size=16),
        parameters=1,
        ratio=8.0,
        macs=1,
        reading=Reading(
            model=student,
            capacity_rps=None,
            latency_ms=None,
            cost_usd_per_1k=cost,
            noisy=False,
            batch_size=None,
            rounds=0,
        ),
        seeds=(SeedResult(seed=1, val_accuracy=0.9, test_accuracy=0.9, device_seconds=1.0),),
    )


def trained(path: Path, student: str, size: int, seed: int = 0) -> torch.nn.Module:
    """A model with weights of its own in every tensor, saved as the confirmation saves it."""
    torch.manual_seed(seed)
    model = build(student, len(CLASSES), size)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.05)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return model.eval()


def exported(tmp_path: Path, student: str, size: int, seed: int = 0) -> torch.nn.Module:
    """Export to tmp_path/student; returns the model that went in."""
    model = trained(tmp_path / "weights.safetensors", student, size, seed)
    export_timm(tmp_path / "student", finalist(student), tmp_path / "weights.safetensors", task(size), "# Card\n")
    return model


def loaded(tmp_path: Path) -> torch.nn.Module:
    return timm.create_model(f"local-dir:{tmp_path / 'student'}", pretrained=True).eval()


def photo(width: int, height: int) -> Image.Image:
    """Smooth shapes and noise, so that a shift by one pixel shows."""
    generator = np.random.default_rng([width, height])
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 5, height))
    base = np.stack([np.sin(x * y), np.cos(x + y), np.sin(2 * x)], -1) * 80 + 128
    return Image.fromarray((base + generator.normal(0, 25, base.shape)).clip(0, 255).astype(np.uint8))


def own_input(image: Image.Image, student: str, made: Task) -> torch.Tensor:
    """What the training and the evaluation feed the student."""
    pixels = to_pixels(image, store_size(made.transform), made.transform.interpolation)
    return normalise(clean_view(torch.from_numpy(pixels)[None], made.transform), *normalisation(student))


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("size", [32, 96])
def test_timm_loads_it_with_the_same_logits_and_the_same_preprocessing(tmp_path, student, size):
    model, again = exported(tmp_path, student, size), loaded(tmp_path)
    images = torch.randn(3, 3, size, size)
    with torch.inference_mode():
        assert torch.equal(again(images), model(images))
        assert again(images).shape == (3, len(CLASSES))

    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(again))
    image = photo(131, 98)
    theirs, ours = transform(image)[None], own_input(image, student, task(size))
    assert torch.allclose(theirs, ours, atol=1e-5)
    with torch.inference_mode():
        assert torch.allclose(again(theirs), model(ours), atol=1e-4)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", SIZES)
def test_the_preprocessing_holds_for_every_shape_of_picture(tmp_path, size, interpolation):
    made = task(size, interpolation)
    weights = tmp_path / "weights.safetensors"
    trained(weights, "test_resnet", size)
    export_timm(tmp_path / "student", finalist("test_resnet"), weights, made, "")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(loaded(tmp_path)))
    for width, height in [(97, 97), (131, 98), (132, 97), (97, 130), (301, 154), (40, 57), (500, 60), (31, 32)]:
        image = photo(width, height)
        assert torch.allclose(transform(image)[None], own_input(image, "test_resnet", made), atol=1e-5), image.size


def test_timm_resizes_to_the_size_that_was_stored():
    for size in range(8, 400):
        made = task(size)
        config = data_config("test_resnet", made)
        assert int(size / config["crop_pct"]) == store_size(made.transform)
        assert json.loads(json.dumps(config))["crop_pct"] == config["crop_pct"]


def test_config_json_tells_classes_size_and_normalisation(tmp_path):
    exported(tmp_path, "test_vit", 32)
    config = json.loads((tmp_path / "student" / "config.json").read_text(encoding="utf-8"))
    assert config["architecture"] == "test_vit"
    assert config["label_names"] == list(CLASSES)
    assert config["num_classes"] == len(CLASSES)
    assert config["model_args"]["img_size"] == [32, 32]
    kept = config["pretrained_cfg"]
    assert kept["input_size"] == [3, 32, 32]
    assert (tuple(kept["mean"]), tuple(kept["std"])) == normalisation("test_vit")
    assert (tmp_path / "student" / "README.md").read_text() == "# Card\n"


def test_the_weights_are_safetensors_only(tmp_path):
    exported(tmp_path, "test_resnet", 32)
    assert sorted(path.name for path in (tmp_path / "student").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_a_second_export_replaces_the_first(tmp_path):
    exported(tmp_path, "test_vit", 32)
    (tmp_path / "student" / "stray.txt").write_text("of the first")
    model = exported(tmp_path, "test_resnet", 32, seed=1)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded(tmp_path)(images), model(images))
    assert not (tmp_path / "student" / "stray.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student", "weights.safetensors"]


def test_missing_weights_are_told_and_leave_the_older_export(tmp_path):
    exported(tmp_path, "test_resnet", 32)
    with pytest.raises(RunError, match=r"absent\.safetensors is missing"):
        export_timm(tmp_path / "student", finalist("test_resnet"), tmp_path / "absent.safetensors", task(32), "")
    loaded(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "other model"])
def test_damaged_weights_are_told_and_leave_the_older_export(tmp_path, damage):
    exported(tmp_path, "test_resnet", 32)
    weights = tmp_path / "weights.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        trained(weights, "test_vit", 32)
    with pytest.raises(RunError, match=r"weights\.safetensors is damaged .*; start the search again") as caught:
        export_timm(tmp_path / "student", finalist("test_resnet"), weights, task(32), "")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student", "weights.safetensors"]
    loaded(tmp_path)


def test_a_failed_write_leaves_no_half_export(tmp_path, monkeypatch):
    import autokd.export.timm_folder

    exported(tmp_path, "test_resnet", 32)
    before = (tmp_path / "student" / "model.safetensors").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(autokd.export.timm_folder, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        exported(tmp_path, "test_resnet", 32, seed=1)
    assert (tmp_path / "student" / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student", "weights.safetensors"]
