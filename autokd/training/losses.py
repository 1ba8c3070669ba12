"""Losses of a training, all computed in float32 whatever the model computes in.

Shapes: logits [n, classes] of any float type, labels int64 [n], weights [n] of the images, None for 1 each. Every loss
is a scalar, the mean over the batch. T is the temperature, p the teacher's and q the student's softmax of logits / T.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.data.dataset import UNLABELLED
from autokd.records import Loss
from autokd.training.mixup import Mix

EPSILON = 1e-7  # keeps a constant row of logits from dividing by zero
DIST_EPSILON = 1e-8  # beside the product of two norms of probabilities


def hard_loss(
    student: Tensor,
    labels: Tensor,
    mix: Mix | None = None,
    smoothing: float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross entropy with the labels, of both images of a mixed pair by their shares (Zhang et al. 2018, section 2).

    smoothing: the share of each label's mass that is spread evenly over all classes, its own included (Szegedy et al.
    2016, arXiv:1512.00567, section 7). With weights a label may be UNLABELLED: it adds nothing, and the mean is over
    all images in any case.
    """
    if weights is not None:
        return (weights * _cross_entropies(student.float(), labels, mix, smoothing)).mean()
    own = F.cross_entropy(student.float(), labels, label_smoothing=smoothing)
    if mix is None:
        return own
    other = F.cross_entropy(student.float(), labels[mix.partner], label_smoothing=smoothing)
    return mix.share * own + (1 - mix.share) * other


def _cross_entropies(student: Tensor, labels: Tensor, mix: Mix | None, smoothing: float) -> Tensor:
    """[n], 0 for an image without a label."""

    def of(targets: Tensor) -> Tensor:
        return F.cross_entropy(student, targets, ignore_index=UNLABELLED, reduction="none", label_smoothing=smoothing)

    return of(labels) if mix is None else mix.share * of(labels) + (1 - mix.share) * of(labels[mix.partner])


