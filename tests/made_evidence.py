"""Made-up evidence: correctness with a given accuracy and agreement, and records to go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autokd.decide import Evidence
from autokd.decide.what_if import under
from autokd.records import (
    Arm,
    CostModel,
    FinalistRecord,
    Hardware,
    Interval,
    Latency,
    LeftOut,
    Note,
    Precision,
    Reading,
    Recipe,
    Role,
    SearchSummary,
    SeedResult,
    ServedForm,
    StartWeights,
    StudentForms,
    Task,
    Teacher,
    Transform,
)

IMAGES = 10_000
TEACHER_COST = 0.0025


@dataclass(frozen=True)
class Made:
    """One finalist to be made up; accuracies are true ones, `val` defaults to the accuracy."""

    number: int
    arm: Arm
    accuracy: float
    cost: float = 0.0003
    val: float | None = None
    student: str = "small_net"
    role: Role = "pick"
    twin_of: tuple[int, ...] = ()
    seeds: int = 3
    flips: float = 0.02  # share of the images on which every seed throws its own dice
    p95: float | None = 4.0
    noisy: bool = False
    spread: float = 0.0  # relative half width of the cost's interval
    like: int | None = None  # the very predictions of another finalist
    weights: StartWeights | None = None
    ratio: float = 12.0
    trial: int | None = None  # its own number where left out


def distilled(number: int = 1, accuracy: float = 0.94, **more: Any) -> Made:
    return Made(number, "distill", accuracy, **more)


def direct(number: int = 2, accuracy: float = 0.94, **more: Any) -> Made:
    return Made(number, "direct", accuracy, **more)


def twin(number: int = 3, accuracy: float = 0.92, of: tuple[int, ...] = (1,), **more: Any) -> Made:
    return Made(number, "direct", accuracy, role="twin", twin_of=of, **more)


def published(number: int = 4, accuracy: float = 0.94, **more: Any) -> Made:
    """A model that was not trained: every image has one outcome, and there is one row of them."""
    weights = StartWeights(source="dist_in1k", licence="mit", fingerprint="f", key="k", as_is=True)
    return Made(number, "direct", accuracy, role="published", seeds=1, weights=weights, **more)


def made_evidence(
    *finalists: Made,
    images: int = IMAGES,
    teacher_accuracy: float = 0.95,
    teacher_cost: float = TEACHER_COST,
    teacher_val: float = 0.95,
    teacher_p95: float | None = 20.0,
    teacher_noisy: bool = False,
    teacher_spread: float = 0.0,
    own_weights: bool = False,
    test_is_separate: bool = True,
    usd: float = 2.0,
    trials: int = 8,
    notes: tuple[str, ...] = (),
    nearest: tuple[LeftOut, ...] = (),
    budget: float | None = None,
    model: CostModel | None = None,
    seed: int = 0,
) -> Evidence:
    """Evidence in which the hardness of an image is shared by everybody, so that predictions agree as real ones do."""
    rng = np.random.default_rng(seed)
    hardness = (rng.permutation(images) + 0.5) / images
    correct: dict[int, np.ndarray[Any, Any]] = {}
    for made in sorted(finalists, key=lambda m: (m.like is not None, m.number)):
        own = np.random.default_rng((seed, made.number))
        correct[made.number] = _correct(made, hardness, own) if made.like is None else correct[made.like]
    evidence = Evidence(
        task=made_task(images, test_is_separate),
        teacher=made_teacher(teacher_val, teacher_accuracy, own_weights),
        teacher_reading=made_reading("big_net", teacher_cost, teacher_p95, teacher_noisy, teacher_spread),
        cost_model=made_cost_model(),
        finalists=tuple(made_record(made, correct[made.number]) for made in finalists),
        labels=np.arange(images) % 2,
        teacher_correct=hardness < teacher_accuracy,
        correct=correct,
        search=SearchSummary(
            trials=trials,
            complete=trials,
            pruned=0,
            failed=0,
            device_seconds=3600.0,
            usd=usd,
            stages={"search": 3600.0},
            importance={},
            notes=tuple(Note(kind="trials_failed", text=text) for text in notes),
        ),
        nearest=nearest,
        budget=budget,
    )
    return evidence if model is None else under(evidence, model)


def with_form(evidence: Evidence, precision: Precision, cost: float, lost: float = 0.0, noise: float = 0.0) -> Evidence:
    """Another form of the teacher in ONNX Runtime; lost: share of the images that it gets wrong in addition."""
    correct = evidence.teacher_correct.copy()
    right = np.flatnonzero(correct)
    correct[right[: round(lost * len(correct))]] = False
    form = ServedForm(
        runtime="onnxruntime",
        precision=precision,
        reading=made_reading("big_net", cost, 10.0, False, noise),
        val_accuracy=evidence.teacher.val_accuracy - lost,
        test_accuracy=float(correct.mean()),
    )
    return replace(
        evidence,
        teacher_forms=(*evidence.teacher_forms, form),
        forms_correct={**evidence.forms_correct, form.key: correct},
    )


def with_student_form(
    evidence: Evidence,
    number: int,
    cost: float | None,
    precision: Precision = "int8",
    lost: float = 0.0,
    val_lost: float | None = None,
) -> Evidence:
    """A finalist in another form in ONNX Runtime, by its first seed; lost: share of the images, on validation too.

    cost None: it was measured, and no other form costs less.
    """
    finalist = next(each for each in evidence.finalists if each.number == number)
    correct = evidence.correct[number][0].copy()
    right = np.flatnonzero(correct if lost >= 0 else ~correct)
    correct[right[: round(abs(lost) * len(correct))]] = lost < 0
    form = ServedForm(
        runtime="onnxruntime",
        precision=precision,
        reading=made_reading(finalist.student, cost or 1.0, 2.0, False, 0.01),
        val_accuracy=finalist.seeds[0].val_accuracy - (lost if val_lost is None else val_lost),
        test_accuracy=float(correct.mean()),
    )
    known = next((each for each in evidence.student_forms if each.finalist == number), None)
    before = known.forms if known else ()
    added = StudentForms(finalist=number, seed=finalist.seeds[0].seed, forms=(*before, *([form] if cost else [])))
    return replace(
        evidence,
        student_forms=(*(each for each in evidence.student_forms if each.finalist != number), added),
        student_forms_correct={**evidence.student_forms_correct, **({added.key(form): correct} if cost else {})},
    )


def _correct(made: Made, hardness: np.ndarray[Any, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    own = rng.random((made.seeds, len(hardness))) < made.flips
    rolled = rng.random((made.seeds, len(hardness)))
    return np.where(own, rolled, hardness[None]) < made.accuracy


def made_record(made: Made, correct: np.ndarray[Any, Any]) -> FinalistRecord:
    val = made.accuracy if made.val is None else made.val
    seeds = tuple(
        SeedResult(seed=100 + s, val_accuracy=val, test_accuracy=float(row.mean()), device_seconds=60.0, late_gain=0.0)
        for s, row in enumerate(correct)
    )
    return FinalistRecord(
        number=made.number,
        arm=made.arm,
        role=made.role,
        student=made.student,
        twin_of=made.twin_of,
        trial=made.number if made.trial is None else made.trial,
        recipe=Recipe(
            learning_rate=0.01,
            epochs=0 if made.role == "published" else 3,
            batch_size=64,
            alpha=0.5 if made.arm == "distill" else 0.0,
        ),
        parameters=5_000_000,
        ratio=made.ratio,
        macs=100_000_000,
        reading=made_reading(made.student, made.cost, made.p95, made.noisy, made.spread),
        seeds=seeds,
        weights=made.weights,
    )


def made_reading(model: str, cost: float, p95: float | None, noisy: bool, spread: float) -> Reading:
    """A reading whose capacity belongs to the cost under `made_cost_model`."""
    capacity = 1000 * 1.2 / (3600 * cost * 0.3)
    return Reading(
        model=model,
        capacity_rps=capacity,
        capacity_interval=Interval(mean=capacity, low=capacity / (1 + spread), high=capacity / (1 - spread)),
        latency_ms=None if p95 is None else Latency(p50=p95 / 2, p95=p95, p99=p95 * 1.5),
        cost_usd_per_1k=Interval(mean=cost, low=cost * (1 - spread), high=cost * (1 + spread)),
        noisy=noisy,
        batch_size=8,
        rounds=5,
        alone_seconds=Interval(mean=1 / capacity, low=(1 - spread) / capacity, high=(1 + spread) / capacity),
    )


def made_cost_model(**changes: Any) -> CostModel:
    model = CostModel(
        model="measured",
        price_usd_per_hour=1.2,
        price_source="made up",
        price_date="undated",
        instance="one",
        measured_on=Hardware(name="AMD EPYC 9R14", cores=2),
        train_price_usd_per_hour=1.2,
        device="cpu",
        image_size=32,
    )
    return model.model_copy(update=changes)


def made_task(images: int = IMAGES, test_is_separate: bool = True) -> Task:
    return Task(
        data="made",
        fingerprint="f",
        classes=("a", "b"),
        train=1000,
        val=500,
        test=images,
        transform=Transform(image_size=32, crop="padded", flip=False),
        split_note="made up",
        test_is_separate=test_is_separate,
    )


def made_teacher(val: float = 0.95, test: float = 0.95, own_weights: bool = False) -> Teacher:
    return Teacher(
        name="big_net",
        weights="made up",
        fingerprint="f",
        parameters=60_000_000,
        macs=11_000_000_000,
        val_accuracy=val,
        test_accuracy=test,
        temperature=1.0,
        seconds=0.0,
        own_weights=own_weights,
    )


def left_out(student: str, cost: float | None) -> LeftOut:
    return LeftOut(student=student, parameters=3_000_000, ratio=20.0, reason="too dear", cost_usd_per_1k=cost)


def shuffled(evidence: Evidence, order: Sequence[int]) -> Evidence:
    """The same evidence with its finalists in another order."""
    finalists = tuple(evidence.finalists[i] for i in order)
    return replace(evidence, finalists=finalists, correct={f.number: evidence.correct[f.number] for f in finalists})
