"""Data sets by name, and pairs of map-style data sets from Python."""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import pattern, prepared, settings
from PIL import Image

from autokd.data.open_image import UnreadableImage
from autokd.data.sources.open import read_parts
from autokd.data.sources.python_pair import as_image
from autokd.data.task import open_task, prepare_task
from autokd.errors import DataError
from autokd.progress import Silent

# ---- embedded ---------------------------------------------------------------------------------------------------


def test_the_digits_are_the_default_and_are_not_mirrored():
    from sklearn.datasets import load_digits

    data = prepared(settings())
    assert data.task.data == "digits"
    assert data.task.classes == tuple("0123456789")
    assert data.task.train + data.task.val + data.task.test == 1797
    assert (data.task.transform.image_size, data.task.transform.flip) == (32, False)
    bunch = load_digits()
    assert (data.labels == bunch.target).all()
    images = data.images.take(np.arange(1797))
    assert (images[:, 0] == images[:, 1]).all()
    small = torch.nn.functional.adaptive_avg_pool2d(images[:, :1].float(), 8)[:, 0].numpy()
    assert np.corrcoef(small.ravel(), bunch.images.ravel())[0, 1] > 0.95


# ---- torch/ -----------------------------------------------------------------------------------------------------


def write_idx(path: Path, array: np.ndarray) -> None:
    """The format of MNIST and its kin: magic number, sizes, bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">{array.ndim + 1}I", 0x0800 + array.ndim, *array.shape) + array.tobytes())


def write_fashion(
    root: Path, train: int = 200, test: int = 40, name: str = "FashionMNIST"
) -> tuple[np.ndarray, np.ndarray]:
    """A made-up Fashion-MNIST or similar below `root`; returns images and labels, training first."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (train + test, 28, 28), dtype=np.uint8)
    labels = (np.arange(train + test) % 10).astype(np.uint8)
    for part, chosen in (("train", slice(0, train)), ("t10k", slice(train, None))):
        write_idx(root / f"{name}/raw/{part}-images-idx3-ubyte", images[chosen])
        write_idx(root / f"{name}/raw/{part}-labels-idx1-ubyte", labels[chosen])
    return images, labels


@pytest.mark.parametrize(("name", "flip"), [("FashionMNIST", True), ("MNIST", False), ("KMNIST", False)])
def test_characters_are_not_seen_in_a_mirror(tmp_path, name, flip):
    write_fashion(tmp_path, name=name)
    data = "torch/fashion_mnist" if flip else f"torch/{name.lower()}"
    assert read_parts(data, tmp_path).flip is flip


def test_torch_names_are_read_where_they_lie(tmp_path):
    images, labels = write_fashion(tmp_path)
    data = prepared(settings(data="torch/fashion_mnist", data_dir=tmp_path, image_size=28))
    assert data.task.classes[:2] == ("T-shirt/top", "Trouser")
    assert (data.task.train, data.task.val, data.task.test) == (170, 30, 40)
    assert data.task.test_is_separate
    assert (data.labels == labels).all()
    everything = data.images.take(np.arange(240)).numpy()
    assert (everything == images[:, None]).all()


