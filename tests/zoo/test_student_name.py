"""Names of students with settings, and what timm makes of them."""

from __future__ import annotations

import pytest
import timm
import torch

from autokd.errors import UsageError
from autokd.zoo.build import build, build_arguments, check_name
from autokd.zoo.scaling import can_be_scaled, scaled_students
from autokd.zoo.student_name import Spec, base_name, parse

SCALED = {
    "resnet18@width=0.5+depth=0.5": {"layers": [1, 1, 1, 1], "channels": [32, 64, 128, 256]},
    "resnet50@width=0.25": {"layers": [3, 4, 6, 3], "channels": [16, 32, 64, 128]},
    "convnext_femto@width=0.5+patch_size=2": {"depths": [2, 2, 6, 2], "dims": [24, 48, 96, 192], "patch_size": 2},
    "vit_tiny_patch16_224@depth=0.25+patch_size=4": {"embed_dim": 192, "depth": 3, "patch_size": 4, "img_size": 32},
    "deit_tiny_patch16_224@width=0.5": {"embed_dim": 96, "depth": 12, "img_size": 32},
    "swin_tiny_patch4_window7_224@width=0.5": {"embed_dim": 48, "depths": [2, 2, 6, 2], "img_size": 32},
    "resnet18@output_stride=8": {"output_stride": 8},
}


@pytest.mark.parametrize("name", ["resnet18", "resnet18.a1_in1k", *SCALED])
def test_a_name_is_read_back_as_it_was_written(name: str) -> None:
    assert str(parse(name)) == name
    assert base_name(name) == name.split("@")[0] == parse(name).name


def test_settings_have_one_spelling() -> None:
    assert str(parse("resnet18@depth=0.50+width=0.5")) == "resnet18@width=0.5+depth=0.5"
    assert str(Spec("resnet18", width=1.0)) == "resnet18"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18@", "'' is not a setting"),
        ("resnet18@widht=0.5", "'widht' is not a setting of a student; use width, depth, output_stride, patch_size"),
        ("resnet18@width=0.5+width=0.25", "width is given twice"),
        ("resnet18@width=0", "width '0' is not a number above 0"),
        ("resnet18@depth=nan", "depth 'nan' is not a number above 0"),
        ("resnet18@output_stride=1.5", "output_stride '1.5' is not a whole number above 0"),
        ("resnet18@width=", "width '' is not a number above 0"),
        ("regnety_002@width=0.5", "regnety_002 cannot be scaled"),
        ("resnet1888@width=0.5", "resnet1888 is not a timm model"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_name(name)


def test_a_setting_that_timm_refuses_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="cannot be built for 32 px images"):
        build("mobilenetv3_small_100@output_stride=7", 10, 32)
    with pytest.raises(UsageError, match="cannot be built for 32 px images"):
        build("vit_tiny_patch16_224@output_stride=8", 10, 32)


@pytest.mark.parametrize("name", list(SCALED))
def test_timm_rebuilds_a_student_from_its_arguments(name: str) -> None:
    arguments = build_arguments(name, 32)
    assert arguments == SCALED[name]
    ours = build(name, 10, 32).eval()
    theirs = timm.create_model(base_name(name), num_classes=10, **arguments).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_half_the_width_has_about_a_quarter_of_the_parameters() -> None:
    whole, half = (
        sum(p.numel() for p in build(name, 10, 32, device="meta").parameters())
        for name in ("resnet18", "resnet18@width=0.5")
    )
    assert 3.9 < whole / half < 4.1


def test_scaled_students_come_once_each() -> None:
    names = scaled_students("resnet18", [0.5, 1, 0.505], [0.5, 1])
    assert names == ["resnet18@width=0.5+depth=0.5", "resnet18@depth=0.5", "resnet18@width=0.5", "resnet18"]


def test_what_can_be_scaled_is_known_by_family() -> None:
    assert can_be_scaled("resnet")
    assert not can_be_scaled("mobilenetv3")
    with pytest.raises(UsageError, match="width and depth are for models of resnet, convnext"):
        scaled_students("mobilenetv3_small_100", [0.5], [1])


@pytest.mark.parametrize("name", ["vit_small_patch16_18x2_224", "vit_base_patch16_xp_224"])
def test_a_vit_of_other_blocks_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be scaled"):
        build(f"{name}@width=0.5", 10, 224)
