"""How it was measured: data, teacher, cost and search as pairs of term and text, and what each stage spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from autokd.records import RUNTIMES, CostModel, Report, Teacher
from autokd.report import format as fmt
from autokd.report.sections.cost_assumptions import price, rate
from autokd.report.sections.policy import Pair, policy_pairs
from autokd.report.table import Column, Table

STAGES = {
    "teacher": "Teacher",
    "soft_labels": "Soft labels",
    "screening": "Screening",
    "search": "Search",
    "confirmation": "Confirmation",
}
CLASSES_NAMED = 20


@dataclass(frozen=True)
class Group:
    """A heading and its pairs of term and text."""

    title: str
    pairs: tuple[Pair, ...]


def groups(report: Report) -> tuple[Group, ...]:
    """All that a reader needs to judge the numbers, or to measure again."""
    return (
        Group("Data", tuple(_data(report.task))),
        Group("Teacher", _teacher(report)),
        Group("Cost", tuple(_cost(report.cost_model, report.teacher))),
        Group("Search and confirmation", _search(report)),
        Group("Policy", policy_pairs(report.policy)),
        Group("Hardware", tuple(report.hardware.items())),
        Group("Versions", tuple(report.versions.items())),
    )


def spending(report: Report) -> Table:
    """Device time and dollars by stage; the dollars are shared out by time."""
    search = report.search
    total = sum(search.stages.values())
    rows = [
        (STAGES.get(stage, stage), seconds, search.usd * seconds / total if total else 0.0)
        for stage, seconds in search.stages.items()
    ]
    rows.append(("Together", search.device_seconds, search.usd))
    columns = (Column("Stage"), Column("Device time", True), Column("Dollars", True))
    cells = tuple((name, fmt.duration(s), fmt.usd(usd)) for name, s, usd in rows)
    return Table("spending", columns, cells, frozenset([len(cells) - 1]), sortable=False)


def importance(report: Report) -> Table:
    """How much of the spread of validation accuracy each setting explains, the largest share first."""
    shares = [
        (arm, name, share)
        for arm, settings in report.search.importance.items()
        for name, share in sorted(settings.items(), key=lambda item: -item[1])
    ]
    columns = (Column("Arm"), Column("Setting"), Column("Share, %", True))
    rows = tuple((arm, name, f"{share * 100:.0f}") for arm, name, share in shares)
    return Table("importance", columns, rows, sortable=False)


def _data(task: dict[str, Any]) -> Iterable[Pair]:
    yield "Data", str(task.get("data", fmt.NOTHING))
    yield "Images", ", ".join(f"{fmt.count(task.get(part))} {word}" for part, word in _PARTS)
    if unlabelled := task.get("train", 0) - task.get("labelled", task.get("train", 0)):
        yield "Training images", f"{fmt.count(task['labelled'])} labelled, {fmt.count(unlabelled)} unlabelled"
    yield "Where the parts come from", str(task.get("split_note", fmt.NOTHING))
    yield "Classes", _classes(task.get("classes", []))
    yield "Image size", f"{task.get('image_size')} px"
    if transform := task.get("transform"):
        yield "Transform", _transform(transform)
    if skipped := task.get("skipped"):
        yield "Skipped files", ", ".join(map(str, skipped))
    yield "Fingerprint", str(task.get("fingerprint", fmt.NOTHING))


_PARTS = (("train", "training"), ("val", "validation"), ("test", "test"))


def _classes(names: list[str]) -> str:
    more = f" and {len(names) - CLASSES_NAMED} more" if len(names) > CLASSES_NAMED else ""
    return f"{len(names)}: {', '.join(map(str, names[:CLASSES_NAMED]))}{more}"


def _transform(transform: dict[str, Any]) -> str:
    crop = {"padded": "shifted by up to an eighth", "resized": "random resized crop"}.get(str(transform.get("crop")))
    flip = "mirrored at random" if transform.get("flip") else "not mirrored"
    how = f"{crop or transform.get('crop')}, {flip}, {transform.get('interpolation')} interpolation"
    return f"{how}; a distilled student and its twin see the same views"


def _teacher(report: Report) -> tuple[Pair, ...]:
    teacher = report.teacher
    return (
        ("Model", teacher.name),
        ("Weights", teacher.weights),
        ("Images", teacher.preprocessing.words if teacher.preprocessing else "as students see them"),
        ("Parameters", fmt.large(teacher.parameters)),
        ("MACs", fmt.large(teacher.macs)),
        (
            "Accuracy",
            f"{fmt.percent(teacher.val_accuracy)} on validation, {fmt.percent(teacher.test_accuracy)} on test",
        ),
        ("Calibrating temperature", f"{teacher.temperature:.3g}"),
        ("Fingerprint", teacher.fingerprint),
    )


def _cost(model: CostModel, teacher: Teacher) -> Iterable[Pair]:
    if model.model == "params":
        yield (
            "Cost model",
            f"by parameters: {fmt.usd(model.usd_per_1k_per_billion)} per 1,000 requests per billion parameters",
        )
    else:
        yield (
            "Cost model",
            "measured on the serving device, teacher and student timed in turn after a warm-up",
        )
        yield from _prices(model)
        yield "How dollars follow", _dollars(model)
        if model.has_load:
            yield (
                "Utilization",
                f"{model.utilization:g}" if model.requests_per_month is None else "follows from the volume",
            )
        yield "Device", model.device if model.measured_on is None else f"{model.device} ({model.measured_on.label})"
        own = teacher.preprocessing
        aside = f" (the teacher: {own.image_size} px)" if own and own.image_size != model.image_size else ""
        yield "Serving", f"{_served_with(model)}, {model.image_size} px{aside}"
    if model.pay_per_use is None:
        yield "Accelerators per replica", str(model.accelerators_per_replica)
    yield "Price of training", f"{fmt.usd(model.train_price_usd_per_hour)} an hour"


def _prices(model: CostModel) -> Iterable[Pair]:
    if model.pay_per_use is not None:
        yield "Price", rate(model.pay_per_use)
        return
    yield "Price", price(model)
    if model.teacher_price is not None:
        yield "Price for the teacher", price(model.teacher_price)


def _served_with(model: CostModel) -> str:
    batch = f"batch of {model.batch_size}" if model.batch_size else "each model in batches of its own size"
    threads = f", {model.threads} threads" if model.threads else ""
    return f"{RUNTIMES[model.runtime] if model.runtime else fmt.NOTHING}, {model.precision}{threads}, {batch}"


def _dollars(model: CostModel) -> str:
    if model.pay_per_use is not None:
        return "1,000 \u00d7 (billed seconds of a request that is served alone \u00d7 price a second + price a request)"
    if model.requests_per_month is None:
        return "price an hour \u00d7 1,000 / (3,600 \u00d7 capacity \u00d7 utilization)"
    return (
        f"replicas for {fmt.large(model.requests_per_month)} requests a month at {model.peak_to_mean:g} times the mean "
        f"load, each at most {fmt.percent(model.target_utilization, 0)} busy, never fewer than {model.min_replicas}, "
        "\u00d7 price \u00d7 730 hours"
    )


def _search(report: Report) -> tuple[Pair, ...]:
    search = report.search
    seeds = sorted({f.accuracy.seeds for f in report.finalists if f.role != "published"})
    extent = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else "".join(map(str, seeds))
    trained = f", each trained again from {extent} fresh seeds" if seeds else ""
    untrained = sum(1 for f in report.finalists if f.role == "published")
    asides = f"; {untrained} of them published models, evaluated as they are" if untrained else ""
    states = ", ".join(f"{fmt.count(getattr(search, state))} {state}" for state in ("complete", "pruned", "failed"))
    return (
        ("Students", search.looked_at_of or "none"),
        ("Trials", f"{fmt.count(search.trials)}: {states}"),
        (
            "Finalists",
            f"{len(report.finalists)}{trained}{asides}" if report.finalists else "none",
        ),
        ("Choice", "every choice is made on validation images; the test images may refuse a finalist, never rank them"),
        ("Intervals", _levels(report)),
    )


def _levels(report: Report) -> str:
    """The level of the intervals that the verdict rests on, and that of the other metrics where it differs."""
    level, audit = report.options.teacher.accuracy.level, report.audit
    levels = {row.recall.level for found in audit.classes for row in found.rows if row.recall} if audit else set()
    if audit and audit.ambiguity:
        levels |= {quarter.gain.level for quarter in audit.ambiguity.quarters}
    others = fmt.listed(fmt.share(other) for other in sorted(levels - {level}))
    aside = f", those of quarters and single classes {others}" if levels - {level} else ""
    return f"{fmt.share(level)}{aside}; differences are paired image by image over the seeds"