def test_torch_names_stream_from_another_working_directory(tmp_path, monkeypatch):
    images, _ = write_fashion(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    config = settings(data="torch/fashion_mnist", data_dir=Path("here"), image_size=28, resident_gb=1e-9)
    place = prepare_task(config, 160, Silent())
    monkeypatch.chdir("/")
    assert (open_task(place).images.take(np.array([239]))[0, 0].numpy() == images[239]).all()


class NothingIsDecoded(Silent):
    """Fails where images are decoded."""

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        raise AssertionError(f"{what} again")


def test_torch_names_are_decoded_once_and_again_when_their_files_change(tmp_path):
    write_fashion(tmp_path)
    config = settings(data="torch/fashion_mnist", data_dir=tmp_path, image_size=28)
    first = prepare_task(config, 160, Silent())
    (tmp_path / "FashionMNIST/something else").write_text("of no concern")
    assert prepare_task(config, 160, NothingIsDecoded()) == first
    images = tmp_path / "FashionMNIST/raw/train-images-idx3-ubyte"
    content = bytearray(images.read_bytes())
    content[-1] ^= 255
    images.write_bytes(content)
    assert prepare_task(config, 160, Silent()) != first


def test_small_images_set_the_size_whatever_they_come_from(tmp_path):
    write_fashion(tmp_path)
    assert prepared(settings(data="torch/fashion_mnist", data_dir=tmp_path)).task.transform.image_size == 64


def test_an_unknown_torch_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"torch/fishes is not known; choose torch/cifar10, .*torch/mnist, or"):
        read_parts("torch/fishes", None)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist", "kmnist", "mnist"])
def test_missing_files_offline_are_one_sentence_and_leave_stdout_alone(tmp_path, monkeypatch, capsys, name):
    def offline(*_, **__):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(
        DataError, match=rf"torch/{name} is not in .* and cannot be downloaded .*; put it there"
    ) as caught:
        read_parts(f"torch/{name}", tmp_path)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


# ---- hfds/ and wds/ ---------------------------------------------------------------------------------------------


def test_without_the_package_hfds_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'autokd\[datasets\]'"):
        read_parts("hfds/somebody/something", None)


def write_hf(root: Path, labels, feature, shift: int = 0, hidden: tuple[str, ...] = ()) -> Path:
    import datasets

    root.mkdir()
    features = datasets.Features({"image": datasets.Image(), "label": feature})
    for start, split in enumerate(("train", "validation", "test")):
        images = [Image.fromarray(pattern(i % 3, 100 * start + i + shift)) for i in range(len(labels))]
        told = [-1] * len(labels) if split in hidden else labels
        content = datasets.Dataset.from_dict({"image": images, "label": told}, features=features)
        content.to_parquet(str(root / f"{split}.parquet"))
    return root


@pytest.fixture
def hf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("the package datasets is not installed")
    return tmp_path


def test_hfds_names_are_read_with_their_class_names(hf):
    import datasets

    labels = [i % 3 for i in range(60)]
    root = write_hf(hf / "made", labels, datasets.ClassLabel(names=["cat", "dog", "fox"]))
    data = prepared(settings(data=f"hfds/{root}", data_dir=hf / "cache", image_size=32))
    assert data.task.classes == ("cat", "dog", "fox")
    assert (data.task.train, data.task.val, data.task.test) == (60, 60, 60)
    assert data.labels.tolist() == labels * 3
    for part, start in ((data.train, 0), (data.val, 1), (data.test, 2)):
        for number, shown in enumerate(data.images.take(part).numpy()):
            assert (shown.transpose(1, 2, 0) == pattern(number % 3, 100 * start + number)).all()


def test_a_test_part_with_hidden_labels_gives_way_to_validation(hf):
    import datasets

    names = datasets.ClassLabel(names=["cat", "dog", "fox"])
    root = write_hf(hf / "made", [i % 3 for i in range(150)], names, hidden=("test",))
    data = prepared(settings(data=f"hfds/{root}", data_dir=hf / "cache", image_size=32))
    assert (data.task.train, data.task.val, data.task.test) == (126, 24, 150)
    assert data.task.test_is_separate
    assert data.task.split_note.startswith(f"The labels of the test part of hfds/{root} are hidden, so the validation")
    assert "Validation (24 images) was cut from training" in data.task.split_note
    for number, shown in enumerate(data.images.take(data.test).numpy()):
        assert (shown.transpose(1, 2, 0) == pattern(number % 3, 100 + number)).all()


