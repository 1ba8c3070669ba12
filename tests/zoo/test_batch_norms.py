"""Batch norms are folded where a forward pass proves the pair, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from timm.layers import BatchNormAct2d, StdConv2d
from torch import nn

from autokd.zoo.batch_norms import ROUNDING, find_pairs, fold_batch_norms, largest_difference
from autokd.zoo.build import build

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def used(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, its batch norms no longer what they begin as."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, NORMS):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, NORMS) for module in model.modules())


@pytest.mark.parametrize(
    ("name", "left"),
    [("test_resnet", 0), ("test_byobnet", 0), ("mobilenetv3_small_050", 0), ("ghostnet_050", 0), ("resnetv2_18", 9)],
)
def test_a_folded_model_gives_the_same_logits(name: str, left: int) -> None:
    model = used(build(name, 7, 32))
    before = norms(model)
    folded = fold_batch_norms(model, IMAGES)
    with torch.no_grad():
        assert largest_difference(model(IMAGES), folded(IMAGES)) <= ROUNDING
    assert norms(model) == before > norms(folded) == left
    assert not any(parameter.requires_grad for parameter in folded.parameters())


class Twice(nn.Module):
    """What the convolution gives is read by the batch norm and once more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.conv(images)
        return (self.norm(features) + features).mean((2, 3))


class Shared(nn.Module):
    """One convolution, two batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(self.conv(self.first(self.conv(images)))).mean((2, 3))


class Between(nn.Module):
    """The activation works in place: the batch norm reads the same tensor, but not what the convolution gave."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.norm = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.act(self.conv(images))).mean((2, 3))


class Tokens(nn.Module):
    """The batch norm is over the tokens, of which there are as many as features."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(32, 32), nn.BatchNorm1d(32)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(images.mean(1))).mean(2)


def pooled(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize(
    "model",
    [
        Twice(),
        Shared(),
        Between(),
        Tokens(),
        pooled(StdConv2d(3, 4, 3), nn.BatchNorm2d(4)),
        pooled(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
    ],
)
def test_what_is_no_pair_stays(model: nn.Module) -> None:
    model = model.eval()
    assert find_pairs(model, IMAGES) == []
    assert fold_batch_norms(model, IMAGES) is model


def test_the_activation_of_a_batch_norm_stays() -> None:
    model = used(pooled(nn.Conv2d(3, 4, 3), BatchNormAct2d(4, act_layer=nn.Hardswish)))
    folded = fold_batch_norms(model, IMAGES)
    assert norms(folded) == 0
    assert torch.allclose(model(IMAGES), folded(IMAGES), atol=1e-6)
    assert any(isinstance(module, nn.Hardswish) for module in folded.modules())


def test_a_linear_layer_takes_its_batch_norm() -> None:
    model = used(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5), nn.BatchNorm1d(5)))
    folded = fold_batch_norms(model, IMAGES)
    assert norms(folded) == 0
    assert torch.allclose(model(IMAGES), folded(IMAGES), atol=1e-5)


def test_a_fold_that_changes_the_logits_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.zoo.batch_norms._fold", lambda pair: None)
    model = used(build("test_resnet", 7, 32))
    assert fold_batch_norms(model, IMAGES) is model


def test_a_model_that_answers_with_several_tensors_stays() -> None:
    class Two(Twice):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
            return self.norm(self.conv(images)), images

    model = Two().eval()
    assert fold_batch_norms(model, IMAGES) is model
