"""The served form: fewer branches and batch norms, the same answers, and what is counted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autokd.zoo.build import build
from autokd.zoo.count import count, counted, module_macs
from autokd.zoo.served_form import build_merged_on_meta, merges, parameters_of, reparameterised, served_form

MERGING = ["repvit_m0_9", "fastvit_t8", "mobileone_s0", "levit_128s", "efficientvit_m0", "shvit_s1", "repghostnet_050"]
SIZE = {"levit_128s": 224}


def trained(name: str) -> nn.Module:
    """A student whose batch norms have seen something."""
    torch.manual_seed(0)
    model = build(name, 7, SIZE.get(name, 64))
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return model.eval()


@pytest.mark.parametrize("name", MERGING)
def test_the_served_form_answers_alike_with_less_work(name: str) -> None:
    model, size = trained(name), SIZE.get(name, 64)
    images = torch.randn(2, 3, size, size)
    served = served_form(model, size)
    with torch.no_grad():
        before, after = model(images), served(images)
    assert torch.allclose(before, after, atol=1e-4 * float(before.abs().max()))
    assert merges(model)
    assert served is not model
    assert parameters_of(model) < sum(p.numel() for p in model.parameters())


def test_where_nothing_merges_or_folds_the_model_itself_is_served() -> None:
    model = build("test_vit", 7, 64)
    assert not merges(model)
    assert served_form(model, 64) is model
    assert not model.training


def test_folding_changes_no_count_but_that_of_parameters() -> None:
    model = build("mobilenetv3_small_050", 7, 64)
    assert (
        module_macs(served_form(model, 64), 64) == module_macs(model, 64) == count("mobilenetv3_small_050", 7, 64).macs
    )
    assert parameters_of(model) == sum(p.numel() for p in model.parameters())


def test_a_module_of_ones_own_may_have_a_method_of_that_name() -> None:
    class Layer(nn.Linear):
        def fuse(self, other: nn.Module) -> nn.Module:
            raise AssertionError(other)

    model = nn.Sequential(Layer(3, 3))
    assert reparameterised(model) is model


@pytest.mark.parametrize("name", ["mobileone_s0", "repvit_m0_9"])
def test_the_catalogue_counts_the_served_form(name: str) -> None:
    listed, model = count(name, 7, 64), build(name, 7, 64)
    assert listed == counted(name, 7, 64)
    assert listed.parameters == parameters_of(model)
    assert listed.macs == module_macs(model, 64)
    assert listed.parameters < sum(p.numel() for p in model.parameters())


def test_a_merged_form_on_the_meta_device_has_no_data() -> None:
    merged = build_merged_on_meta("mobileone_s0", 7, 64)
    assert {parameter.device.type for parameter in merged.parameters()} == {"meta"}