def test_hfds_names_are_decoded_once_and_again_when_their_content_changes(hf):
    import datasets

    root, labels = write_hf(hf / "made", [i % 3 for i in range(60)], datasets.Value("int64")), [0, 1, 2] * 20
    config = settings(data=f"hfds/{root}", data_dir=hf / "cache")
    first = prepare_task(config, 160, Silent())
    assert prepare_task(config, 160, NothingIsDecoded()) == first
    other = write_hf(hf / "other", labels, datasets.Value("int64"), shift=1)
    (other / "train.parquet").replace(root / "train.parquet")
    assert prepare_task(config, 160, Silent()) != first


def test_paths_in_hfds_are_opened_like_those_of_a_folder_and_images_may_be_missing(hf):
    import datasets
    import pyarrow.parquet as pq

    os.mkfifo(hf / "pipe.png")
    Image.fromarray(pattern(0, 0)).save(hf / "image.png")
    named = [{"bytes": None, "path": str(hf / name)} for name in ("image.png", "pipe.png", "nothing.png")]
    stored = {"bytes": b"%!PS-Adobe-3.0 EPSF-3.0", "path": None}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    (hf / "made").mkdir()
    content = {"image": [*named, stored, None], "label": [0, 1, 0, 1, 0]}
    for split in ("train", "validation", "test"):
        table = datasets.Dataset.from_dict(content, features=features).data.table.cast(features.arrow_schema)
        pq.write_table(table, hf / "made" / f"{split}.parquet")  # without reading the files
    train = read_parts(f"hfds/{hf / 'made'}", hf / "cache").train
    assert (np.asarray(train.read(0)) == pattern(0, 0)).all()
    for index, why in ((1, "not a regular file"), (2, "No such file"), (3, "not a JPEG"), (4, "No such file")):
        with pytest.raises(UnreadableImage, match=why):
            train.read(index)


def test_multi_label_hfds_are_refused(hf):
    import datasets

    root = write_hf(hf / "made", [[0, 1]] * 30, datasets.Sequence(datasets.Value("int64")))
    with pytest.raises(DataError, match="multi-label"):
        read_parts(f"hfds/{root}", hf / "cache")


def test_a_missing_hfds_set_is_one_sentence(hf, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        read_parts(f"hfds/{hf / 'absent'}", hf / "cache")
    assert "\n" not in str(caught.value)


def test_streams_without_an_index_are_refused():
    with pytest.raises(DataError, match="no index"):
        read_parts("wds/things", None)


# ---- pairs ------------------------------------------------------------------------------------------------------


class Pictures:
    """Map-style: 3 classes of patterns, as `form` makes them of uint8 [32, 32, 3]."""

    def __init__(self, count: int, form=Image.fromarray, first: int = 0) -> None:
        self.count, self.form, self.first = count, form, first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int):
        return self.form(pattern(i % 3, self.first + i)), i % 3


def pair(form=Image.fromarray):
    return Pictures(150, form), Pictures(30, form, first=500)


