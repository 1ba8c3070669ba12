"""What logits say about a classifier, as pure functions of arrays.

Shapes: logits float [n, classes], labels int64 [n]. A temperature divides the logits first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from autokd.records import Evaluation

Logits = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Correct = npt.NDArray[np.bool_]  # [n] or [seeds, n]: which images a model gets right

BINS = 15  # of the calibration error, as in Guo et al. 2017


def evaluate(logits: Logits, labels: Labels, teacher: Logits, val_logits: Logits, val_labels: Labels) -> Evaluation:
    """Everything at once; teacher: its logits of the same images. The temperature is fitted on validation images."""
    temperature = calibrating_temperature(val_logits, val_labels)
    return Evaluation(
        accuracy=accuracy(logits, labels),
        nll=nll(logits, labels),
        calibration_error=calibration_error(logits, labels),
        temperature=temperature,
        scaled_nll=nll(logits, labels, temperature),
        scaled_calibration_error=calibration_error(logits, labels, temperature),
        agreement=agreement(logits, teacher),
        negative_flips=negative_flips(logits, teacher, labels),
        recall=recall(logits, labels),
    )


def accuracy(logits: Logits, labels: Labels) -> float:
    """Share of images whose largest logit is their label's."""
    return float((logits.argmax(1) == labels).mean())


def nll(logits: Logits, labels: Labels, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    from scipy.special import log_softmax

    log_probabilities = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def entropy(logits: Logits) -> Floats:
    """Entropy of each image's softmax at temperature 1, in nats; [n]."""
    from scipy.special import entr, softmax

    return np.asarray(entr(softmax(logits.astype(np.float64), axis=1)).sum(axis=1))


def calibrating_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature in 0.05 to 20 with the lowest NLL (temperature scaling, Guo et al. 2017, arXiv:1706.04599)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda t: nll(logits, labels, float(np.exp(t))), bounds=(np.log(0.05), np.log(20.0)))
    return float(np.exp(found.x))


def calibration_error(logits: Logits, labels: Labels, temperature: float = 1.0) -> float:
    """Expected calibration error: mean over images of |accuracy - confidence| of their bin (Guo et al. 2017, eq. 3).

    The confidence is the largest probability; the bins are 15 of equal width.
    """
    from scipy.special import softmax

    confidence = softmax(logits.astype(np.float64) / temperature, axis=1).max(1)
    gaps = (logits.argmax(1) == labels) - confidence
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(bins, weights=gaps, minlength=BINS)).sum() / len(labels))


class Bin(NamedTuple):
    """The images whose confidence falls into one bin."""

    confidence: float  # mean
    accuracy: float
    images: int


def reliability(logits: Logits, labels: Labels) -> tuple[Bin, ...]:
    """The bins of the calibration error that hold images, least confident first."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    confidence = 1 / np.exp(shifted).sum(1)
    right = logits.argmax(1) == labels
    of = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return tuple(
        Bin(float(confidence[mine].mean()), float(right[mine].mean()), int(mine.sum()))
        for mine in (of == k for k in range(BINS))
        if mine.any()
    )


def agreement(logits: Logits, teacher: Logits) -> float:
    """Share of images on which both give the same class."""
    return float((logits.argmax(1) == teacher.argmax(1)).mean())


def negative_flips(logits: Logits, teacher: Logits, labels: Labels) -> float:
    """Share of images that the teacher gets right and the student wrong (Yan et al. 2021, arXiv:2011.09161)."""
    return float(((teacher.argmax(1) == labels) & (logits.argmax(1) != labels)).mean())


def recall(logits: Logits, labels: Labels) -> tuple[float | None, ...]:
    """Accuracy on the images of each class, None for a class without images."""
    classes = logits.shape[1]
    count = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[logits.argmax(1) == labels], minlength=classes)
    return tuple(int(r) / int(n) if n else None for r, n in zip(right, count, strict=True))
