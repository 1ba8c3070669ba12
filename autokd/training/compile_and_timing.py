"""How long training takes here: for plans, and to see whether compiling pays."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from autokd.formatting import first_line
from autokd.machine import Stopwatch
from autokd.memory import free_memory, is_memory
from autokd.precision import Precision
from autokd.records import Record
from autokd.training.device import autocast
from autokd.training.losses import hard_loss
from autokd.training.memory_layout import with_channels_last

WARM_UP, STEPS = 1, 3
FORWARD = 1 / 3  # of the time of a training step, what a pass without gradients takes
CONTEXT = 600 * 2**20  # bytes of a GPU that a process takes before its first tensor


class Compilation(Record):
    """Whether `torch.compile` is used for a student, and why."""

    used: bool
    reason: str  # in one phrase, with the figures


def training_seconds_per_image(
    model: nn.Module, image_size: int, batch_size: int, device: str, precision: Precision | None = None
) -> float:
    """Device seconds of one image in a training step on made-up data; the model's weights change."""
    times = _step_times(model, model, image_size, batch_size, device, precision)
    return sum(times[WARM_UP:]) / STEPS / batch_size


def bytes_of_training(model: nn.Module, image_size: int, batch_size: int, device: str) -> int:
    """Bytes of a GPU that a process takes for training steps; the model's weights change."""
    free_memory()
    torch.cuda.reset_peak_memory_stats(device)
    _step_times(model, model, image_size, batch_size, device)
    return CONTEXT + torch.cuda.max_memory_reserved(device)


def try_compile(model: nn.Module, image_size: int, batch_size: int, steps: int, device: str) -> Compilation:
    """Whether compiled steps save more time over a training of `steps` than compiling takes; on copies of the model.

    The first compiled step counts as the compilation. An error of the compiler is a reason, never raised.
    """
    eager_model, compiled_model = copy.deepcopy(model), copy.deepcopy(model)
    try:
        eager = min(_step_times(eager_model, eager_model, image_size, batch_size, device)[WARM_UP:])
        forward: Callable[[Tensor], Tensor] = torch.compile(compiled_model)
        first, *later = _step_times(compiled_model, forward, image_size, batch_size, device)
    except Exception as error:  # noqa: BLE001 - whatever the compiler raises
        if is_memory(error):
            return Compilation(used=False, reason="not compiled: there was not enough memory to try it")
        line = first_line(error)
        return Compilation(used=False, reason=f"not compiled: torch.compile failed ({line[:120]})")
    compiled = min(later)
    saved = steps * (eager - compiled)
    figures = f"{1000 * compiled:.3g} ms a step against {1000 * eager:.3g} ms"
    if saved <= first:
        return Compilation(
            used=False,
            reason=f"not compiled: it takes {first:.3g} s and saves {saved:.3g} s over {steps} steps ({figures})",
        )
    return Compilation(used=True, reason=f"compiled: {figures}")


def _step_times(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    image_size: int,
    batch_size: int,
    device: str,
    precision: Precision | None = None,
) -> list[float]:
    """Seconds of each of WARM_UP + STEPS training steps."""
    step, times = made_up_step(model, forward, image_size, batch_size, device, precision), []
    for _ in range(WARM_UP + STEPS):
        watch = Stopwatch()
        step()
        times.append(watch.seconds)
    return times


def made_up_step(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    image_size: int,
    batch_size: int,
    device: str,
    precision: Precision | None = None,
) -> Callable[[], None]:
    """A training step on made-up data that ends when the device has finished; it changes the model's weights."""
    with_channels_last(model, device).train()
    optimizer = AdamW(model.parameters(), lr=1e-6, fused=True)
    images = torch.rand(batch_size, 3, image_size, image_size, device=device).to(memory_format=torch.channels_last)
    labels = torch.zeros(batch_size, dtype=torch.int64, device=device)

    def step() -> None:
        with autocast(device, precision):
            scores = forward(images)
        hard_loss(scores, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        float(scores.detach().sum())  # waits for the device

    return step
