"""Many classes: the largest logits and the sum of the rest, exact where it can be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import Recorder, small_task
from helpers_teachers import ready, soft_labels
from torch import nn

from autokd.cache.soft_label_entry import TOP
from autokd.soft_labels.format import layout_of
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.topk import deviation, pack, unpack

CLASSES = 1500


def logits(classes: int = CLASSES, images: int = 20) -> torch.Tensor:
    return torch.randn(images, classes, generator=torch.Generator().manual_seed(0)) * 3


def rounded(scores: torch.Tensor) -> torch.Tensor:
    """As fp16 stores them, so that only what top-k leaves out differs."""
    return scores.half().float()


def test_up_to_a_thousand_classes_all_logits_are_stored():
    layout, scores = layout_of(20, 1000), logits(1000)
    rows = pack(scores, layout)
    assert (rows.shape, rows.dtype) == ((20, 1000), np.float16)
    assert torch.equal(unpack(rows, layout, "cpu"), scores.half())


@pytest.mark.parametrize("classes", [1001, CLASSES, 70_000])
def test_the_mass_is_exact_at_temperature_one(classes):
    layout, scores = layout_of(8, classes), rounded(logits(classes, 8))
    dense = unpack(pack(scores, layout), layout, "cpu")
    assert dense.shape == scores.shape
    largest = scores.topk(TOP).indices
    true, found = scores.double().softmax(1), dense.double().softmax(1)
    assert torch.allclose(found.gather(1, largest), true.gather(1, largest), rtol=1e-5, atol=0)
    assert torch.allclose(dense.gather(1, largest), scores.gather(1, largest))
    rest = torch.ones_like(true).scatter(1, largest, 0.0)
    assert torch.allclose((found * rest).sum(1), (true * rest).sum(1), rtol=1e-5, atol=0)
    assert pack(scores, layout).nbytes == layout.dtype.itemsize * 8 < scores.numel() * 2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_it_is_exact_at_any_temperature_where_the_rest_is_uniform(temperature):
    scores = rounded(logits())
    largest = scores.topk(TOP)
    scores = torch.full_like(scores, -2.5).scatter(1, largest.indices, largest.values)
    layout = layout_of(20, CLASSES)
    dense = unpack(pack(scores, layout), layout, "cpu")
    assert torch.allclose((dense / temperature).softmax(1), (scores / temperature).softmax(1), rtol=1e-4)


def test_other_temperatures_are_approximate():
    layout, scores = layout_of(20, CLASSES), rounded(logits())
    dense = unpack(pack(scores, layout), layout, "cpu")
    assert not torch.allclose((dense / 4).softmax(1), (scores / 4).softmax(1), rtol=0.1)


def test_the_deviation_is_in_standard_deviations():
    for classes in (10, CLASSES):
        layout, scores = layout_of(20, classes), rounded(logits(classes))
        rows = pack(scores, layout)
        assert deviation(rows, scores, layout) < 1e-5
        assert deviation(pack(scores + 0.5 * scores.std(), layout), scores, layout) == pytest.approx(0.5, rel=0.05)
        broken = scores.clone()
        broken[3, 1] = float("nan")
        assert not deviation(rows, broken, layout) <= 1e9


class Wide(nn.Module):
    """Many classes out of a few colours."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, CLASSES)
        nn.init.normal_(self.head.weight, std=20.0)

    def forward(self, images):
        """Logits [n, CLASSES]."""
        return self.head(images.mean((2, 3)))


def test_a_set_of_many_classes_is_small_and_says_what_it_is(tmp_path):
    data = small_task()
    classes = tuple(f"class {i}" for i in range(CLASSES))
    data = dataclasses.replace(data, task=data.task.model_copy(update={"classes": classes, "fingerprint": "wide"}))
    teacher, listener = ready(Wide()), Recorder()
    made = soft_labels(tmp_path, 2, teacher, data, listener=listener)
    (remark,) = made.remarks
    assert remark in listener.notes
    assert remark.startswith("Of 1,500 classes the 256 largest logits of an image are stored")
    array = np.load(Path(made.folder) / "view-0001.npy", mmap_mode="r")
    assert array.dtype.names == ("logits", "classes", "rest")
    assert array.dtype.itemsize == 256 * 4 + 4
    found = SoftLabels(Path(made.folder), 2, "cpu").logits(1, np.array([5, 5, 40]), None)
    assert (found.shape, found.dtype) == ((3, CLASSES), torch.float32)
    assert torch.equal(found[0], found[1])
    assert soft_labels(tmp_path, 2, teacher, data).reused == 2
