"""The loss by hand, against timm, and against the wrong losses that are most often written."""

from __future__ import annotations

import math
import statistics

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.task import LogitDistillationTask
from torch import nn
from torch.nn import functional as F

from autokd.training.losses import dist, hard_loss, pearson, soft_loss, training_loss
from autokd.training.mixup import Mix

STUDENT = [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]
TEACHER = [[2.0, 1.0, 0.0], [-1.0, 0.5, 2.0]]
LABELS = [0, 2]
TEMPERATURE, ALPHA = 3.0, 0.7


def probabilities(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(logit / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


def by_hand(temperature: float, alpha: float) -> float:
    """The formula of design section 7, in plain Python."""
    total = 0.0
    for student, teacher, label in zip(STUDENT, TEACHER, LABELS, strict=True):
        cross_entropy = -math.log(probabilities(student, 1.0)[label])
        p, q = probabilities(teacher, temperature), probabilities(student, temperature)
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total += (1 - alpha) * cross_entropy + alpha * temperature**2 * divergence
    return total / len(LABELS)


def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.tensor(STUDENT), torch.tensor(LABELS), torch.tensor(TEACHER)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 1.0])
def test_two_images_and_three_classes_by_hand(temperature, alpha):
    student, labels, teacher = tensors()
    assert training_loss(student, labels, teacher, temperature, alpha).item() == pytest.approx(
        by_hand(temperature, alpha), rel=1e-4
    )


def test_the_value_by_hand_is_this_number():
    """So that the two derivations cannot err together unnoticed: worked out on paper to four places."""
    cross_entropy = (1.4644 + 0.0659) / 2
    assert by_hand(1.0, 0.0) == pytest.approx(cross_entropy, abs=2e-4)


def _without_t_squared(student, labels, teacher, t, alpha):
    return (1 - alpha) * hard_loss(student, labels) + alpha * soft_loss(student, teacher, t) / t**2


def _alpha_swapped(student, labels, teacher, t, alpha):
    return training_loss(student, labels, teacher, t, 1 - alpha)


def _mean_over_classes(student, labels, teacher, t, alpha):
    return (1 - alpha) * hard_loss(student, labels) + alpha * soft_loss(student, teacher, t) / student.shape[1]


def _sum_over_batch(student, labels, teacher, t, alpha):
    return training_loss(student, labels, teacher, t, alpha) * len(labels)


def _other_direction(student, labels, teacher, t, alpha):
    return (1 - alpha) * hard_loss(student, labels) + alpha * soft_loss(teacher, student, t)


def _cross_entropy_with_the_teacher(student, labels, teacher, t, alpha):
    soft = F.cross_entropy(student / t, F.softmax(teacher / t, -1)) * t**2
    return (1 - alpha) * hard_loss(student, labels) + alpha * soft


def _hard_term_tempered_too(student, labels, teacher, t, alpha):
    return (1 - alpha) * hard_loss(student / t, labels) + alpha * soft_loss(student, teacher, t)


def _only_the_student_tempered(student, labels, teacher, t, alpha):
    soft = F.kl_div(F.log_softmax(student / t, -1), F.softmax(teacher, -1), reduction="batchmean") * t**2
    return (1 - alpha) * hard_loss(student, labels) + alpha * soft


def _unweighted_label_term(student, labels, teacher, t, alpha):
    return hard_loss(student, labels) + alpha * soft_loss(student, teacher, t)


@pytest.mark.parametrize(
    "wrong",
    [
        _without_t_squared,
        _alpha_swapped,
        _mean_over_classes,
        _sum_over_batch,
        _other_direction,
        _cross_entropy_with_the_teacher,
        _hard_term_tempered_too,
        _only_the_student_tempered,
        _unweighted_label_term,
    ],
)
def test_the_hand_value_tells_a_wrong_loss_apart(wrong):
    found = wrong(*tensors(), TEMPERATURE, ALPHA).item()
    assert abs(found - by_hand(TEMPERATURE, ALPHA)) > 0.02


@pytest.fixture(scope="module")
def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    student, teacher = (timm.create_model("test_resnet", num_classes=7).eval() for _ in range(2))
    for network in (student, teacher):
        nn.init.normal_(network.get_classifier().weight, std=2.0)
    return student, teacher


