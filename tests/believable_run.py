"""A made-up run folder with every file that the report reads: resnet152 on ten classes, distilled to a small model."""

from __future__ import annotations

import math
import random
from datetime import date
from pathlib import Path

from autokd.config import SearchConfig
from autokd.records import (
    Advantage,
    AtStake,
    Candidate,
    CostModel,
    Decision,
    Difference,
    EpochReport,
    FinalistRecord,
    FinalistSummary,
    Hardware,
    Interval,
    Latency,
    LeftOut,
    Note,
    Option,
    Options,
    Policy,
    Reading,
    Recipe,
    SearchSummary,
    SeededInterval,
    SeedResult,
    Task,
    Teacher,
    Transform,
    TrialRecord,
)
from autokd.runs.folder import Run
from autokd.runs.store import CANDIDATES, COSTS, FINALISTS, SEARCH, TASK, TEACHER, CandidateList, Costs
from autokd.runs.tables import HISTORY_COLUMNS, table_text, write_trials

PRICE_DATE = date.today().isoformat()  # an old price is remarked
TEACHER_PARAMETERS = 58_164_298
STUDENTS = {  # name -> parameters, cost per 1,000, ceiling of accuracy
    "mobilenetv3_small_100": (1_528_106, 0.0000312, 0.935),
    "resnet18": (11_181_642, 0.000181, 0.957),
    "efficientnet_b0": (4_020_358, 0.000127, 0.962),
    "tf_efficientnetv2_b1": (6_947_846, 0.000164, 0.968),
    "mobilevit_s": (4_943_914, 0.000214, 0.964),
    "edgenext_small": (5_282_714, 0.000151, 0.959),
}
PICK = "tf_efficientnetv2_b1"


def recipe(arm: str = "distill", **changes: object) -> Recipe:
    """A plain recipe of one arm."""
    teacher = {"temperature": 4.0, "alpha": 0.9} if arm == "distill" else {}
    return Recipe.model_validate({**teacher, "learning_rate": 0.0012, "epochs": 12, "batch_size": 64, **changes})


def reading(student: str, cost: float, capacity: float = 812.4) -> Reading:
    """A measured reading with a narrow interval."""
    return Reading(
        model=student,
        capacity_rps=capacity,
        capacity_interval=Interval(mean=capacity, low=capacity / 1.05, high=capacity / 0.96),
        latency_ms=Latency(p50=9.84, p95=11.2, p99=14.6),
        cost_usd_per_1k=Interval(mean=cost, low=cost * 0.96, high=cost * 1.05),
        noisy=False,
        batch_size=8,
        rounds=7,
    )


def make_trials(number: int = 32, students: dict[str, tuple[int, float, float]] | None = None) -> list[TrialRecord]:
    """Trials of both arms in all states; the same for the same number."""
    dice = random.Random(number)  # noqa: S311 - not cryptography
    known = students or STUDENTS
    return [_trial(i, dice, known) for i in range(number)]


def _trial(number: int, dice: random.Random, students: dict[str, tuple[int, float, float]]) -> TrialRecord:
    arm = "distill" if number % 2 == 0 else "direct"
    student = dice.choice(sorted(students))
    parameters, cost, ceiling = students[student]
    state = dice.choices(["complete", "pruned", "failed"], [6, 4, 0.4])[0]
    epochs = {"complete": 12, "pruned": dice.randint(4, 9), "failed": dice.randint(0, 2)}[state]
    rate = 10 ** dice.uniform(-4, -2.2)
    accuracy = ceiling - 0.03 * (math.log10(rate) + 2.9) ** 2 - (0.0 if arm == "distill" else 0.006)
    accuracy -= abs(dice.gauss(0, 0.004)) + (0.03 if state == "pruned" else 0)
    teacher = {"temperature": dice.choice([1.0, 2.0, 4.0, 8.0]), "alpha": round(dice.uniform(0.3, 1), 3)}
    return TrialRecord(
        number=number,
        arm=arm,
        student=student,
        parameters=parameters,
        ratio=TEACHER_PARAMETERS / parameters,
        macs=parameters * 37,
        cost_usd_per_1k=cost,
        recipe=recipe(arm, learning_rate=rate, **(teacher if arm == "distill" else {})),
        state=state,
        epochs=epochs,
        val_accuracy=None if state == "failed" else accuracy,
        seconds=epochs * 3.71 + dice.random(),
        error="CUDA out of memory" if state == "failed" else None,
    )


