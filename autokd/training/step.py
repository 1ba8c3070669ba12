"""One step of the optimizer on one batch, in as many parts as the memory asks for."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import AdamW, Optimizer

from autokd.data.dataset import UNLABELLED
from autokd.data.image_store import Indices
from autokd.data.views import normalise
from autokd.records import Recipe
from autokd.training.device import autocast
from autokd.training.losses import training_loss
from autokd.training.mixup import draw_mix, mix_images
from autokd.training.presets import preset
from autokd.training.spec import Training
from autokd.zoo.build import head_names

MAX_GRADIENT_NORM = 1.0

Forward = Callable[[Tensor], Tensor]


class Place(NamedTuple):
    """Where in a training a batch is: epoch from 1, step of that epoch from 0, and the view that the epoch shows."""

    epoch: int
    step: int
    view: int


def adamw(model: nn.Module, recipe: Recipe) -> Optimizer:
    """AdamW; no weight decay on biases, norms and what the model exempts, such as position embeddings.

    Each group has its `factor` of the learning rate: in fine-tuning the head is new and learns faster.
    """
    exempt = model.no_weight_decay() if isinstance(model, _Exempting) else set()
    heads = tuple(f"{name}." for name in head_names(model))
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            exempted = any(fnmatchcase(name, pattern) for pattern in exempt)
            key = parameter.ndim > 1 and not exempted, bool(heads) and name.startswith(heads)
            groups.setdefault(key, []).append(parameter)
    head_factor = preset(recipe.fine_tuning).head_factor
    return AdamW(
        [
            {
                "params": parameters,
                "weight_decay": recipe.weight_decay if decays else 0.0,
                "factor": head_factor if is_head else 1.0,
            }
            for (decays, is_head), parameters in groups.items()
        ],
        lr=recipe.learning_rate,
        fused=True,
    )


@runtime_checkable
class _Exempting(Protocol):
    """A timm model that names parameters without weight decay."""

    def no_weight_decay(self) -> set[str]: ...


def take_step(
    training: Training,
    forward: Forward,
    optimizer: Optimizer,
    positions: Indices,
    stored: Tensor,
    place: Place,
    accumulate: int,
    scaler: GradScaler | None = None,
) -> Tensor:
    """Train on one batch; returns its loss, a scalar on the device that nobody has waited for.

    positions: int64 [n] among the training images; stored: their uint8 pixels [n, 3, H, H]. With `accumulate` above 1
    the batch goes through the model in so many parts, whose gradients add up to the whole batch's mean; batch
    normalisation, and the correlation over images of the loss `dist`, then see one part at a time.
    scaler: see `clipped_step`.
    """
    optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=training.device)
    parts = min(accumulate, max(1, len(positions) // 2))  # a batch may be all the labelled images, and these be few
    for number, part in enumerate(np.array_split(np.arange(len(positions)), parts)):
        share = len(part) / len(positions)
        images = stored if parts == 1 else stored[part[0] : part[-1] + 1]
        mixing = place.step * accumulate + number
        loss = _loss(training, forward, positions[part], images, place, mixing) * share
        (loss if scaler is None else scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    clipped_step(optimizer, scaler)
    return total


def clipped_step(optimizer: Optimizer, scaler: GradScaler | None = None) -> None:
    """A step on gradients clipped to norm 1, as by `clip_grad_norm_`, but scaled inside the fused kernel.

    The kernel divides by `grad_scale` where it reads the gradients anyway, as it does for torch.amp.GradScaler; scaling
    them beforehand takes a pass over the memory of all gradients.
    scaler: of float16, which has scaled these gradients. It multiplies the clipping with its own scale, and the kernel
    leaves out a step on gradients that are not finite; after such a step the scale is halved.
    """
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if scaler is not None:
        norm = norm / scaler.scale(torch.ones_like(norm))
    optimizer.grad_scale = ((norm + 1e-6) / MAX_GRADIENT_NORM).clamp(min=1.0)  # type: ignore[attr-defined]
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
        return
    optimizer.found_inf = torch.zeros_like(norm)  # type: ignore[attr-defined]
    optimizer.step()


def _loss(
    training: Training, forward: Forward, positions: Indices, stored: Tensor, place: Place, mixing: int
) -> Tensor:
    data, recipe = training.data, training.recipe
    indices = data.train[positions]
    view = data.view(stored, indices, training.views_seed, place.view)
    labels, seen = _labels(data.labels[indices], training.device)
    soft = training.teacher.logits(place.view, positions, view) if training.teacher and recipe.alpha > 0 else None
    mix = draw_mix(recipe, view, training.seed, place.epoch, mixing)
    with autocast(training.device, training.precision):
        logits = forward(normalise(mix_images(view, mix), *training.normalisation))
    return training_loss(
        logits,
        labels,
        soft,
        recipe.temperature,
        recipe.alpha,
        recipe.loss,
        recipe.beta,
        mix,
        label_smoothing=recipe.label_smoothing,
        seen=seen,
    )


def _labels(labels: Indices, device: str) -> tuple[Tensor, Tensor | None]:
    """Labels on the device and, where some are missing, 1 for each that is not."""
    moved = torch.from_numpy(labels).to(device, non_blocking=True)
    known = labels != UNLABELLED
    if known.all():
        return moved, None
    return moved, torch.from_numpy(known.astype(np.float32)).to(device, non_blocking=True)