@pytest.mark.parametrize("temperature", [0.7, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.9])
def test_equal_to_timm_at_alpha_1_minus_its_task_weight(networks, temperature, alpha):
    student, teacher = networks
    task = LogitDistillationTask(
        student_model=student,
        teacher_model=teacher,
        criterion=nn.CrossEntropyLoss(),
        task_loss_weight=1 - alpha,
        temperature=temperature,
        device=torch.device("cpu"),
        verbose=False,
    )
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(5, 3, 32, 32, generator=generator)
    labels = torch.randint(7, (5,), generator=generator)
    theirs = task(images, labels)
    ours = training_loss(student(images), labels, teacher(images), temperature, alpha)
    assert theirs["kd_loss"] > 1e-4
    assert ours.item() == pytest.approx(theirs["loss"].item(), rel=1e-5)


@given(st.floats(0.05, 50), st.integers(2, 40), st.integers(0, 1000))
def test_a_student_equal_to_its_teacher_has_no_soft_loss(temperature, classes, seed):
    logits = torch.randn(4, classes, generator=torch.Generator().manual_seed(seed)) * 5
    assert soft_loss(logits, logits.clone(), temperature).item() == pytest.approx(0.0, abs=1e-3)
    shifted = logits + 3.0  # softmax does not see a shift
    assert soft_loss(logits, shifted, temperature).item() == pytest.approx(0.0, abs=1e-3 * max(1, temperature))


def test_the_soft_gradient_does_not_depend_on_a_high_temperature():
    def gradient(temperature: float) -> torch.Tensor:
        student, _, teacher = (t.double() if t.is_floating_point() else t for t in tensors())
        student.requires_grad_(True)
        p, q = F.log_softmax(student / temperature, -1), F.log_softmax(teacher / temperature, -1)
        assert torch.allclose(
            soft_loss(student, teacher, temperature).double(),
            F.kl_div(p, q, reduction="batchmean", log_target=True) * temperature**2,
            rtol=1e-2,
        )
        soft_loss(student, teacher, temperature).backward()
        return student.grad

    sizes = [gradient(t).norm().item() for t in (20.0, 40.0, 80.0)]
    assert max(sizes) / min(sizes) < 1.1
    # and its limit is that of matching logits without their means, Hinton et al. section 2.1
    student, _, teacher = tensors()
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    assert torch.allclose(gradient(80.0).float(), centred / 3 / 2, rtol=0.05, atol=0.01)


@given(st.integers(0, 1000))
def test_alpha_0_is_cross_entropy_to_the_last_bit(seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(6, 5, generator=generator), torch.randn(6, 5, generator=generator)
    labels = torch.randint(5, (6,), generator=generator)
    assert torch.equal(training_loss(student, labels, teacher, 4.0, 0.0), F.cross_entropy(student, labels))
    assert torch.equal(training_loss(student, labels, None), F.cross_entropy(student, labels))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_short_floats_are_widened_before_anything_is_computed(kind):
    student, labels, teacher = tensors()
    student, teacher = student.to(kind), teacher.to(kind)
    loss = training_loss(student, labels, teacher, 4.0, 0.9)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, training_loss(student.float(), labels, teacher.float(), 4.0, 0.9))


def test_no_gradient_reaches_the_teacher():
    student, labels, teacher = tensors()
    student.requires_grad_(True)
    teacher.requires_grad_(True)
    training_loss(student, labels, teacher, 2.0, 0.5).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("temperature", "alpha"), [(1.0, -0.1), (1.0, 1.1), (0.0, 0.5), (-1.0, 0.5), (1.0, math.nan), (math.nan, 0.5)]
)
def test_alpha_and_temperature_out_of_range_are_refused(temperature, alpha):
    with pytest.raises(ValueError, match="must lie in 0 to 1"):
        training_loss(*tensors(), temperature, alpha)


def test_a_missing_teacher_is_noticed():
    student, labels, _ = tensors()
    with pytest.raises(ValueError, match="teacher's logits"):
        training_loss(student, labels, None, 1.0, 0.5)


# ---- the other losses ------------------------------------------------------------------------------------------


def softmax(logits: list[float]) -> list[float]:
    return probabilities(logits, 1.0)


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def correlation(a: list[float], b: list[float]) -> float:
    return statistics.correlation(a, b)


def zscore(logits: list[float]) -> list[float]:
    mean, deviation = statistics.mean(logits), statistics.stdev(logits)
    return [(logit - mean) / deviation for logit in logits]


def kl_zscore_by_hand(t: float) -> float:
    rows = zip(STUDENT, TEACHER, strict=True)
    found = [divergence(probabilities(zscore(b), t), probabilities(zscore(a), t)) for a, b in rows]
    return t**2 * statistics.mean(found)