def write_history(run: Run, trial: TrialRecord) -> None:
    """history.csv as the training loop writes it."""
    rows = []
    for epoch in range(1, trial.epochs + 1):
        accuracy = (trial.val_accuracy or 0.1) * (1 - 0.5 * math.exp(-epoch / 2))
        report = EpochReport(
            epoch=epoch, train_loss=2 / epoch, val_accuracy=accuracy, val_nll=1 / epoch, learning_rate=1e-3, seconds=3.7
        )
        rows.append(dict(report) | {"note": None})
    path = run.trial_path(trial.number) / "history.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table_text(HISTORY_COLUMNS, rows), newline="")


def make_task(classes: tuple[str, ...] = tuple("0123456789")) -> Task:
    """The embedded digits."""
    return Task(
        data="digits",
        fingerprint="4f0c77aa19e2b3d1",
        classes=classes,
        train=1_077,
        val=360,
        test=360,
        transform=Transform(image_size=32, crop="padded", flip=False),
        split_note="validation and test were cut from 1,797 images, stratified by class",
        test_is_separate=False,
    )


def make_teacher() -> Teacher:
    """A teacher trained in the run."""
    return Teacher(
        name="resnet152",
        weights="trained here for 20 epochs",
        fingerprint="99ab5dc0017e6f42",
        parameters=TEACHER_PARAMETERS,
        macs=236_000_000,
        val_accuracy=0.978,
        test_accuracy=0.975,
        temperature=1.31,
        seconds=211.0,
        own_weights=False,
    )


def make_cost_model() -> CostModel:
    """Measured on two cores at a list price."""
    return CostModel(
        model="measured",
        price_usd_per_hour=0.0832,
        price_source="AWS on-demand list price, us-east-1",
        price_date=PRICE_DATE,
        instance="c7i.large",
        measured_on=Hardware(name="Intel Xeon Platinum 8488C", cores=2),
        train_price_usd_per_hour=0.0832,
        device="cpu (2 cores)",
        batch_size=8,
        image_size=32,
        requests_per_month=2_000_000,
    )


def make_finalists() -> list[FinalistRecord]:
    """Pick, default recipe and twin, and the direct pick, three seeds each."""
    plan = [
        (100, "distill", "pick", PICK, (), 14, 0.963),
        (101, "distill", "default", "efficientnet_b0", (), None, 0.951),
        (102, "direct", "twin", PICK, (100, 101), None, 0.949),
        (103, "direct", "pick", "mobilevit_s", (), 21, 0.953),
        (104, "direct", "longer", "mobilevit_s", (), 21, 0.955),
    ]
    return [_finalist(*row) for row in plan]


def _finalist(
    number: int, arm: str, role: str, student: str, twin_of: tuple[int, ...], trial: int | None, accuracy: float
) -> FinalistRecord:
    parameters, cost, _ = STUDENTS[student]
    seeds = [
        SeedResult(seed=1000 + k, val_accuracy=accuracy + 0.004, test_accuracy=accuracy + d, device_seconds=61.5)
        for k, d in enumerate((-0.003, 0.0, 0.003))
    ]
    return FinalistRecord.model_validate(
        {
            "number": number,
            "arm": arm,
            "role": role,
            "student": student,
            "twin_of": twin_of,
            "trial": trial,
            "recipe": recipe(arm),
            "parameters": parameters,
            "ratio": TEACHER_PARAMETERS / parameters,
            "macs": parameters * 37,
            "reading": reading(student, cost),
            "seeds": seeds,
        }
    )


