"""Rows of soft labels out of logits, and logits out of rows, for few classes and for many.

With more classes than `ALL_CLASSES` an image keeps its `k` largest logits and the log-sum-exp of the rest:

    rest = log(sum of exp(z_c) over the classes c outside of the k largest)
    z'_c = z_c for the k largest, else rest - log(classes - k)

The probabilities of the k largest, and the mass of all others together, are then exact at temperature 1 (the stored
logits being rounded to fp16). At other temperatures the others count as if they were equal to each other, which
flattens them: the higher the temperature, the more of the mass is approximate.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from autokd.cache.soft_label_entry import Layout
from autokd.soft_labels.format import Rows


def pack(logits: Tensor, layout: Layout) -> Rows:
    """Rows [n] of `layout.dtype` from logits [n, classes] on any device."""
    if layout.top is None:
        return np.asarray(logits.half().cpu().numpy())
    values, classes = logits.float().topk(layout.top)
    rows = np.empty(len(logits), dtype=layout.dtype)
    rows["logits"], rows["classes"] = values.half().cpu().numpy(), classes.cpu().numpy()
    rows["rest"] = _rest(logits, classes).cpu().numpy()
    return rows


def unpack(rows: Rows, layout: Layout, device: str) -> Tensor:
    """Logits [n, classes] on the device: fp16 as stored, or fp32 with the classes outside of the largest made equal."""
    if layout.top is None:
        return torch.from_numpy(rows).to(device, non_blocking=True)
    values, classes, rest = _parts(rows, device)
    level = rest - math.log(layout.classes - layout.top)
    return level[:, None].repeat(1, layout.classes).scatter_(1, classes, values)


def deviation(rows: Rows, logits: Tensor, layout: Layout) -> float:
    """The largest difference of stored rows to logits [n, classes], in standard deviations of these logits."""
    logits = logits.float().cpu()
    if layout.top is None:
        stored, own = torch.from_numpy(rows.astype(np.float32)), logits
    else:
        values, classes, rest = _parts(rows, "cpu")
        stored = torch.cat([values, rest[:, None]], 1)
        own = torch.cat([logits.gather(1, classes), _rest(logits, classes)[:, None]], 1)
    return float((stored - own).abs().max() / logits.std())


def _parts(rows: Rows, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """fp32 [n, k], int64 [n, k], fp32 [n]."""
    values = torch.from_numpy(np.ascontiguousarray(rows["logits"])).to(device).float()
    classes = torch.from_numpy(rows["classes"].astype(np.int64)).to(device)
    return values, classes, torch.from_numpy(np.ascontiguousarray(rows["rest"])).to(device)


def _rest(logits: Tensor, classes: Tensor) -> Tensor:
    """Log-sum-exp [n] of the logits [n, classes] outside of `classes` [n, k]."""
    return logits.float().scatter(1, classes, -math.inf).logsumexp(1)
