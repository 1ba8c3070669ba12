"""What a training may be asked for, and what it does when memory or patience ends."""

from __future__ import annotations

import math
from typing import Any

import pytest
import timm
import torch
from test_loop import DATA, FixedLogits, same_weights, training, untimed
from torch import nn

from autokd.errors import TrainingError
from autokd.records import EpochReport, Recipe
from autokd.training.checkpoint import State
from autokd.training.compile_and_timing import Compilation, try_compile
from autokd.training.loop import _convolutions, train
from autokd.training.loss_guard import LossGuard
from autokd.training.presets import FINE_TUNING
from autokd.training.step import Place, adamw, clipped_step, take_step
from autokd.zoo.build import build


class Short(nn.Module):
    """A network without batch normalisation, on a device that holds `limit` images; remembers its batches."""

    error: RuntimeError = torch.OutOfMemoryError("CUDA out of memory")

    def __init__(self, limit: int = 10**6, after: int = 0) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.net = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 3))
        self.limit, self.after, self.batches = limit, after, []

    def forward(self, images):
        """Logits."""
        if self.training:
            self.batches.append(len(images))
            if len(images) > self.limit and len(self.batches) > self.after:
                raise self.error
        return self.net(images)


# ---- memory -----------------------------------------------------------------------------------------------------


def test_a_batch_that_does_not_fit_is_halved_until_it_does():
    model = Short(limit=5)
    reports = list(train(training(model=model, epochs=2)))
    assert [report.accumulate for report in reports] == [4, 4]
    assert all("batches in 4 parts" in report.note for report in reports)
    assert model.batches == [16, 8] + [4] * 4 * 3 * 2


def test_what_cudnn_says_of_too_little_memory_halves_a_batch_and_other_errors_end_the_training():
    model = Short(limit=8)
    model.error = RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED")
    assert [report.accumulate for report in train(training(model=model, epochs=1))] == [2]
    model = Short(limit=8)
    model.error = RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")
    with pytest.raises(RuntimeError, match="EXECUTION_FAILED"):
        list(train(training(model=model, epochs=1)))


def test_parts_add_up_to_the_step_of_the_whole_batch():
    """Without batch normalisation the two are the same up to rounding."""
    weights = []
    for parts in (1, 4):
        made = training(model=Short(), accumulate=parts)
        positions = torch.arange(14).numpy()  # parts of 4, 4, 3 and 3
        stored = DATA.images.take(DATA.train[positions])
        take_step(made, made.model, adamw(made.model, made.recipe), positions, stored, Place(1, 0, 0), parts)
        weights.append(torch.cat([p.grad.flatten() for p in made.model.parameters()]))
    assert torch.allclose(weights[0], weights[1], atol=1e-6)
    assert weights[0].norm() > 1e-3


def test_a_training_that_runs_out_later_begins_again_and_ends_as_if_it_had_known(tmp_path):
    late = training(tmp_path / "checkpoint.pt", model=Short(limit=8, after=4), epochs=3)
    told = list(train(late))
    assert [(r.epoch, r.accumulate) for r in told] == [(1, 1), (1, 2), (2, 2), (3, 2)]
    knowing = training(model=Short(limit=8), accumulate=2, epochs=3)
    assert untimed(list(train(knowing))) == untimed(told[1:])
    assert same_weights(late, knowing)


def test_a_checkpoint_of_whole_batches_is_no_use_to_a_training_in_parts(tmp_path):
    path = tmp_path / "checkpoint.pt"
    begun = train(training(path, model=Short(), epochs=3))
    next(begun)
    begun.close()
    told = list(train(training(path, model=Short(), epochs=3, accumulate=2)))
    assert [(r.epoch, r.accumulate) for r in told] == [(1, 2), (2, 2), (3, 2)]
    resumed = list(train(training(path, model=Short(), epochs=3, accumulate=1)))  # and what it has learnt is kept
    assert untimed(resumed) == untimed(told)


def test_memory_for_less_than_two_images_is_said_in_a_sentence():
    with pytest.raises(TrainingError, match="a batch of 2 images does not fit into the memory"):
        list(train(training(model=Short(limit=1))))


@pytest.mark.parametrize("size", [0.01, 100.0])
def test_a_clipped_step_is_that_of_clip_grad_norm(size):
    ours, theirs = Short().net, Short().net
    optimizers = [torch.optim.AdamW(net.parameters(), lr=1e-2, fused=True) for net in (ours, theirs)]
    for step in range(3):
        images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        for net, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            (size * net(images).square().sum()).backward()
        clipped_step(optimizers[0])
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizers[1].step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


