"""Losses of a training, all computed in float32 whatever the model computes in.

Shapes: logits [n, classes] of any float type, labels int64 [n]. Every loss is a scalar, the mean over the batch.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def hard_loss(student: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy with the labels."""
    return F.cross_entropy(student.float(), labels)


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(softmax(teacher / T) || softmax(student / T)), in nats.

    Hinton, Vinyals, Dean 2015, section 2: the factor T^2 keeps the gradient's size independent of T.
    `teacher` holds raw logits and gets no gradient.
    """
    student_log = F.log_softmax(student.float() / temperature, dim=-1)
    teacher_log = F.log_softmax(teacher.detach().float() / temperature, dim=-1)
    return F.kl_div(student_log, teacher_log, reduction="batchmean", log_target=True) * temperature**2


def training_loss(
    student: Tensor, labels: Tensor, teacher: Tensor | None, temperature: float = 1.0, alpha: float = 0.0
) -> Tensor:
    """(1 - alpha) * hard_loss + alpha * soft_loss; alpha weighs the teacher, 0 leaves it out.

    Raises ValueError for an alpha outside 0 to 1, a temperature that is not positive, or a missing teacher.
    """
    if not (0 <= alpha <= 1 and temperature > 0):  # so that NaN is refused too
        raise ValueError(f"alpha {alpha} must lie in 0 to 1 and temperature {temperature} above 0")
    if alpha == 0:
        return hard_loss(student, labels)
    if teacher is None:
        raise ValueError("alpha above 0 needs the teacher's logits")
    soft = soft_loss(student, teacher, temperature)
    return soft if alpha == 1 else (1 - alpha) * hard_loss(student, labels) + alpha * soft