def summarise(finalist: FinalistRecord) -> FinalistSummary:
    """What `decide` would make of a finalist."""
    mean = sum(s.test_accuracy for s in finalist.seeds) / len(finalist.seeds)
    return FinalistSummary(
        **{name: getattr(finalist, name) for name in ("number", "arm", "role", "student", "twin_of")},
        val_accuracy=finalist.val_accuracy,
        accuracy=SeededInterval(mean=mean, low=mean - 0.008, high=mean + 0.007, seeds=len(finalist.seeds)),
        retention=Interval(mean=mean / 0.975, low=(mean - 0.008) / 0.975, high=(mean + 0.007) / 0.975),
        cost_usd_per_1k=finalist.reading.cost_usd_per_1k.mean,
        latency_ms=finalist.reading.latency_ms,
        noisy=finalist.reading.noisy,
        device_seconds=sum(s.device_seconds for s in finalist.seeds),
        eligible=True,
        worthwhile=True,
        why_not=(),
    )


def teacher_option(**changes: object) -> Option:
    """The teacher as an option."""
    fields: dict[str, object] = {
        "student": "resnet152",
        "finalist": None,
        "parameters": TEACHER_PARAMETERS,
        "ratio": 1.0,
        "macs": 236_000_000,
        "accuracy": SeededInterval(mean=0.975, low=0.955, high=0.987, seeds=1),
        "retention": Interval(mean=1, low=1, high=1),
        "cost_usd_per_1k": 0.00138,
        "monthly_usd": 121.47,
        "latency_ms": Latency(p50=81.2, p95=88.4, p99=97.0),
        "capacity_rps": 56.1,
        "one_time_usd": 0.0,
        "eligible": True,
        "worthwhile": False,
        "noisy": False,
        "why_not": (),
    }
    return Option.model_validate(fields | changes)


def student_option(summary: FinalistSummary, **changes: object) -> Option:
    """A finalist as an option."""
    parameters = STUDENTS[summary.student][0]
    fields: dict[str, object] = {
        "student": summary.student,
        "finalist": summary.number,
        "parameters": parameters,
        "ratio": TEACHER_PARAMETERS / parameters,
        "macs": parameters * 37,
        "accuracy": summary.accuracy,
        "retention": summary.retention,
        "cost_usd_per_1k": summary.cost_usd_per_1k,
        "monthly_usd": 60.74,
        "latency_ms": summary.latency_ms,
        "capacity_rps": 812.4,
        "one_time_usd": 0.0412,
        "eligible": True,
        "worthwhile": True,
        "noisy": False,
        "why_not": (),
    }
    return Option.model_validate(fields | changes)


def make_decision(verdict: str = "distill", **changes: object) -> Decision:
    """A decision with one of the four verdicts."""
    with_students = verdict in ("distill", "use_small_model")
    finalists = tuple(summarise(f) for f in make_finalists()) if with_students else ()
    by_number = {f.number: f for f in finalists}
    fields: dict[str, object] = {
        "verdict": verdict,
        "strength": "weak" if verdict == "distill" else "strong",
        "repeatability": 0.87 if verdict == "distill" else 0.97,
        "at_stake": AtStake(points=0.006, usd_per_1k=0.0),
        "condition": "above 1.7 million requests" if verdict == "distill" else None,
        "summary": _SUMMARIES[verdict],
        "reasons": (
            "tf_efficientnetv2_b1 keeps 98.8 % of the teacher's accuracy at 8.4 times lower cost.",
            "It beats its own twin by 1.4 points (95 % interval 0.5 to 2.3).",
            "It is 1.0 points more accurate than mobilevit_s, the direct pick.",
        ),
        "weaknesses": (
            "Validation and test were cut from one set of 1,797 images; a separate test set would settle it.",
        )
        if verdict == "distill"
        else (),
        "would_change": (
            "Below $0.000151 per 1,000 requests edgenext_small would be the pick.",
            "Below 40,000 requests a month the saving no longer pays for the search within a year.",
        ),
        "options": Options(
            teacher=teacher_option(eligible=verdict != "none"),
            direct=student_option(by_number[103]) if finalists else None,
            distilled=student_option(by_number[100]) if finalists else None,
        ),
        "gain": Difference(mean=0.014, low=0.005, high=0.023, detectable=0.008) if finalists else None,
        "advantage": Difference(mean=0.010, low=-0.001, high=0.021, detectable=0.009) if finalists else None,
        "break_even_requests": 33_800.0 if finalists else None,
        "finalists": finalists,
        "advantages": (Advantage(mean=0.01, low=-0.001, high=0.021, detectable=0.009, distilled=100, direct=103),)
        if finalists
        else (),
    }
    return Decision.model_validate(fields | changes)


