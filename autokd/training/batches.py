"""Which images a step shows, and in which view; without a teacher only labelled images, in as many steps an epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autokd.data.image_store import Indices
from autokd.data.task import TaskData
from autokd.records import Recipe
from autokd.training.spec import Training


class Batch(NamedTuple):
    """Positions among the training images, int64 [n], and the view that they are shown in."""

    positions: Indices
    view: int


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Full batches only, so that batch normalisation never sees a handful; one batch of all where they are few."""
    return max(1, images // batch_size)


def batch_images(data: TaskData, recipe: Recipe) -> int:
    """Images in a step: fewer than the recipe's batch where there are not so many to learn from."""
    return min(recipe.batch_size, len(_pool(data, recipe)))


def batches(training: Training, epoch: int) -> list[Batch]:
    """The batches of an epoch, from 1. Both arms have as many as all training images make.

    The images that a recipe learns from are gone through as often as that takes, each time shuffled again by (seed,
    number of the pass) and in a view of its own. Passes and epochs are the same where all images are learnt from; only
    then do the views come again after those that are stored.
    """
    data, size = training.data, training.recipe.batch_size
    pool, steps = _pool(data, training.recipe), steps_per_epoch(len(data.train), size)
    steps_of_pass = steps_per_epoch(len(pool), size)
    stored = training.views if len(pool) == len(data.train) else None
    first, end = (epoch - 1) * steps, epoch * steps
    found: list[Batch] = []
    for number in range(first // steps_of_pass, -(-end // steps_of_pass)):
        order = pool[np.random.default_rng([training.seed, number + 1]).permutation(len(pool))]
        view = number % stored if stored else number
        begins = number * steps_of_pass
        own = range(max(first - begins, 0), min(end - begins, steps_of_pass))
        found += [Batch(order[step * size : (step + 1) * size], view) for step in own]
    return found


def _pool(data: TaskData, recipe: Recipe) -> Indices:
    """Positions of the images to learn from: all of them with a teacher, else those with a label."""
    return data.labelled if recipe.alpha == 0 else np.arange(len(data.train))