FORMS = {
    "array": lambda a: a,
    "channels first": lambda a: a.transpose(2, 0, 1),
    "byte tensor": lambda a: torch.from_numpy(a).permute(2, 0, 1),
    "float tensor": lambda a: torch.from_numpy(a).permute(2, 0, 1) / 255,
    "half tensor": lambda a: (torch.from_numpy(a).permute(2, 0, 1) / 255).half(),
    "float array": lambda a: a / 255,
    "see-through": lambda a: np.dstack([a, np.full(a.shape[:2], 3, np.uint8)]),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_pairs_of_any_form_give_the_same_task(form):
    reference, data = (prepared(settings(image_size=32), each) for each in (pair(), pair(form)))
    assert data.task == reference.task
    assert data.task.test_is_separate
    assert data.labels.tolist() == [*(i % 3 for i in range(150)), *(i % 3 for i in range(30))]
    assert (data.images.take(data.test)[4].numpy().transpose(1, 2, 0) == pattern(1, 504)).all()


def test_grey_arrays_are_images_too():
    ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for value in (ramp, ramp[None], ramp[..., None], torch.from_numpy(ramp)):
        assert (np.asarray(as_image(value)) == ramp).all()


REFUSED = {
    "normalised": torch.randn(3, 8, 8),
    "not a number": torch.full((3, 8, 8), float("nan")),
    "0 to 255": torch.rand(3, 8, 8) * 255,
    "int64": torch.zeros(3, 8, 8, dtype=torch.int64),
    "five channels": np.zeros((8, 8, 5), np.uint8),
    "a row": np.zeros(8, np.uint8),
    "a word": "cat.png",
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_values_that_are_no_images_are_refused(value):
    with pytest.raises(DataError, match="data= gives"):
        as_image(value)


def test_normalised_tensors_are_refused_while_reading():
    with pytest.raises(DataError, match="before normalisation"):
        prepared(settings(), pair(lambda a: (torch.from_numpy(a).permute(2, 0, 1) / 255 - 0.45) / 0.22))


def test_targets_are_used_without_decoding_and_never_past_a_target_transform():
    class Known(Pictures):
        def __init__(self, count: int, transform=None) -> None:
            super().__init__(count)
            self.targets, self.target_transform = [i % 3 for i in range(count)], transform

        def __getitem__(self, i: int):
            decoded.append(i)
            image, label = super().__getitem__(i)
            return image, label if self.target_transform is None else self.target_transform(label)

    decoded: list[int] = []
    assert read_parts("", None, (Known(90), Known(60))).train.labels.tolist() == [0, 1, 2] * 30
    assert len(decoded) <= 3  # for the common size
    merged = read_parts("", None, (Known(9, lambda y: y % 2), Known(6, lambda y: y % 2)))
    assert merged.train.labels.tolist() == [0, 1, 0] * 3


@pytest.mark.parametrize("label", [[0, 1, 0], 0.5, "cat", np.array([1, 0]), torch.tensor([0.0, 1.0])])
def test_labels_that_are_no_class_number_are_refused(label):
    class Odd(Pictures):
        def __getitem__(self, i: int):
            return super().__getitem__(i)[0], label

    with pytest.raises(DataError, match="multi-label and regression"):
        read_parts("", None, (Odd(4), Odd(4)))


class Hidden(Pictures):
    def __getitem__(self, i: int):
        return super().__getitem__(i)[0], -1


def test_parts_whose_labels_are_all_hidden_are_left_out():
    parts = read_parts("", None, (Pictures(4), Hidden(4)))
    assert parts.test is None
    assert parts.note.endswith("are hidden, so it is cut from training.")
    with pytest.raises(
        DataError, match=r"all labels of the training part of .* are hidden \(-1\); give data with labels"
    ):
        read_parts("", None, (Hidden(4), Pictures(4)))


def test_some_hidden_labels_among_others_are_refused():
    class Mixed(Pictures):
        def __getitem__(self, i: int):
            return super().__getitem__(i)[0], i - 1

    with pytest.raises(DataError, match="negative label"):
        read_parts("", None, (Pictures(4), Mixed(4)))


@pytest.mark.parametrize("value", [Pictures(3), (Pictures(3),), (iter([]), iter([])), 7])
def test_what_is_no_pair_is_refused(value):
    with pytest.raises(DataError, match="pair of map-style data sets"):
        read_parts("", None, value)


def test_an_empty_part_is_refused():
    with pytest.raises(DataError, match="empty"):
        read_parts("", None, (Pictures(4), Pictures(0)))


def test_names_of_classes_are_taken_where_the_pair_has_them():
    train, test = pair()
    train.classes = ["cat", "dog", "fox", "unseen"]
    assert read_parts("", None, (train, test)).classes == ("cat", "dog", "fox", "unseen")
    train.classes = ["cat"]
    assert read_parts("", None, (train, test)).classes == ("0", "1", "2")


def test_a_pair_too_large_to_keep_is_refused():
    with pytest.raises(DataError, match="image folder"):
        prepared(settings(resident_gb=1e-9), pair())