def dist_by_hand(t: float) -> float:
    student, teacher = [probabilities(row, t) for row in STUDENT], [probabilities(row, t) for row in TEACHER]
    over_classes = [1 - correlation(a, b) for a, b in zip(student, teacher, strict=True)]
    over_images = [
        1 - correlation(list(a), list(b))
        for a, b in zip(zip(*student, strict=True), zip(*teacher, strict=True), strict=True)
    ]
    return statistics.mean(over_classes) + statistics.mean(over_images)


def dkd_by_hand(t: float, beta: float) -> float:
    total = 0.0
    for a, b, label in zip(STUDENT, TEACHER, LABELS, strict=True):
        q, p = probabilities(a, t), probabilities(b, t)
        target = divergence([p[label], 1 - p[label]], [q[label], 1 - q[label]])
        others = [i for i in range(3) if i != label]
        rest = divergence(*([each[i] / (1 - each[label]) for i in others] for each in (p, q)))
        total += target + beta * rest
    return t**2 * total / len(LABELS)


def hard_by_hand() -> float:
    """The teacher's answers are class 0 and class 2."""
    return statistics.mean(-math.log(softmax(row)[answer]) for row, answer in zip(STUDENT, (0, 2), strict=True))


BY_HAND = {
    "kl_zscore": kl_zscore_by_hand(TEMPERATURE),
    "dist": dist_by_hand(TEMPERATURE),
    "dkd": dkd_by_hand(TEMPERATURE, 2.0),
    "hard": hard_by_hand(),
}


@pytest.mark.parametrize("loss", BY_HAND)
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_every_other_loss_by_hand(loss, alpha):
    expected = (1 - alpha) * by_hand(1.0, 0.0) + alpha * BY_HAND[loss]
    found = training_loss(*tensors(), TEMPERATURE, alpha, loss, beta=2.0)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_no_two_losses_are_the_same():
    values = [*BY_HAND.values(), by_hand(TEMPERATURE, 1.0)]
    assert min(abs(a - b) for i, a in enumerate(values) for b in values[:i]) > 0.02


