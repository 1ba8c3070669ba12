import json

import pytest

from autokd.errors import UsageError
from autokd.progress import Silent
from autokd.zoo import count as count_module
from autokd.zoo.build import build
from autokd.zoo.count import count, count_all, family, module_macs

NOT_TRIED = 48  # px: the catalogue has no counts at this size, so that models are built and counted


@pytest.mark.parametrize("name", ["resnet18", "test_vit", "test_efficientnet", "lcnet_050"])
def test_parameters_are_those_of_the_built_model(name):
    built = sum(p.numel() for p in build(name, 13, 32).parameters())
    assert count(name, 13, 32).parameters == built


def test_known_totals():
    assert count("resnet18", 1000, 224).parameters == 11_689_512
    assert count("resnet152", 10, 32).parameters == 58_164_298


def test_macs_of_resnet18_are_the_published_ones():
    assert count("resnet18", 1000, 224).macs == pytest.approx(1.82e9, rel=0.01)


def test_activations_of_resnet18_are_the_published_ones():
    counted = count("resnet18", 1000, 224)
    assert counted.activations / 1e6 == pytest.approx(2.48, abs=0.005)  # timm's infer benchmark table
    assert counted.layers == 21  # 20 convolutions, 3 of them in shortcuts, and the head


def test_a_student_with_settings_is_counted():
    whole, half = count("resnet18", 10, 32), count("resnet18@depth=0.5", 10, 32)
    assert half.family == "resnet"
    assert half.layers == whole.layers - 8
    assert half.parameters < whole.parameters
    assert half.activations < whole.activations


def test_macs_include_attention():
    """One block of a ViT: 12 d^2 n in its linear layers and 2 n^2 d in its attention; n tokens of width d."""
    width, depth, tokens, patch, classes = 192, 12, 197, 16, 1000
    blocks = depth * (12 * width**2 * tokens + 2 * tokens**2 * width)
    embedding = 3 * patch**2 * width * (tokens - 1)
    assert count("vit_tiny_patch16_224", classes, 224).macs == blocks + embedding + width * classes


def test_models_that_pass_several_tensors_on_are_counted():
    """torch's FLOP counter stumbles over these in inference mode."""
    assert count("pit_ti_224", 10, 32).macs > 0


def test_macs_of_a_module_that_passes_several_tensors_on():
    """torch's counter refuses such modules where their parameters ask for gradients."""
    model = build("pit_ti_224", 10, 32)
    assert module_macs(model, 32) == count("pit_ti_224", 10, 32).macs
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_macs_grow_with_the_image():
    assert count("resnet18", 10, 64).macs > 3 * count("resnet18", 10, 32).macs


def test_family_is_timms_module():
    assert family("resnet18") == "resnet"
    assert count("test_vit", 10, 32).family == "vision_transformer"


def test_models_that_fail_at_this_size_are_refused_with_a_reason():
    counts, refused = count_all(["test_resnet", "inception_v3", "resnet125"], 10, 32)
    assert set(counts) == {"test_resnet"}
    assert "forward pass fails" in refused["inception_v3"]
    assert "did you mean" in refused["resnet125"]
    with pytest.raises(UsageError, match="inception_v3 cannot be used at 32 px"):
        count("inception_v3", 10, 32)


def test_counts_are_kept(tmp_path, monkeypatch):
    names = ["test_resnet", "inception_v3"]
    first = count_all(names, 10, NOT_TRIED, tmp_path)
    monkeypatch.setattr(count_module, "build_merged_on_meta", None)  # nothing may be built again
    assert count_all(names, 10, NOT_TRIED, tmp_path) == first


def test_the_cache_keeps_sizes_and_classes_apart(tmp_path):
    small = count("test_resnet", 10, NOT_TRIED, tmp_path)
    assert count("test_resnet", 10, NOT_TRIED + 32, tmp_path).macs > small.macs
    assert count("test_resnet", 100, NOT_TRIED, tmp_path).parameters > small.parameters
    assert count("test_resnet", 10, NOT_TRIED, tmp_path) == small


@pytest.mark.parametrize("damage", ["", "{", "[]", "\x00", '{"a": 1}'])
def test_a_damaged_cache_is_counted_again(tmp_path, damage):
    expected = count("test_resnet", 10, NOT_TRIED)
    (tmp_path / "counts.json").write_text(damage)
    assert count("test_resnet", 10, NOT_TRIED, tmp_path) == expected
    assert count("test_resnet", 10, NOT_TRIED, tmp_path) == expected


def test_any_digit_of_a_cache_counts(tmp_path):
    expected = count("test_resnet", 10, NOT_TRIED, tmp_path)
    path = tmp_path / "counts.json"
    sound = path.read_text()
    path.write_text(sound.replace(f'"parameters": {expected.parameters}', '"parameters": 1'))
    assert path.read_text() != sound
    assert count("test_resnet", 10, NOT_TRIED, tmp_path) == expected
    assert path.read_text() == sound


def test_entries_of_another_timm_are_not_used(tmp_path):
    expected = count("test_resnet", 10, NOT_TRIED)
    other = {"0.0.1/test_resnet/10/48": {"parameters": 1, "macs": 1, "family": "resnet"}}
    (tmp_path / "counts.json").write_text(json.dumps(other))
    assert count("test_resnet", 10, NOT_TRIED, tmp_path) == expected


def test_progress_is_told():
    class Ear(Silent):
        def __init__(self):
            self.heard = []

        def advance(self, what, done, total, seconds_left):
            self.heard.append((done, total, seconds_left >= 0))

    ear = Ear()
    count_all(["test_resnet", "test_vit"], 10, NOT_TRIED, listener=ear)
    assert ear.heard == [(1, 2, True), (2, 2, True)]
