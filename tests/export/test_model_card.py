"""The model card, its numbers and its code."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from believable_run import make_cost_model, make_teacher
from PIL import Image
from safetensors.torch import save_file

from autokd.export.model_card import Card, model_card
from autokd.export.timm_folder import export_timm
from autokd.records import (
    FinalistRecord,
    Interval,
    Reading,
    Recipe,
    SeededInterval,
    SeedResult,
    StartWeights,
    Task,
    Transform,
)
from autokd.zoo.build import build

TASK = Task(
    data="images of pets",
    fingerprint="0",
    classes=("cat", "dog", "fox"),
    train=12_345,
    val=20,
    test=20,
    transform=Transform(image_size=32, crop="padded", flip=True),
    split_note="",
    test_is_separate=True,
)
SEEDS = (
    SeedResult(seed=5, val_accuracy=0.9, test_accuracy=0.8765, device_seconds=1.0),
    SeedResult(seed=6, val_accuracy=0.8, test_accuracy=0.9, device_seconds=1.0),
)


def finalist(arm: str) -> FinalistRecord:
    recipe = Recipe(
        temperature=4.0,
        alpha=0.9 if arm == "distill" else 0.0,
        learning_rate=0.0012,
        epochs=6,
        batch_size=64,
    )
    cost = Interval(mean=0.001, low=0.001, high=0.001)
    return FinalistRecord(
        number=4,
        arm=arm,
        role="pick",
        student="test_resnet",
        trial=1,
        recipe=recipe,
        parameters=471_239,
        ratio=8.04,
        macs=1,
        reading=Reading(
            model="test_resnet",
            capacity_rps=None,
            latency_ms=None,
            cost_usd_per_1k=cost,
            noisy=False,
            batch_size=None,
            rounds=0,
        ),
        seeds=SEEDS,
    )


def card(shown: FinalistRecord) -> str:
    accuracy = SeededInterval(mean=0.88, low=0.86, high=0.9, seeds=2)
    chosen: Any = SimpleNamespace(recommended=lambda verdict: SimpleNamespace(finalist=4))
    decision: Any = SimpleNamespace(
        summary="Distill test_resnet.",
        verdict="distill",
        options=chosen,
        finalists=[SimpleNamespace(number=4, accuracy=accuracy)],
    )
    return model_card(Card(decision, shown, TASK, make_teacher(), make_cost_model()))


@pytest.mark.parametrize(
    ("arm", "how"), [("distill", "distilled (T 4, alpha 0.9, loss kl)"), ("direct", "trained directly on the labels")]
)
def test_it_says_what_how_and_how_good(arm, how):
    text = card(finalist(arm))
    for part in (
        f"# test_resnet, {how}",
        "Distill test_resnet.",
        "images of pets, 3 classes, 12,345 training images",
        "RGB, 32 x 32 px",
        "471,239 (8.0x fewer than the teacher)",
        "6 epochs, learning rate 0.0012, batch 64",
        "5, the best of 2 on validation",
        "starts from | random weights",
        "test accuracy of these weights | 87.65 %",
        "test accuracy over all seeds | 88.00 %, 95 % interval 86.00 % to 90.00 % (2 seeds)",
        "teacher | resnet152 (",
        "cost | $0.001 per 1,000 requests ($0.001 to $0.001)",
    ):
        assert part in text
    assert text.startswith("---\nlibrary_name: timm\n")


def test_a_model_that_was_not_trained_says_so_and_under_which_licence():
    trained = finalist("direct")
    weights = StartWeights(source="r160_in1k", licence="apache-2.0", fingerprint="f", key="k", as_is=True)
    untrained = trained.model_copy(
        update={"recipe": trained.recipe.model_copy(update={"epochs": 0}), "seeds": SEEDS[:1], "weights": weights}
    )
    text = card(untrained)
    for part in (
        "# test_resnet, used as it is",
        "starts from | r160_in1k |",
        "licence of these weights | apache-2.0",
        "training | none",
        "seed | none",
    ):
        assert part in text


def test_its_code_runs(tmp_path):
    model = build("test_resnet", 3, 32)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "w.safetensors")
    export_timm(tmp_path / "student", finalist("direct"), tmp_path / "w.safetensors", TASK, card(finalist("direct")))
    text = (tmp_path / "student" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    made: dict = {"image": Image.new("RGB", (48, 40), (200, 10, 10))}
    exec(code.replace("PATH/TO/THIS/FOLDER", str(tmp_path / "student")), made)  # noqa: S102 - what a reader would run
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(made["model"](images), model.eval()(images))
    assert made["inputs"].shape == (1, 3, 32, 32)


def test_its_code_reads_16_bit_grey_as_training_does(tmp_path):
    model = build("test_resnet", 3, 32)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "w.safetensors")
    export_timm(tmp_path / "student", finalist("direct"), tmp_path / "w.safetensors", TASK, card(finalist("direct")))
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "student" / "README.md").read_text(), re.DOTALL)
    deep = np.random.default_rng(0).integers(0, 2**16, (40, 48), dtype=np.uint16)
    made: dict = {"image": Image.fromarray(deep)}
    exec(code.replace("PATH/TO/THIS/FOLDER", str(tmp_path / "student")), made)  # noqa: S102 - what a reader would run
    seen = made["inputs"]
    made["image"] = Image.fromarray((deep >> 8).astype(np.uint8))  # what training makes of it (to_pixels)
    exec(code.replace("PATH/TO/THIS/FOLDER", str(tmp_path / "student")), made)  # noqa: S102
    assert torch.equal(seen, made["inputs"])