# ---- averaged weights --------------------------------------------------------------------------------------------


def test_the_average_is_what_is_evaluated_and_kept(tmp_path):
    plain, averaged = training(), training(ema=0.9)
    without, with_average = list(train(plain)), list(train(averaged))
    assert [r.train_loss for r in without] == [r.train_loss for r in with_average]  # the steps are the same
    assert not same_weights(plain, averaged)
    assert without[-1].val_nll != with_average[-1].val_nll


def test_an_average_of_decay_0_is_not_made_and_a_resumed_one_is_the_same(tmp_path):
    whole = training(ema=0.9)
    expected = untimed(list(train(whole)))
    path = tmp_path / "checkpoint.pt"
    first = train(training(path, ema=0.9))
    for _ in range(2):
        next(first)
    first.close()
    second = training(path, ema=0.9)
    assert untimed(list(train(second))) == expected
    assert same_weights(second, whole)
    model = nn.Linear(2, 2)
    assert State(model, torch.optim.AdamW(model.parameters())).evaluated is model


# ---- the end ----------------------------------------------------------------------------------------------------


def test_a_kill_after_the_last_epoch_trains_nothing_again(tmp_path):
    path = tmp_path / "checkpoint.pt"
    whole = training(path, ema=0.9)
    told = list(train(whole))
    size = path.stat().st_size
    teacher = FixedLogits()
    again = training(path, ema=0.9, teacher=teacher)
    assert untimed(list(train(again))) == untimed(told)
    assert teacher.asked == []
    assert same_weights(again, whole)
    stopped = train(training(tmp_path / "other.pt", ema=0.9))
    next(stopped)
    stopped.close()
    assert size < 0.5 * (tmp_path / "other.pt").stat().st_size  # weights only


def test_a_loss_that_grows_far_beyond_its_beginning_ends_the_training():
    with pytest.raises(TrainingError, match=r"the loss diverged in epoch \d .*where it began with"):
        list(train(training(model=Short(), alpha=0.0, learning_rate=30.0, epochs=6)))


def test_a_model_that_began_almost_without_loss_may_lose_some_of_it():
    """A fitted teacher whose first batch is an easy one is fine-tuned, not given up."""
    made = training()
    for history in (
        [],
        [EpochReport(epoch=1, train_loss=0.001, val_accuracy=1, val_nll=0, learning_rate=1, seconds=1)],
    ):
        guard = LossGuard(made, State(made.model, adamw(made.model, made.recipe), history=history))
        for loss in (0.001, 0.5, 0.4):
            guard.add(torch.tensor(loss))
        assert guard.mean() == pytest.approx(0.901 / 3)
        guard.add(torch.tensor(100.0))
        with pytest.raises(TrainingError, match="diverged"):
            guard.mean()


def test_within_an_epoch_the_loss_is_looked_at_now_and_then(monkeypatch):
    monkeypatch.setattr("autokd.training.loss_guard.CHECK_EVERY", 1)
    teacher = FixedLogits(math.nan)
    with pytest.raises(TrainingError, match="no longer finite"):
        list(train(training(teacher=teacher)))
    assert len(teacher.asked) == 1


# ---- smoothed labels and schedules ---------------------------------------------------------------------------------


def test_smoothed_labels_reach_the_training():
    plain, smoothed = training(epochs=2), training(epochs=2, label_smoothing=0.3)
    first, second = list(train(plain)), list(train(smoothed))
    assert second[0].train_loss != first[0].train_loss
    assert not same_weights(plain, smoothed)


@pytest.mark.parametrize(("schedule", "last"), [("linear", 1 / 24), ("constant", 1.0)])
def test_a_schedule_reaches_the_training(schedule, last):
    """Nine epochs of three steps: the warm-up takes the first epoch."""
    made = training(epochs=9, schedule=schedule)
    rates = [report.learning_rate / made.recipe.learning_rate for report in train(made)]
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(last)


# ---- mixing and repeated views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mixing", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_a_training_on_mixed_images_learns_and_is_repeatable(tmp_path, mixing):
    whole = training(epochs=6, **mixing)
    told = list(train(whole))
    assert told[-1].val_accuracy > 0.6
    path = tmp_path / "checkpoint.pt"
    first = train(training(path, epochs=6, **mixing))
    for _ in range(3):
        next(first)
    first.close()
    assert untimed(list(train(training(path, epochs=6, **mixing)))) == untimed(told)
    assert untimed(told) != untimed(list(train(training(epochs=6))))


