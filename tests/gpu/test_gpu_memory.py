"""A GPU whose memory is too small, by a limit on this process: batches are halved, and cost says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autokd.cost.measure import measure
from autokd.data.task import TaskData
from autokd.errors import ConfigError, TooLargeError
from autokd.memory import is_device_memory
from autokd.records import CostModel, Recipe
from autokd.soft_labels.live_teacher import RunningTeacher
from autokd.training.evaluate import predict
from autokd.training.loop import Training, train
from autokd.zoo.build import build

PLAIN = ((0.0,) * 3, (1.0,) * 3)
MB = 2**20
Room = Callable[[int], AbstractContextManager[None]]


class Hungry(nn.Module):
    """Takes so many MB an image; remembers how many images it could take at a time."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.megabytes, self.fitted = megabytes, list[int]()
        self.head = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 3]."""
        meal = torch.empty(len(images), self.megabytes * MB, dtype=torch.uint8, device=images.device)
        self.fitted.append(len(meal))
        return self.head(images.float().mean((2, 3)).to(self.head.weight.dtype))


def test_the_error_of_the_allocator_is_known(with_room: Room) -> None:
    with with_room(64 * MB), pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(256 * MB, dtype=torch.uint8, device="cuda")
    assert is_device_memory(caught.value)


def test_evaluation_goes_on_in_halves(data: TaskData, with_room: Room) -> None:
    indices = np.tile(data.val, 4)[:100]
    model = Hungry(8).to("cuda")
    with with_room(400 * MB):
        found = predict(model, data, indices, PLAIN, "cuda")
    assert max(model.fitted) == 25
    model.megabytes = 0
    assert torch.allclose(found, predict(model, data, indices, PLAIN, "cuda"), atol=1e-2)


def test_a_live_teacher_and_soft_labels_go_on_in_halves(with_room: Room) -> None:
    model = Hungry(8)
    teacher = RunningTeacher(model, PLAIN, "cuda")
    with with_room(400 * MB):
        scores = teacher.scores(torch.rand(64, 3, 32, 32, device="cuda"))
    assert scores.shape == (64, 3)
    assert max(model.fitted) == 32


def test_a_training_goes_on_in_parts_or_ends_in_a_sentence(data: TaskData, with_room: Room) -> None:
    def reports(megabytes: int) -> list[int]:
        recipe = Recipe(learning_rate=1e-3, epochs=1, batch_size=32)
        model = Hungry(megabytes)
        return [r.accumulate for r in train(Training(data, model, PLAIN, recipe, 0, 0, "cuda"))]

    with with_room(400 * MB):
        assert reports(16) == [2]
        with pytest.raises(TooLargeError, match="a batch of 2 images does not fit"):
            reports(300)


def test_cost_says_what_does_not_fit(with_room: Room) -> None:
    model = CostModel(
        model="measured",
        price_usd_per_hour=1,
        price_source="test",
        price_date="2026-01-01",
        instance="test",
        train_price_usd_per_hour=1,
        device="cuda",
        runtime="eager",
        batch_size=64,
        image_size=32,
    )
    with with_room(400 * MB):
        found = measure(
            {"test_resnet": lambda: build("test_resnet", 3, 32), "hungry": lambda: Hungry(16)}, "test_resnet", model
        )
        assert list(found) == ["test_resnet"]
        with pytest.raises(ConfigError, match="does not fit into the memory of cuda; give a smaller"):
            measure({"hungry": lambda: Hungry(16)}, "hungry", model)
