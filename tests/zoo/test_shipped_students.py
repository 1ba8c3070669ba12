"""The students of mobile, convnet and transformer: enough for each usual teacher, and fit for small images.

When they were chosen, every one was trained for a step on images of 32 and 64 pixels; here a sample is, of those that
small batches or few pixels could hurt most.
"""

from __future__ import annotations

import pytest
import torch

from autokd.tune.space.files import read_space
from autokd.zoo.build import build
from autokd.zoo.count import count, count_all
from autokd.zoo.ratio_filter import sift

SAMPLE = [
    ("repghostnet_050", 28),
    ("mobileone_s1", 28),
    ("mobilenetv4_conv_small_035", 28),
    ("efficientformerv2_s0", 28),
    ("densenet121", 32),
    ("regnetz_005", 32),
    ("resnet18@width=0.25+depth=0.5", 32),
    ("convnext_atto@width=0.5", 32),
    ("levit_128s", 32),
    ("pvt_v2_b0", 32),
    ("coatnet_pico_rw_224", 32),
    ("vit_tiny_patch16_224@patch_size=4", 32),
    ("swin_tiny_patch4_window7_224@width=0.25", 32),
]


@pytest.fixture(scope="module", params=["mobile", "convnet", "transformer"])
def counts(request):
    found, refused = count_all(read_space(request.param).names(), 10, 32)
    assert not refused
    return found


def test_many_families_and_sizes(counts):
    assert len({each.family for each in counts.values()}) >= 10
    sizes = [each.parameters for each in counts.values()]
    assert min(sizes) < 0.7e6
    assert max(sizes) > 11e6


@pytest.mark.parametrize(
    ("teacher", "distilled", "direct"), [("resnet18", 10, 12), ("resnet50", 15, 30), ("resnet152", 25, 30)]
)
def test_each_usual_teacher_has_a_list(counts, teacher, distilled, direct):
    arms, _ = sift(counts, count(teacher, 10, 32).parameters, 5, 20, teacher)
    assert sum("distill" in allowed for allowed in arms.values()) >= distilled
    assert sum("direct" in allowed for allowed in arms.values()) >= direct


@pytest.mark.parametrize(("student", "image_size"), SAMPLE)
def test_students_train_on_batches_of_two(student, image_size):
    model = build(student, 10, image_size).train()
    scores = model(torch.randn(2, 3, image_size, image_size))
    torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_the_sample_is_of_these_spaces():
    shipped = {name for space in ("mobile", "convnet", "transformer") for name in read_space(space).names()}
    assert {student for student, _ in SAMPLE} <= shipped