@pytest.mark.parametrize("loss", ["kl_zscore", "dist", "dkd", "hard"])
def test_every_loss_trains_through_the_loop(loss):
    told = list(train(training(loss=loss, alpha=0.7, epochs=8)))
    assert told[-1].val_accuracy > 0.9


def test_epochs_beyond_the_views_see_them_again():
    teacher = FixedLogits()
    list(train(training(teacher=teacher, epochs=5, views=2)))
    assert [view for view, _ in teacher.asked][::3] == [0, 1, 0, 1, 0]


# ---- compiling --------------------------------------------------------------------------------------------------


def test_a_compiler_that_fails_is_a_reason(monkeypatch):
    def broken(model):
        raise RuntimeError("no C++ compiler\nand more")

    monkeypatch.setattr(torch, "compile", broken)
    found = try_compile(build("test_resnet", 3, 32), 32, 4, 1000, "cpu")
    assert found == Compilation(used=False, reason="not compiled: torch.compile failed (no C++ compiler)")


@pytest.mark.parametrize(("compiled_ms", "steps", "used"), [(1, 10_000, True), (1, 3, False), (30, 10_000, False)])
def test_compiling_is_used_where_it_saves_more_than_it_takes(monkeypatch, compiled_ms, steps, used):
    times = iter([[0.02, 0.01, 0.01, 0.01], [0.5, *[compiled_ms / 1000] * 3]])
    monkeypatch.setattr("autokd.training.compile_and_timing._step_times", lambda *_: next(times))
    found = try_compile(nn.Linear(1, 1), 32, 4, steps, "cpu")
    assert found.used is used
    assert f"{compiled_ms} ms a step against 10 ms" in found.reason
    assert found.reason.startswith("compiled" if used else "not compiled: it takes 0.5 s and saves")


@pytest.mark.slow
def test_compiled_steps_train_like_eager_ones():
    eager, compiled = training(model=Short(), epochs=2), training(model=Short(), epochs=2, compiled=True)
    without, with_it = list(train(eager)), list(train(compiled))
    assert [r.train_loss for r in with_it] == pytest.approx([r.train_loss for r in without], rel=1e-3)


# ---- groups of the optimizer -----------------------------------------------------------------------------------


def groups_of(name: str, **recipe: Any) -> dict[str, tuple[float, float]]:
    """Weight decay and factor of the learning rate of each parameter."""
    model = timm.create_model(name, num_classes=3, **({"img_size": 32} if "vit" in name else {}))
    made = Recipe(**{"learning_rate": 1e-3, "epochs": 1, "batch_size": 8, "weight_decay": 0.1, **recipe})
    optimizer = adamw(model, made)
    by_identity = {
        id(parameter): (group["weight_decay"], group["factor"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    return {key: by_identity[id(parameter)] for key, parameter in model.named_parameters()}


def test_biases_norms_and_what_the_model_exempts_are_not_decayed() -> None:
    found = groups_of("vit_tiny_patch16_224")
    assert found["pos_embed"] == found["cls_token"] == found["norm.weight"] == found["head.bias"] == (0.0, 1.0)
    assert found["blocks.0.attn.qkv.weight"] == found["head.weight"] == (0.1, 1.0)


def test_the_head_learns_faster_in_fine_tuning_alone() -> None:
    assert {factor for _, factor in groups_of("test_resnet").values()} == {1.0}
    found = groups_of("test_resnet", fine_tuning=True)
    assert {key for key, (_, factor) in found.items() if factor == FINE_TUNING.head_factor} == {"fc.weight", "fc.bias"}
    assert FINE_TUNING.head_factor > 1


def test_what_a_model_exempts_by_a_pattern_is_not_decayed() -> None:
    found = groups_of("xcit_nano_12_p16_224")
    assert found["pos_embed.token_projection.weight"] == (0.0, 1.0)
    assert found["blocks.0.attn.qkv.weight"] == (0.1, 1.0)


# ---- convolutions on a GPU ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deterministic", "flags"), [(True, (True, False)), (False, (False, True))])
def test_convolutions_are_the_same_every_time_or_the_fastest(deterministic, flags):
    cudnn, on_gpu = torch.backends.cudnn, training(deterministic=deterministic, device="cuda:1")
    for asked, expected in ((on_gpu, flags), (training(), (False, False))):
        with _convolutions(asked):
            assert (cudnn.deterministic, cudnn.benchmark) == expected
        assert (cudnn.deterministic, cudnn.benchmark) == (False, False)