@given(st.integers(0, 1000), st.floats(0.5, 20))
def test_dkd_is_kl_where_beta_is_the_share_of_the_other_classes(seed, temperature):
    """Equation 6 of the paper, image by image."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = 3 * torch.randn(1, 6, generator=generator), 3 * torch.randn(1, 6, generator=generator)
    label = torch.tensor([seed % 6])
    beta = 1 - F.softmax(teacher / temperature, -1)[0, label].item()
    decoupled = soft_loss(student, teacher, temperature, "dkd", label, beta)
    assert decoupled.item() == pytest.approx(soft_loss(student, teacher, temperature).item(), rel=1e-3, abs=1e-4)


@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_standardised_logits_and_correlations_do_not_see_the_size_of_logits(seed, scale, shift):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(4, 5, generator=generator), torch.randn(4, 5, generator=generator)
    for loss in ("kl_zscore",):
        plain = soft_loss(student, teacher, 2.0, loss).item()
        assert soft_loss(student, scale * teacher + shift, 2.0, loss).item() == pytest.approx(plain, rel=1e-3, abs=1e-5)
    p, q = F.softmax(student, -1), F.softmax(teacher, -1)
    assert dist(p, scale * q).item() == pytest.approx(dist(p, q).item(), rel=1e-3, abs=1e-5)


def test_classes_with_next_to_no_probability_in_a_batch_fade_out_of_dist():
    row = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
    assert pearson(row, row).item() == pytest.approx(1)
    assert pearson(1e-6 * row, 1e-6 * row).item() < 1e-3


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "dist", "dkd"])
def test_a_student_equal_to_its_teacher_has_none_of_any_loss_and_no_gradient(loss):
    teacher = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)) * 3
    student = teacher.clone().requires_grad_(True)
    value = soft_loss(student, teacher, 3.0, loss, labels=torch.arange(8) % 5, beta=2.0)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-5)
    assert student.grad.abs().max() < 1e-4


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "dist", "dkd", "hard"])
def test_every_loss_learns_the_teachers_answers(loss):
    generator = torch.Generator().manual_seed(1)
    teacher, labels = 3 * torch.randn(16, 4, generator=generator), torch.randint(4, (16,), generator=generator)
    student = torch.zeros(16, 4).requires_grad_(True)
    with torch.no_grad():
        student += 0.01 * torch.randn(16, 4, generator=generator)
    optimizer = torch.optim.Adam([student], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        training_loss(student, labels, teacher, 2.0, 1.0, loss, beta=2.0).backward()
        optimizer.step()
    assert torch.equal(student.argmax(1), teacher.argmax(1))


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "dist", "dkd", "hard"])
def test_every_loss_is_float32_and_finite_for_extreme_short_floats(loss):
    student = torch.tensor([[60000.0, -60000.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float16).requires_grad_(True)
    teacher = torch.tensor([[-60000.0, 60000.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float16)
    value = training_loss(student, torch.tensor([0, 1]), teacher, 1.0, 0.5, loss, beta=8.0)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert torch.isfinite(student.grad).all()


def test_dkd_without_labels_is_refused():
    student, _, teacher = tensors()
    with pytest.raises(ValueError, match="one label an image"):
        soft_loss(student, teacher, 1.0, "dkd")


# ---- mixed pairs ------------------------------------------------------------------------------------------------


def mixed_by_hand(share: float, t: float, alpha: float) -> float:
    """Both images of the two are mixed with one another; probabilities are mixed after the temperature."""
    total = 0.0
    for i in (0, 1):
        own, other = TEACHER[i], TEACHER[1 - i]
        p = [share * a + (1 - share) * b for a, b in zip(probabilities(own, t), probabilities(other, t), strict=True)]
        soft = divergence(p, probabilities(STUDENT[i], t)) * t**2
        q = softmax(STUDENT[i])
        hard = -share * math.log(q[LABELS[i]]) - (1 - share) * math.log(q[LABELS[1 - i]])
        total += (1 - alpha) * hard + alpha * soft
    return total / 2


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_mixed_pair_by_hand(share, alpha):
    mix = Mix(torch.tensor([1, 0]), share)
    found = training_loss(*tensors(), TEMPERATURE, alpha, mix=mix)
    assert found.item() == pytest.approx(mixed_by_hand(share, TEMPERATURE, alpha), rel=1e-5)


def test_mixing_logits_instead_of_probabilities_is_told_apart():
    student, _, teacher = tensors()
    wrong = soft_loss(student, 0.3 * teacher + 0.7 * teacher.flip(0), TEMPERATURE).item()
    assert abs(wrong - mixed_by_hand(0.3, TEMPERATURE, 1.0)) > 0.02


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "dist", "hard"])
def test_a_mix_that_leaves_every_image_alone_changes_no_loss(loss):
    mix = Mix(torch.tensor([1, 0]), 1.0)
    plain, mixed = (training_loss(*tensors(), 2.0, 0.6, loss, mix=each) for each in (None, mix))
    assert mixed.item() == pytest.approx(plain.item(), rel=1e-6)


# ---- smoothed labels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_smoothed_labels_by_hand(smoothing, alpha):
    """Each label keeps 1 - s + s / 3, each other class gets s / 3; the teacher's term is left as it is."""
    total = 0.0
    for i in (0, 1):
        q = softmax(STUDENT[i])
        target = [smoothing / 3 + (1 - smoothing) * (c == LABELS[i]) for c in range(3)]
        total += -sum(p * math.log(each) for p, each in zip(target, q, strict=True)) / 2
    student, labels, teacher = tensors()
    expected = (1 - alpha) * total + alpha * soft_loss(student, teacher, TEMPERATURE).item()
    found = training_loss(student, labels, teacher, TEMPERATURE, alpha, label_smoothing=smoothing)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_smoothed_labels_of_a_mixed_pair_are_torchs_for_mixed_probabilities(share):
    student, labels, _ = tensors()
    mix = Mix(torch.tensor([1, 0]), share)
    one_hot = nn.functional.one_hot(labels, 3).float()
    mixed = share * one_hot + (1 - share) * one_hot[[1, 0]]
    expected = nn.functional.cross_entropy(student, mixed, label_smoothing=0.2)
    assert torch.allclose(training_loss(student, labels, None, mix=mix, label_smoothing=0.2), expected)


@pytest.mark.parametrize("loss", ["kl", "kl_zscore", "dist", "dkd", "hard"])
def test_smoothing_touches_no_teacher_term(loss):
    plain, smoothed = (training_loss(*tensors(), 2.0, 1.0, loss, label_smoothing=each) for each in (0.0, 0.3))
    assert torch.equal(plain, smoothed)
