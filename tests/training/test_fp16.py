"""float16 with a scaled loss: it learns, steps that overflow are left out, and a resume gives the same numbers."""

from __future__ import annotations

import pytest
import torch
from test_loop import FixedLogits, same_weights, training, untimed
from test_loop_options import Short
from torch import nn
from torch.amp import GradScaler

from autokd.errors import TrainingError
from autokd.training import loop
from autokd.training.checkpoint import State
from autokd.training.loop import train
from autokd.training.loss_guard import LEAST_SCALE, LossGuard
from autokd.training.step import adamw, clipped_step


def stepped(scaler: GradScaler | None, size: float, steps: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A small network after some clipped steps on losses of this size."""
    net = Short().net
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, fused=True)
    for step in range(steps):
        images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = size * net(images).square().sum()
        (loss if scaler is None else scaler.scale(loss)).backward()
        clipped_step(optimizer, scaler)
    return net, optimizer


@pytest.mark.parametrize("size", [0.01, 100.0])
def test_a_scaled_step_is_the_step_without_a_scale(size):
    ours, theirs = stepped(GradScaler("cpu"), size)[0], stepped(None, size)[0]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_a_step_that_overflows_is_left_out_and_the_scale_is_halved():
    scaler = GradScaler("cpu", init_scale=1e38)
    net, optimizer = stepped(scaler, 100.0, steps=1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), Short().net.parameters(), strict=True))
    assert all(int(state["step"]) == 0 for state in optimizer.state.values())
    assert scaler.get_scale() == pytest.approx(0.5e38)


def test_a_scale_that_held_for_long_is_doubled():
    scaler = GradScaler("cpu", init_scale=8.0, growth_interval=2)
    stepped(scaler, 1.0, steps=3)
    assert scaler.get_scale() == 16.0


def test_a_tiny_model_learns_in_float16():
    reports = list(train(training(name="test_vit", epochs=6, precision="fp16")))
    assert reports[-1].train_loss < 0.7 * reports[0].train_loss
    assert reports[-1].val_accuracy > 0.6


def test_the_model_computes_in_the_precision_that_is_asked_for():
    seen = set()

    class Watching(Short):
        def forward(self, images):
            logits = super().forward(images)
            seen.add((self.training, logits.dtype))
            return logits

    for precision, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32)):
        seen.clear()
        list(train(training(model=Watching(), epochs=1, precision=precision)))
        assert seen == {(True, dtype), (False, dtype)}


@pytest.mark.parametrize("parts", [1, 4])
def test_a_training_that_overflows_at_first_learns_and_resumes_as_if_nothing_had_happened(tmp_path, monkeypatch, parts):
    monkeypatch.setattr(loop, "GradScaler", lambda kind: GradScaler(kind, init_scale=2.0**27, growth_interval=4))

    def short(path=None):
        return training(path, model=Short(), epochs=6, precision="fp16", accumulate=parts)

    whole, path = short(), tmp_path / "checkpoint.pt"
    expected = list(train(whole))
    assert expected[-1].train_loss < expected[0].train_loss

    scale = {}
    for epochs in (2, 3):
        first = train(short(path))
        told = [next(first) for _ in range(epochs)]
        first.close()
        scale[epochs] = torch.load(path)["scaler"]
    assert untimed(told) == untimed(expected[:3])
    assert 1.0 <= scale[2]["scale"] < 2.0**27
    assert scale[2] != scale[3]
    resumed = short(path)
    assert untimed(list(train(resumed))) == untimed(expected)
    assert same_weights(resumed, whole)
    assert torch.load(path)["scaler"] is None  # the training is over


def test_a_checkpoint_of_another_precision_is_continued(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for precision, epochs in (("fp32", 1), ("fp16", 2), ("fp32", 4)):
        running = train(training(path, model=Short(), precision=precision))
        told = [next(running) for _ in range(epochs)]
        running.close()
        assert [report.epoch for report in told] == list(range(1, epochs + 1))


# ---- when it is given up ----------------------------------------------------------------------------------------


def guard(scaler: GradScaler | None) -> LossGuard:
    made = training(model=Short())
    return LossGuard(made, State(made.model, adamw(made.model, made.recipe), scaler=scaler))


def test_few_losses_that_overflow_do_not_count():
    watching = guard(GradScaler("cpu"))
    for loss in (1.0, float("inf"), 0.5, float("nan"), 0.6):
        watching.add(torch.tensor(loss))
    assert watching.mean() == pytest.approx(0.7)


@pytest.mark.parametrize(("scaler", "losses"), [(GradScaler("cpu"), "nin1"), (None, "1n11"), (None, "111i")])
def test_many_of_them_end_the_training_and_without_a_scale_one_does(scaler, losses):
    watching = guard(scaler)
    for loss in losses:
        watching.add(torch.tensor({"n": float("nan"), "i": float("inf"), "1": 1.0}[loss]))
    with pytest.raises(TrainingError, match="the loss was no longer finite in epoch 1"):
        watching.mean()


def test_gradients_that_no_scale_makes_finite_end_the_training():
    watching = guard(GradScaler("cpu", init_scale=LEAST_SCALE / 2))
    watching.add(torch.tensor(1.0))
    with pytest.raises(TrainingError, match="the gradients were no longer finite in epoch 1"):
        watching.mean()


def test_a_training_in_float16_whose_loss_is_never_finite_ends():
    with pytest.raises(TrainingError, match="no longer finite in epoch 1"):
        list(train(training(model=Short(), precision="fp16", teacher=FixedLogits(float("nan")))))
