import pytest
import torch

from autokd.errors import UsageError
from autokd.zoo.build import build, build_arguments, check_name, normalisation


@pytest.mark.parametrize("name", ["resnet152", "resnet152.a1_in1k", "vit_tiny_patch16_224"])
def test_known_names_pass(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("resnet125", "resnet152"), ("vit_tiny", "vit_tiny_patch16_224"), ("resnet152.a9_in1k", "a1_in1k")],
)
def test_unknown_names_suggest_the_nearest(name, suggested):
    with pytest.raises(UsageError, match=suggested):
        check_name(name)


def test_a_name_that_resembles_nothing_says_how_to_list_them():
    with pytest.raises(UsageError, match="list_models"):
        check_name("qqqqqqqq")


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "lcnet_050"])
def test_built_models_score_each_class(name):
    model = build(name, classes=7, image_size=32).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_one_seed_gives_the_same_weights():
    torch.manual_seed(3)
    first = build("test_resnet", 5, 32).state_dict()
    torch.manual_seed(3)
    second = build("test_resnet", 5, 32).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_model_on_meta_has_shapes_only():
    assert {p.device.type for p in build("resnet152", 10, 32, device="meta").parameters()} == {"meta"}


def test_a_size_that_the_model_cannot_be_built_for_is_refused():
    with pytest.raises(UsageError, match="cannot be built for 30 px"):
        build("maxvit_tiny_tf_224", 10, 30)


def test_build_arguments_rebuild_the_model():
    assert build_arguments("resnet18", 32) == {}
    assert build_arguments("vit_tiny_patch16_224", 48) == {"img_size": 48}


def test_normalisation_is_that_of_the_weights():
    half = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert normalisation("vit_tiny_patch16_224") == half
    assert normalisation(build("vit_tiny_patch16_224", 10, 32, device="meta")) == half
    assert normalisation("resnet18") == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