_SUMMARIES = {
    "distill": "Distill resnet152 into tf_efficientnetv2_b1: it keeps 98.8 % of the teacher's accuracy and serves "
    "1,000 requests for $0.000164 instead of $0.00138.",
    "use_small_model": "Train mobilevit_s directly: the teacher adds nothing that this test set could show.",
    "keep_teacher": "Keep resnet152: it meets the budget, and no student is worthwhile.",
    "none": "Nothing meets $0.00001 per 1,000 requests; the nearest is mobilenetv3_small_100 at $0.0000312.",
}


def make_search(trials: list[TrialRecord]) -> SearchSummary:
    """The sums of a search."""
    states = [t.state for t in trials]
    stages = {"teacher": 211.0, "soft_labels": 14.2, "search": sum(t.seconds for t in trials), "confirmation": 922.5}
    return SearchSummary(
        trials=len(trials),
        complete=states.count("complete"),
        pruned=states.count("pruned"),
        failed=states.count("failed"),
        device_seconds=sum(stages.values()),
        usd=sum(stages.values()) * 0.0832 / 3600,
        stages=stages,
        importance={
            "distill": {"student": 0.51, "learning_rate": 0.33, "temperature": 0.11, "alpha": 0.05},
            "direct": {"student": 0.58, "learning_rate": 0.42},
        },
        notes=(Note(kind="trials_failed", text="1 trial of the direct arm failed."),),
    )


NOTHING = SearchSummary(trials=0, complete=0, pruned=0, failed=0, device_seconds=0, usd=0, stages={}, importance={})


def make_left_out() -> list[LeftOut]:
    """Students with all kinds of reasons."""
    return [
        LeftOut(student="resnet34", parameters=21_289_802, ratio=2.7, reason="ratio 2.7 is below 5: direct arm only"),
        LeftOut(
            student="vgg11",
            parameters=128_807_306,
            ratio=0.45,
            reason="larger than the teacher",
            cost_usd_per_1k=0.0041,
        ),
        LeftOut(student="crossvit_9_240", parameters=None, ratio=None, reason="cannot be built for 32 px"),
    ]


def make_run(
    path: Path,
    trials: list[TrialRecord] | None = None,
    *,
    finalists: list[FinalistRecord] | None = None,
    task: Task | None = None,
    left_out: list[LeftOut] | None = None,
    histories: bool = True,
) -> Run:
    """Write the whole folder as the other rooms would."""
    trials = make_trials() if trials is None else trials
    finalists = make_finalists() if finalists is None else finalists
    config = SearchConfig.of(
        teacher="resnet152", max_cost=0.002, requests_per_month=2_000_000, seed=7, cache_dir="cache"
    )
    run = Run.create(path, config, command="autokd search --teacher resnet152 --max-cost 0.002")
    candidates = [
        Candidate(
            student=name,
            family=name.split("_")[0],
            parameters=parameters,
            ratio=TEACHER_PARAMETERS / parameters,
            macs=parameters * 37,
            arms=("distill", "direct"),
            reading=reading(name, cost),
        )
        for name, (parameters, cost, _) in STUDENTS.items()
    ]
    left = make_left_out() if left_out is None else left_out
    TASK.write(path, task or make_task())
    TEACHER.write(path, make_teacher())
    COSTS.write(path, Costs(cost_model=make_cost_model(), readings={c.student: c.reading for c in candidates}))
    CANDIDATES.write(path, CandidateList(candidates=tuple(candidates), left_out=tuple(left)))
    SEARCH.write(path, make_search(trials) if trials else NOTHING)
    if trials:
        write_trials(path, trials)
    if finalists:
        FINALISTS.write(path, tuple(finalists))
    if histories:
        for trial in trials:
            write_history(run, trial)
    return run


def make_policy(**changes: object) -> Policy:
    """The policy of the made-up search."""
    return Policy.model_validate({"max_cost": 0.002, "requests_per_month": 2_000_000, **changes})
