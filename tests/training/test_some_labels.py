"""Trainings that see a label of some images only: the losses by hand, and what each arm is shown."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from helpers_images import small_task
from test_loop import FixedLogits, same_weights, training, untimed

from autokd.data.dataset import UNLABELLED
from autokd.training.batches import batch_images, batches, steps_per_epoch
from autokd.training.loop import train
from autokd.training.losses import dist, hard_loss, soft_loss, training_loss
from autokd.training.mixup import Mix

STUDENT = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [0.3, 0.2, -1.0]])
TEACHER = torch.tensor([[2.0, 1.0, 0.0], [-1.0, 0.5, 2.0], [0.0, 1.5, 1.0]])
LABELS = torch.tensor([0, UNLABELLED, 2])
SEEN = torch.tensor([1.0, 0.0, 1.0])
DATA = small_task()  # 60 training images
FEW = [3, 10, 20, 31, 44, 50, 57]  # positions that keep their label


def some_labels(positions, data=DATA):
    """The task, with a label at these positions only."""
    labels = data.labels.copy()
    labels[np.delete(data.train, positions)] = UNLABELLED
    task = data.task.model_copy(update={"labelled": len(positions)})
    return dataclasses.replace(data, labels=labels, task=task, all_labels=data.labels)


def alone(i: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return STUDENT[i : i + 1], LABELS[i : i + 1], TEACHER[i : i + 1]


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "hard", "dkd"])
@pytest.mark.parametrize(("alpha", "smoothing"), [(0.3, 0.0), (0.3, 0.1), (1.0, 0.0)])
def test_the_loss_is_the_mean_of_each_image_taken_alone(loss, alpha, smoothing):
    expected = []
    for i in range(3):
        student, label, teacher = alone(i)
        if i == 1:  # the teacher's answer, class 2, stands in where dkd asks for a label
            expected.append(soft_loss(student, teacher, 3.0, loss, torch.tensor([2]), 2.0))
        else:
            expected.append(training_loss(student, label, teacher, 3.0, alpha, loss, 2.0, label_smoothing=smoothing))
    found = training_loss(STUDENT, LABELS, TEACHER, 3.0, alpha, loss, 2.0, label_smoothing=smoothing, seen=SEEN)
    assert found.item() == pytest.approx(sum(expected).item() / 3, rel=1e-5)


def test_kl_with_a_missing_label_by_hand():
    def softmax(logits, temperature):
        powers = [math.exp(x / temperature) for x in logits]
        return [power / sum(powers) for power in powers]

    total = 0.0
    for student, teacher, label in zip(STUDENT.tolist(), TEACHER.tolist(), LABELS.tolist(), strict=True):
        p, q = softmax(teacher, 2.0), softmax(student, 2.0)
        soft = 4.0 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total += soft if label < 0 else 0.4 * -math.log(softmax(student, 1.0)[label]) + 0.6 * soft
    found = training_loss(STUDENT, LABELS, TEACHER, 2.0, 0.6, seen=SEEN)
    assert found.item() == pytest.approx(total / 3, rel=1e-5)


def test_dist_weighs_its_part_over_images_by_the_mean_weight():
    p, q = torch.softmax(TEACHER, -1), torch.softmax(STUDENT, -1)
    own = [dist(q[i : i + 1], p[i : i + 1]).item() - 1.0 for i in range(3)]  # over one image nothing correlates
    over_images = dist(q, p).item() - sum(own) / 3
    cross_entropy = hard_loss(STUDENT[[0, 2]], LABELS[[0, 2]]).item() * 2 / 3
    expected = (0.5 * own[0] + own[1] + 0.5 * own[2]) / 3 + 2 / 3 * over_images + 0.5 * cross_entropy
    found = training_loss(STUDENT, LABELS, TEACHER, 1.0, 0.5, "dist", seen=SEEN)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_of_a_mixed_pair_each_label_counts_by_its_share():
    mix = Mix(torch.tensor([1, 0, 2]), 0.7)  # image 0 with the unlabelled 1, 1 with 0, 2 with itself
    log_q = torch.log_softmax(STUDENT, -1)
    p = torch.softmax(TEACHER / 2, -1)
    expected = 0.0
    for i, (partner, labelled) in enumerate(((1, 0.7), (0, 0.3), (2, 1.0))):
        hard = sum(
            -share * log_q[i, LABELS[j]].item() for j, share in ((i, 0.7), (partner, 0.3)) if LABELS[j] != UNLABELLED
        )
        mixed = 0.7 * p[i] + 0.3 * p[partner]
        soft = 4.0 * (mixed * (mixed.log() - torch.log_softmax(STUDENT[i] / 2, -1))).sum().item()
        expected += 0.4 * hard + (1 - 0.4 * labelled) * soft
    found = training_loss(STUDENT, LABELS, TEACHER, 2.0, 0.6, mix=mix, seen=SEEN)
    assert found.item() == pytest.approx(expected / 3, rel=1e-5)


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "dist", "dkd", "hard"])
def test_weights_change_nothing_where_every_label_is_seen(loss):
    labels, ones = torch.tensor([0, 1, 2]), torch.ones(3)
    plain = training_loss(STUDENT, labels, TEACHER, 2.0, 0.6, loss, 2.0)
    assert training_loss(STUDENT, labels, TEACHER, 2.0, 0.6, loss, 2.0, seen=ones).item() == pytest.approx(plain.item())


def test_without_a_teacher_a_missing_label_adds_nothing():
    found = training_loss(STUDENT, LABELS, None, seen=SEEN)
    assert found.item() == pytest.approx(hard_loss(STUDENT[[0, 2]], LABELS[[0, 2]]).item() * 2 / 3, rel=1e-6)


@pytest.mark.parametrize("kept", [FEW, range(20), range(59)])
def test_the_direct_arm_shows_labelled_images_in_as_many_steps(kept):
    data = some_labels(kept)
    made = training(data=data, alpha=0.0, epochs=3)
    size, pool = min(16, len(kept)), set(kept)
    assert batch_images(data, made.recipe) == size
    shown: dict[int, list[int]] = {}
    for epoch in (1, 2, 3):
        found = batches(made, epoch)
        assert len(found) == len(batches(training(data=data, epochs=3), epoch)) == steps_per_epoch(60, 16) == 3
        for batch in found:
            assert len(set(batch.positions.tolist())) == size
            assert set(batch.positions.tolist()) <= pool
            shown.setdefault(batch.view, []).extend(batch.positions.tolist())
    assert sorted(shown) == list(range(len(shown)))
    assert all(len(set(positions)) == len(positions) for positions in shown.values())  # a view a pass


def test_the_direct_arm_goes_through_all_labelled_images():
    made = training(data=some_labels(range(32)), alpha=0.0, epochs=2)
    for first in ((1, 0), (1, 2)):
        epoch, step = first
        two = [*batches(made, epoch)[step:], *batches(made, epoch + 1)][:2]
        assert sorted(i for batch in two for i in batch.positions.tolist()) == list(range(32))


def test_with_all_labels_both_arms_are_shown_the_same():
    for views in (None, 2):
        distill, direct = (training(alpha=alpha, epochs=5, views=views) for alpha in (0.5, 0.0))
        for epoch in range(1, 6):
            for one, other in zip(batches(distill, epoch), batches(direct, epoch), strict=True):
                assert one.positions.tolist() == other.positions.tolist()
                assert one.view == other.view == (epoch - 1) % (views or epoch)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_a_hidden_label_is_never_read(alpha):
    """The student of the direct arm is that of a task without the other images; no student sees what is hidden."""
    first = training(data=some_labels(FEW), alpha=alpha, epochs=2)
    garbage = dataclasses.replace(some_labels(FEW), all_labels=np.full(len(DATA.labels), 2))
    second = training(data=garbage, alpha=alpha, epochs=2)
    assert untimed(list(train(first))) == untimed(list(train(second)))
    assert same_weights(first, second)


def test_the_direct_arm_asks_for_no_other_image():
    asked = []

    class Asked:
        size, shapes = DATA.images.size, None

        def take(self, indices):
            return DATA.images.take(indices)

        def batches(self, groups):
            asked.extend(i for group in groups for i in group.tolist())
            return DATA.images.batches(groups)

    data = dataclasses.replace(some_labels(FEW), images=Asked())
    list(train(training(data=data, alpha=0.0, epochs=2)))
    assert set(asked) == {*DATA.train[FEW].tolist(), *DATA.val.tolist()}


def test_the_teacher_teaches_what_few_labels_cannot():
    few = [int(np.flatnonzero(DATA.labels[DATA.train] == label)[0]) for label in range(3)]
    reports = {alpha: list(train(training(data=some_labels(few), alpha=alpha, epochs=8))) for alpha in (0.5, 0.0)}
    assert reports[0.5][-1].val_accuracy > 0.9
    assert math.isfinite(reports[0.0][-1].train_loss)


def test_few_labelled_images_in_more_parts_than_they_fill():
    made = training(data=some_labels(FEW), alpha=0.0, epochs=1, accumulate=8, teacher=FixedLogits())
    (report,) = train(made)
    assert report.accumulate == 8
    assert math.isfinite(report.train_loss)
