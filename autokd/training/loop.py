"""The training loop: one student, one recipe, one seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.amp import GradScaler

from autokd.errors import TooLargeError
from autokd.machine import Stopwatch
from autokd.memory import free_memory, is_device_memory
from autokd.naming import named
from autokd.precision import precision_of
from autokd.records import EpochReport
from autokd.training.batches import batch_images, batches
from autokd.training.checkpoint import State, load_checkpoint, save_checkpoint, weights_of
from autokd.training.evaluate import accuracy, nll, predict
from autokd.training.loss_guard import LossGuard
from autokd.training.lr_schedule import learning_rate_factor
from autokd.training.memory_layout import with_channels_last
from autokd.training.spec import TeacherLogits, Training
from autokd.training.step import Forward, Place, adamw, take_step

__all__ = ["TeacherLogits", "Training", "train"]


def train(training: Training) -> Iterator[EpochReport]:
    """Train to the end of the recipe, epoch by epoch; what a checkpoint holds is reported again, not trained again.

    Each epoch's checkpoint is on disk before the epoch is reported, so the caller may stop at any report. Random
    numbers inside the model come from (seed, epoch), whatever else the process draws between epochs. A batch that does
    not fit into memory is halved and the training begins again, its epochs reported again, because batch normalisation
    sees other batches from then on. Raises TrainingError where the loss is no longer finite or has diverged, and where
    not even two images fit.
    """
    model = with_channels_last(training.model, training.device)
    beginning = weights_of(model)
    state, accumulate = _restored(training, beginning), training.accumulate
    if state.history:
        accumulate = state.history[-1].accumulate
        yield from [report.model_copy(update={"restored": True}) for report in state.history]
    forward: Forward = torch.compile(model) if training.compiled else model
    while len(state.history) < training.recipe.epochs:
        report = _epoch(training, state, forward, accumulate)
        if report is None:
            accumulate = _halved(training, accumulate)
            model.load_state_dict(beginning)
            state = _fresh(training)
            continue
        _keep(training, state, report)
        yield report


def _fresh(training: Training) -> State:
    from timm.utils import ModelEmaV3

    recipe, model = training.recipe, training.model
    average = ModelEmaV3(model, decay=recipe.ema, use_warmup=True) if recipe.ema else None
    in_fp16 = (training.precision or precision_of(training.device)) == "fp16"
    scaler = GradScaler(torch.device(training.device).type) if in_fp16 else None
    return State(model, adamw(model, recipe), average, scaler)


def _restored(training: Training, beginning: dict[str, Tensor]) -> State:
    """The state of the checkpoint, unless that was trained in fewer parts than are asked for now."""
    state = _fresh(training)
    if training.checkpoint is not None:
        load_checkpoint(training.checkpoint, state, training.device)
    if state.history and state.history[-1].accumulate < training.accumulate:
        training.model.load_state_dict(beginning)
        return _fresh(training)
    return state


def _halved(training: Training, accumulate: int) -> int:
    batch = batch_images(training.data, training.recipe)
    if batch // (2 * accumulate) < 2:
        raise TooLargeError(
            f"a batch of {batch // accumulate} images does not fit into the memory of the device; "
            f"give a smaller {named('image_size')}, or a device with more memory"
        )
    return 2 * accumulate


def _keep(training: Training, state: State, report: EpochReport) -> None:
    state.history.append(report)
    final = report.epoch == training.recipe.epochs
    if final:
        state.finish()
    if training.checkpoint:
        save_checkpoint(training.checkpoint, state, final)


def _epoch(training: Training, state: State, forward: Forward, accumulate: int) -> EpochReport | None:
    """Train and evaluate one epoch; None where a batch does not fit into memory."""
    watch = Stopwatch()
    epoch = len(state.history) + 1
    with _convolutions(training):
        torch.manual_seed(int(np.random.SeedSequence([training.seed, epoch]).generate_state(1)[0]))
        trained: tuple[float, float] | None = None
        try:
            trained = _steps(training, state, forward, epoch, accumulate)
        except RuntimeError as error:
            if not is_device_memory(error):
                raise
        if trained is None:  # the error is gone, and with it the batch that its traceback kept in memory
            free_memory()
            return None
        loss, rate = trained
        data = training.data
        logits = predict(state.evaluated, data, data.val, training.normalisation, training.device, training.precision)
    labels = data.labels[data.val]
    return EpochReport(
        epoch=epoch,
        train_loss=loss,
        val_accuracy=accuracy(logits, labels),
        val_nll=nll(logits, labels),
        learning_rate=rate,
        seconds=watch.seconds * training.share,
        accumulate=accumulate,
        note="" if accumulate == 1 else f"batches in {accumulate} parts, for lack of memory",
    )


def _steps(training: Training, state: State, forward: Forward, epoch: int, accumulate: int) -> tuple[float, float]:
    """The epoch's mean loss and its last learning rate."""
    data, recipe = training.data, training.recipe
    groups = batches(training, epoch)
    guard = LossGuard(training, state)
    training.model.train()
    stored = data.images.batches([data.train[group.positions] for group in groups])
    for step, (group, images) in enumerate(zip(groups, stored, strict=True)):
        done = (epoch - 1) * len(groups) + step
        rate = recipe.learning_rate * learning_rate_factor(done, recipe.epochs * len(groups), recipe.schedule)
        for parameters in state.optimizer.param_groups:
            parameters["lr"] = rate * parameters["factor"]
        place = Place(epoch, step, group.view)
        loss = take_step(training, forward, state.optimizer, group.positions, images, place, accumulate, state.scaler)
        guard.add(loss)
        if state.average is not None:
            state.average.update(training.model, step=done + 1)
    return guard.mean(), rate


@contextmanager
def _convolutions(training: Training) -> Iterator[None]:
    """On a GPU by algorithms that give the same result every time, or else by those that are fastest when tried."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    if torch.device(training.device).type == "cuda":
        cudnn.deterministic, cudnn.benchmark = training.deterministic, not training.deterministic
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
