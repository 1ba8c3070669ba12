"""The students of search_spaces/default.toml are real, many-sided, and enough of them fit each usual teacher."""

import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from autokd.zoo.build import build
from autokd.zoo.count import count, count_all
from autokd.zoo.ratio_filter import sift

SPACE = Path(__file__).parents[2] / "search_spaces" / "default.toml"
NAMES = tomllib.loads(SPACE.read_text(encoding="utf-8"))["students"]["include"]


@pytest.fixture(scope="module")
def counts():
    found, refused = count_all(NAMES, 10, 32)
    assert not refused
    return found


def test_names_are_listed_once():
    assert len(NAMES) == len(set(NAMES))


def test_many_families_and_sizes(counts):
    assert len({count.family for count in counts.values()}) >= 15
    sizes = sorted(count.parameters for count in counts.values())
    assert sizes[0] < 0.7e6
    assert sizes[-1] > 40e6
    assert all(larger < 1.5 * smaller for smaller, larger in pairwise(sizes[:-1]))


@pytest.mark.parametrize(
    ("teacher", "distilled", "direct"), [("resnet18", 10, 15), ("resnet50", 12, 25), ("resnet152", 20, 26)]
)
def test_each_usual_teacher_has_a_list(counts, teacher, distilled, direct):
    arms, _ = sift(counts, count(teacher, 10, 32).parameters, 5, 20, teacher)
    assert sum("distill" in allowed for allowed in arms.values()) >= distilled
    assert sum("direct" in allowed for allowed in arms.values()) >= direct


def scores_shape(name, image_size):
    images = torch.zeros(1, 3, image_size, image_size, device="meta")
    with torch.inference_mode():
        return build(name, 10, image_size, device="meta").eval()(images).shape


def test_all_of_them_work_at_28_pixels():
    assert all(scores_shape(name, 28) == (1, 10) for name in NAMES)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "vit" in name or "former" in name or name.startswith("swin")]
)
def test_attention_works_at_224_pixels(name):
    assert scores_shape(name, 224) == (1, 10)


@pytest.mark.parametrize("name", ["lcnet_050", "efficientvit_m0", "mobilevitv2_050"])
@pytest.mark.parametrize("image_size", [28, 64])
def test_students_train_on_batches_of_two(name, image_size):
    model = build(name, 10, image_size).train()
    scores = model(torch.randn(2, 3, image_size, image_size))
    torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