def soft_loss(
    student: Tensor,
    teacher: Tensor,
    temperature: float,
    loss: Loss = "kl",
    labels: Tensor | None = None,
    beta: float = 1.0,
    mix: Mix | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """The teacher's term of a training; `teacher` holds raw logits and gets no gradient.

    labels and beta are read by `dkd` alone, which replaces a missing label by the teacher's answer. `dist` weighs
    its part over images, which belongs to all of them, by the mean of the weights. Of a mixed pair the tempered
    probabilities are mixed, never the logits.
    Raises ValueError for `dkd` without labels or with a mix: its formula knows one label an image.
    """
    asked = _Asked(temperature, labels, beta, mix, weights)
    return TERMS[loss](student.float(), teacher.detach().float(), asked)


class _Asked(NamedTuple):
    """Arguments of `soft_loss` in addition to the logits."""

    temperature: float
    labels: Tensor | None
    beta: float
    mix: Mix | None
    weights: Tensor | None


def _kl_term(student: Tensor, teacher: Tensor, asked: _Asked) -> Tensor:
    return kl(student, _target(teacher, asked), asked.temperature, asked.weights)


def _kl_zscore_term(student: Tensor, teacher: Tensor, asked: _Asked) -> Tensor:
    return _kl_term(standardised(student), standardised(teacher), asked)


def _dist_term(student: Tensor, teacher: Tensor, asked: _Asked) -> Tensor:
    return dist(F.softmax(student / asked.temperature, dim=-1), _target(teacher, asked).exp(), asked.weights)


def _dkd_term(student: Tensor, teacher: Tensor, asked: _Asked) -> Tensor:
    labels, weights = asked.labels, asked.weights
    if labels is None or asked.mix is not None:
        raise ValueError("dkd needs one label an image, so it excludes mixup and cutmix")
    if weights is not None:
        labels = torch.where(labels == UNLABELLED, teacher.argmax(dim=-1), labels)
    return dkd(student, teacher, asked.temperature, labels, asked.beta, weights)


def _hard_term(student: Tensor, teacher: Tensor, asked: _Asked) -> Tensor:
    return hard_loss(student, teacher.argmax(dim=-1), asked.mix, weights=asked.weights)


def _target(teacher: Tensor, asked: _Asked) -> Tensor:
    """log p, of a mixed pair with the probabilities mixed."""
    return _mixed(F.log_softmax(teacher / asked.temperature, dim=-1), asked.mix)


TERMS: dict[Loss, Callable[[Tensor, Tensor, _Asked], Tensor]] = {  # as in records/losses.py, which has the formulas
    "kl": _kl_term,
    "kl_zscore": _kl_zscore_term,
    "dist": _dist_term,
    "dkd": _dkd_term,
    "hard": _hard_term,
}


def kl(student: Tensor, target: Tensor, temperature: float, weights: Tensor | None = None) -> Tensor:
    """T^2 * sum over classes of p * log(p / q), in nats; `target` is log p.

    Hinton, Vinyals, Dean 2015 (arXiv:1503.02531), section 2: T^2 keeps the gradient's size independent of T. With
    `standardised` logits this is the loss of Sun et al. 2024.
    """
    student_log = F.log_softmax(student / temperature, dim=-1)
    if weights is None:
        return F.kl_div(student_log, target, reduction="batchmean", log_target=True) * temperature**2
    divergences = F.kl_div(student_log, target, reduction="none", log_target=True).sum(dim=-1)
    return (weights * divergences).mean() * temperature**2


def standardised(logits: Tensor) -> Tensor:
    """(logits - mean) / deviation, both over an image's classes.

    Sun et al. 2024 (arXiv:2403.01427), equation 9; the deviation is the sample's, as in their code. The student then
    has to learn the teacher's relations among classes, not the size of its logits.
    """
    deviation = logits.std(dim=-1, keepdim=True)
    return (logits - logits.mean(dim=-1, keepdim=True)) / (deviation + EPSILON)


def dist(student: Tensor, teacher: Tensor, weights: Tensor | None = None) -> Tensor:
    """(1 - r over classes, mean over images) + (1 - r over images, mean over classes); r is Pearson's correlation.

    Arguments are probabilities [n, classes]. Huang et al. 2022 (arXiv:2205.10536), equations 8 to 10, with weights of
    1. Unlike their code without the factor T^2: a correlation does not shrink with T, so neither does its gradient.
    """
    over_classes, over_images = 1 - pearson(student, teacher), 1 - pearson(student.T, teacher.T)
    if weights is None:
        return over_classes.mean() + over_images.mean()
    return (weights * over_classes).mean() + weights.mean() * over_images.mean()


def dkd(
    student: Tensor, teacher: Tensor, temperature: float, labels: Tensor, beta: float, weights: Tensor | None = None
) -> Tensor:
    """T^2 * (TCKD + beta * NCKD).

    TCKD is KL between (p_label, 1 - p_label) and the same of q, NCKD is KL between p and q over the other classes,
    each made to sum to 1. Zhao et al. 2022 (arXiv:2203.08679), equation 7 with alpha = 1; beta = 1 - p_label would be
    `kl` again (their equation 6).
    """
    chosen = F.one_hot(labels, student.shape[-1]).bool()
    p, q = (F.log_softmax(logits / temperature, dim=-1) for logits in (teacher, student))
    p_other, q_other = (each.masked_fill(chosen, float("-inf")).logsumexp(dim=-1) for each in (p, q))
    p_label, q_label = (each.gather(-1, labels[:, None]).squeeze(-1) for each in (p, q))
    target = p_label.exp() * (p_label - q_label) + p_other.exp() * (p_other - q_other)
    p_rest, q_rest = ((each - other[:, None]).masked_fill(chosen, 0.0) for each, other in ((p, p_other), (q, q_other)))
    rest = (p_rest.exp() * (p_rest - q_rest)).sum(dim=-1)  # 0 at the label, where both are 0
    losses = target + beta * rest
    return (losses if weights is None else weights * losses).mean() * temperature**2


def training_loss(
    student: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    temperature: float = 1.0,
    alpha: float = 0.0,
    loss: Loss = "kl",
    beta: float = 1.0,
    mix: Mix | None = None,
    *,
    label_smoothing: float = 0.0,
    seen: Tensor | None = None,
) -> Tensor:
    """(1 - alpha) * hard_loss + alpha * soft_loss; alpha weighs the teacher, 0 leaves it out.

    label_smoothing softens the labels alone: what the teacher says, its answer as a label included, stays as it is.
    seen: float [n], 1 for an image with a label, 0 for one that is UNLABELLED; None: all have one. Without a label an
    image has its soft loss alone, at weight 1, so that every image weighs the same. A mixed pair of which one has a
    label is between the two, by its share.

    Raises ValueError for an alpha outside 0 to 1, a temperature that is not positive, or a missing teacher.
    """
    if not (0 <= alpha <= 1 and temperature > 0):  # so that NaN is refused too
        raise ValueError(f"alpha {alpha} must lie in 0 to 1 and temperature {temperature} above 0")
    if alpha == 0:
        return hard_loss(student, labels, mix, label_smoothing, None if seen is None else torch.ones_like(seen))
    if teacher is None:
        raise ValueError("alpha above 0 needs the teacher's logits")
    if seen is not None:
        weights = 1 - (1 - alpha) * _shared(seen, mix)
        soft = soft_loss(student, teacher, temperature, loss, labels, beta, mix, weights)
        return hard_loss(student, labels, mix, label_smoothing, torch.full_like(seen, 1 - alpha)) + soft
    soft = soft_loss(student, teacher, temperature, loss, labels, beta, mix)
    if alpha == 1:
        return soft
    return (1 - alpha) * hard_loss(student, labels, mix, label_smoothing) + alpha * soft


def _shared(seen: Tensor, mix: Mix | None) -> Tensor:
    """How much of each image has a label, 0 to 1."""
    return seen if mix is None else mix.share * seen + (1 - mix.share) * seen[mix.partner]


def _mixed(log_probabilities: Tensor, mix: Mix | None) -> Tensor:
    """log(share * p + (1 - share) * p of the partner)."""
    if mix is None:
        return log_probabilities
    own, other = torch.tensor([mix.share, 1 - mix.share]).log().tolist()
    return torch.logaddexp(log_probabilities + own, log_probabilities[mix.partner] + other)


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of each row of `a` with the same row of `b`, 0 where one of them is constant.

    As in the authors' code the epsilon is added to the product of both norms: of many classes most have next to no
    probability in a batch, and these fade out.
    """
    a, b = a - a.mean(dim=-1, keepdim=True), b - b.mean(dim=-1, keepdim=True)
    norms: Tensor = torch.linalg.vector_norm(a, dim=-1) * torch.linalg.vector_norm(b, dim=-1)
    return (a * b).sum(dim=-1) / (norms + DIST_EPSILON)
