"""Batch norms folded into the convolution or linear layer before them: the same answers within rounding, fewer passes.

In evaluation mode a batch norm multiplies and shifts every channel by constants, and so does the layer before it with
other weights (Jacob et al. 2018, arXiv:1712.05877, section 3.2). A pair is folded only where one forward pass shows
that it is one: the batch norm's input is that layer's output, unchanged, and nothing else reads it.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import nn
from torch.autograd.graph import Node
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

ROUNDING = 1e-4  # largest difference of two logits that are alike, as a share of the largest logit
_Layer = nn.Conv1d | nn.Conv2d | nn.Linear
_Norm = nn.BatchNorm1d | nn.BatchNorm2d  # BatchNormAct2d is one, with its activation
_LAYERS = (nn.Conv1d, nn.Conv2d, Conv2dSame, nn.Linear)  # these very classes: others compute their weights in forward
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, BatchNormAct2d)


@dataclass(frozen=True)
class Pair:
    """A layer and the batch norm that alone reads its output."""

    layer: _Layer
    norm: _Norm


def fold_batch_norms(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """A copy without the batch norms that can be folded; the model itself where there are none, or logits would change.

    model: in evaluation mode. images: [batch, channels, height, width], on its device; what forward raises for them is
    passed on.
    """
    folded = copy.deepcopy(model)
    pairs = find_pairs(folded, images)
    if not pairs:
        return model
    with torch.no_grad():
        for pair in pairs:
            _fold(pair)
        _replace(folded, {pair.norm: _rest(pair.norm) for pair in pairs})
        alike = largest_difference(model(images), folded(images)) <= ROUNDING
    return folded.requires_grad_(False) if alike else model


def largest_difference(logits: torch.Tensor, others: torch.Tensor) -> float:
    """Between two tensors of logits, as a share of the largest of the first; NaN if one of them holds a NaN."""
    difference, largest = float((logits - others).abs().max()), float(logits.abs().max())
    return difference / largest if largest else difference


def find_pairs(model: nn.Module, images: torch.Tensor) -> list[Pair]:
    """Pairs of a model in evaluation mode, found in the graph that autograd keeps of a forward pass.

    No pairs where the model does not answer with one tensor.
    """
    layers: dict[Node, _Layer] = {}  # by the last step of their computation
    pairs: dict[Node, Pair] = {}
    calls: Counter[nn.Module] = Counter()

    def note_layer(layer: _Layer, inputs: object, output: torch.Tensor) -> None:  # noqa: ARG001 - a hook's arguments
        calls[layer] += 1
        if output.grad_fn is not None and (output.dim() == 2 or not isinstance(layer, nn.Linear)):
            layers[output.grad_fn] = layer

    def note_norm(norm: _Norm, inputs: tuple[torch.Tensor, ...], output: object) -> None:  # noqa: ARG001
        calls[norm] += 1
        step = inputs[0].grad_fn
        if step in layers and norm.running_mean is not None and norm.running_var is not None:
            pairs[step] = Pair(layers[step], norm)

    hooks = [module.register_forward_hook(note_layer) for module in model.modules() if type(module) in _LAYERS]
    hooks += [module.register_forward_hook(note_norm) for module in model.modules() if type(module) in _NORMS]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logits = model(images.clone().requires_grad_())
    finally:
        for hook in hooks:
            hook.remove()
    if not isinstance(logits, torch.Tensor):
        return []
    readers = Counter(_steps_read(logits))
    return [
        pair for step, pair in pairs.items() if readers[step] == 1 and calls[pair.layer] == 1 and calls[pair.norm] == 1
    ]


def _steps_read(logits: torch.Tensor) -> Iterator[Node]:
    """Steps of the computation behind these logits, each as often as another step reads its result."""
    waiting, seen = [logits.grad_fn], {logits.grad_fn}
    while waiting:
        step = waiting.pop()
        for read, _ in step.next_functions if step is not None else ():
            if read is None:
                continue
            yield read
            if read not in seen:
                seen.add(read)
                waiting.append(read)


def _fold(pair: Pair) -> None:
    layer, norm = pair.layer, pair.norm
    fuse = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101
    layer.weight, layer.bias = fuse(
        layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def _rest(norm: _Norm) -> nn.Module:
    """What of a batch norm stays: its activation."""
    return norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()


def _replace(model: nn.Module, others: dict[_Norm, nn.Module]) -> None:
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _Norm) and child in others:
                setattr(parent, name, others[child])
