"""The answers of commands, on stdout; a verdict has its own file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autokd.cost.price_remarks import OLDEST, age, remarks
from autokd.formatting import duration, escaped, file_size, usd
from autokd.records import RUNTIMES

if TYPE_CHECKING:
    from autokd.cache.entries import Entry
    from autokd.config import SearchConfig
    from autokd.cost.price_table import Price
    from autokd.pipeline.estimate import Estimate
    from autokd.records import CostPrediction, MeasuredCosts, Reading
    from autokd.soft_labels.verify import SetCheck
    from autokd.tune.space.summary import Outline
    from autokd.zoo.student_table import Row

PIPED_WIDTH = 240
NAMED = 6  # students of a family that are written out


def answer_console() -> Console:
    """stdout; sentences wrap on a terminal only."""
    console = Console(markup=False, emoji=False, highlight=False)
    return console if console.is_terminal else Console(markup=False, emoji=False, highlight=False, width=PIPED_WIDTH)


def _print_table(table: Table) -> None:
    """A table on stdout in its own width: no cell is cut, a narrow terminal wraps the lines."""
    Console(markup=False, emoji=False, highlight=False, width=PIPED_WIDTH, soft_wrap=True).print(table)


def _dollars(amount: float) -> str:
    """Three significant digits, never in powers of ten, without the sign: a column says it once."""
    return usd(amount).removeprefix("$")


def print_config(config: SearchConfig, sources: dict[str, str]) -> None:
    """Every setting, its value and its source."""
    from autokd.config import SearchConfig

    table = Table("setting", "value", "source", box=None, padding=(0, 2, 0, 0))
    for name, source in sources.items():
        value = getattr(config, name)
        by_size = value is None and name in SearchConfig.SIZED
        table.add_row(name, "by the data's size" if by_size else "-" if value is None else escaped(str(value)), source)
    _print_table(table)


def print_estimate(estimate: Estimate) -> None:
    """Teacher and price, candidates, then the plan."""
    from autokd.report.sections.cost_assumptions import serving_price

    console, task = answer_console(), estimate.task
    console.print(f"{task.data}: {task.training_images}, {len(task.classes)} classes, {task.transform.image_size} px")
    teacher = estimate.teacher_reading
    console.print(
        f"Teacher {estimate.teacher}: {estimate.teacher_parameters / 1e6:.1f} M parameters, "
        f"${_dollars(teacher.cost_usd_per_1k.mean)} per 1,000 requests (budget ${estimate.max_cost:g})"
    )
    for sentence in (serving_price(estimate.cost_model), *remarks(estimate.cost_model, date.today())):
        console.print(Text(sentence))
    columns = ("candidate", "family", "params", "ratio", "MACs", "$ per 1,000", "predicted", "arms")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for c in sorted(estimate.candidates, key=lambda c: c.reading.cost_usd_per_1k.mean):
        cost = _dollars(c.reading.cost_usd_per_1k.mean) + _marks(c.reading)
        predicted = "" if c.predicted_usd_per_1k is None else _dollars(c.predicted_usd_per_1k)
        size = (f"{c.parameters / 1e6:.2f} M", f"{c.ratio:.1f}x", f"{c.macs / 1e6:.1f} M")
        table.add_row(c.student, c.family, *size, cost, predicted, ", ".join(c.arms))
    _print_table(table)
    console.print(f"{len(estimate.left_out)} students of the space are left out for an arm or for both.")
    if estimate.prediction:
        console.print(prediction_note(estimate.prediction))
    for stage in estimate.stages:
        console.print(f"  {stage.name:<13} {stage.work}: about {duration(stage.seconds)}, ${stage.usd:.4f}")
    console.print(
        f"In all about {duration(estimate.seconds)} of device time, ${estimate.usd:.4f}, "
        f"and {file_size(estimate.disk_bytes)} of disk at most, without tables and the report. Nothing was trained."
    )
    parts = {name.replace("_", " "): count for name, count in estimate.disk.model_dump().items() if count}
    console.print(f"  disk: {', '.join(f'{name} {file_size(count)}' for name, count in parts.items())}")
    _print_presets(estimate)


def _marks(reading: Reading) -> str:
    return (" noisy" if reading.noisy else "") + (" predicted" if reading.predicted else "")


def print_measured(costs: MeasuredCosts, path: Path) -> None:
    """What was measured on what, one line a model, and how the file is used."""
    from autokd.report.sections.cost_assumptions import serving_price

    console, model = answer_console(), costs.cost_model
    label = model.measured_on.label if model.measured_on else model.device
    runtime = RUNTIMES[model.runtime] if model.runtime else "its runtime"
    limit = "" if costs.max_latency_ms is None else f", p95 within {costs.max_latency_ms:g} ms"
    console.print(Text(f"{label}, {runtime}, {model.precision}: {model.image_size} px, {costs.classes} classes{limit}"))
    for sentence in (serving_price(model), *remarks(model, date.today())):
        console.print(Text(sentence))
    table = Table("model", box=None, padding=(0, 2, 0, 0))
    for head in ("$ per 1,000", "low", "high", "images/s", "p95 ms", "batch"):
        table.add_column(head, justify="right")
    table.add_column("")
    for name, reading in costs.readings.items():
        cost, wait = reading.cost_usd_per_1k, reading.latency_ms
        table.add_row(
            name,
            *(_dollars(amount) for amount in (cost.mean, cost.low, cost.high)),
            f"{reading.capacity_rps or 0:.4g}",
            "" if wait is None else f"{wait.p95:.3g}",
            str(reading.batch_size or ""),
            _marks(reading).strip(),
        )
    _print_table(table)
    console.print(Text(f"File: {path}"))
    console.print(Text(f"Use it: autokd search --teacher {costs.reference} --costs {path} ..."))


def _print_presets(estimate: Estimate) -> None:
    """One line a preset; settings that were given are the same in all of them."""
    columns = ("--preset", "trials", "epochs", "seeds", "finalists", "device time", "$")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for plan in estimate.presets:
        name = f"{plan.preset} *" if plan.preset == estimate.preset else plan.preset
        sizes = (plan.trials, plan.epochs, plan.seeds, plan.finalists)
        table.add_row(name, *map(str, sizes), duration(plan.seconds), f"{plan.usd:.4f}")
    _print_table(table)
    answer_console().print("  * this plan")


def prediction_note(prediction: CostPrediction) -> str:
    """How far predicted costs were off, and what they were used for."""
    off = f"{prediction.median_error:.0%} (median) and {prediction.largest_error:.0%} (at most)"
    note = f"Costs predicted from {prediction.fitted_on} measured students were off by {off} on each of them left out"
    if prediction.checked_median_error is not None and prediction.checked_largest_error is not None:
        note += (
            f", by {prediction.checked_median_error:.0%} and {prediction.checked_largest_error:.0%} "
            f"on {prediction.checked_on} measured later"
        )
    if prediction.refused:
        note += (
            f"; {prediction.refused} students were refused, predicted {prediction.margin:.0%} above the budget or more"
        )
    return note + "."


def print_students(shown: Sequence[Row], everything: Sequence[Row], of: str, size: int | None) -> None:
    """One line a student, then how many were left out and why; without a size each model is at its own."""
    from autokd.zoo.student_table import why_left_out

    console = answer_console()
    console.print(f"Students of {of}, {f'at {size} px' if size else 'each at its own image size'}")
    columns = ("student", "family", "params", "ratio", "MACs", "activations", "weights", "top-1 %", "")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for row in shown:
        counts = [None if n is None else n / 1e6 for n in (row.parameters, row.macs, row.activations)]
        parameters, macs, activations = ("" if n is None else f"{n:.2f} M" for n in counts)
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}x"
        top1 = "" if row.top1 is None else f"{row.top1:.1f}"
        table.add_row(row.student, row.family, parameters, ratio, macs, activations, _weights_of(row), top1, row.reason)
    _print_table(table)
    usable = sum("distill" in row.arms for row in everything)
    console.print(f"{usable} of {len(everything)} models can be distilled.")
    for reason, count in why_left_out(everything, size or 0).items():
        console.print(f"  {count} left out: {reason}")


def _weights_of(row: Row) -> str:
    """The tag that the accuracy belongs to, else that of timm's default weights; and how many others there are."""
    tags = list(row.weights)
    return "" if not tags else (row.top1_weights or tags[0]) + (f" +{len(tags) - 1}" if len(tags) > 1 else "")


def print_spaces(outlines: Sequence[Outline]) -> None:
    """One line a space."""
    table = Table("space", "students", "families", "for", box=None, padding=(0, 2, 0, 0))
    for each in outlines:
        table.add_row(each.name, str(each.students), str(len(each.families)), each.about)
    _print_table(table)


def print_space(outline: Outline) -> None:
    """Students by family, then what is searched in each arm."""
    console = answer_console()
    count = f"{outline.students:,} students of {len(outline.families)} families"
    console.print(Text(f"{outline.path} is sound: {count}."))
    table = Table("family", "students", "", box=None, padding=(0, 2, 0, 0))
    for family, names in outline.families.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        table.add_row(family, str(len(names)), ", ".join(names[:NAMED]) + more)
    _print_table(table)
    console.print()
    table = Table("searched", *outline.recipes, box=None, padding=(0, 2, 0, 0))
    for name in dict.fromkeys(name for recipe in outline.recipes.values() for name in recipe):
        known = [(name in recipe, recipe.get(name)) for recipe in outline.recipes.values()]
        table.add_row(name, *(str(bounds or "by the number of classes") if given else "" for given, bounds in known))
    table.add_row("loss", ", ".join(outline.losses), "")
    table.add_row("schedule", *(", ".join(schedules) for schedules in outline.schedules.values()))
    table.add_row("first proposals", *(str(count) for count in outline.first.values()))
    _print_table(table)


def print_prices(rows: Sequence[Price]) -> None:
    """One line a machine, under its provider and region; then how old the prices are."""
    console = answer_console()
    for place, alike in groupby(rows, key=lambda row: (row.provider, row.region)):
        console.print(Text(escaped(", ".join(filter(None, place))), style="bold"))
        table = Table("instance", "hardware", box=None, padding=(0, 2, 0, 0))
        table.add_column("vCPUs", justify="right")
        table.add_column("$ an hour", justify="right")
        for row in alike:
            table.add_row(escaped(row.instance), escaped(row.hardware), str(row.vcpus), f"{row.usd_per_hour:.5f}")
        _print_table(table)
    days = [row.date for row in rows]
    console.print(f"{len(rows)} list prices of {min(days)} to {max(days)}.")
    console.print("Sources: autokd prices show INSTANCE")
    if old := sum(age(day, date.today()) > OLDEST for day in days):
        console.print(f"{old} of them are more than {OLDEST} days old.")


def print_price(row: Price) -> None:
    """A machine's price, what it is of, and where and when it was read."""
    days = age(row.date, date.today())
    each = row.usd_per_hour / row.units
    lines = {
        "instance": row.instance,
        "provider": ", ".join(filter(None, (row.provider, row.region))),
        "hardware": row.hardware,
        "vCPUs": str(row.vcpus),
        "price": f"${row.usd_per_hour:.10g} an hour, {usd(each)} {'an accelerator' if row.accelerator else 'a vCPU'}",
        "source": row.source,
        "seen": row.seen,
        "date": f"{row.date}, {days} days old" + (f": more than {OLDEST}" if days > OLDEST else ""),
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in lines.items():
        if text:
            table.add_row(Text(name, style="bold"), Text(escaped(text)))
    _print_table(table)


def print_cache(entries: Sequence[Entry], root: Path) -> None:
    """One line an entry, and their size together."""
    console = answer_console()
    console.print(Text(f"{root}: {len(entries)} entries, {file_size(sum(entry.bytes for entry in entries))}"))
    table = Table("kind", "key", "size", "last used", "belongs to", box=None, padding=(0, 2, 0, 0))
    for entry in entries:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.last_used)) + (", in use" if entry.held else "")
        table.add_row(entry.kind, entry.key, file_size(entry.bytes), used, _belongs_to(entry))
    if entries:
        _print_table(table)


def _belongs_to(entry: Entry) -> str:
    parts = [
        entry.student or " on ".join(name for name in (entry.teacher, entry.data) if name),
        f"{entry.views} views" if entry.views is not None else "",
        f"{entry.images:,} images" if entry.images is not None else "",
        f"{entry.classes:,} classes" if entry.classes is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "unknown"


def print_check(check: SetCheck) -> None:
    """What the verification of one set of soft labels found."""
    console = answer_console()
    count = len(check.faults)
    found = f"{count} fault{'s' if count > 1 else ''}" if count else "sound"
    sampled = f"{check.sampled} of them computed again by the teacher"
    if check.deviation is not None:
        sampled += f", largest difference {check.deviation:.2g} standard deviations"
    if check.note:
        sampled = f"checksums only: {check.note}"
    console.print(Text(f"{check.key}: {found}; {check.chunks} chunks, {sampled}"))
    for fault in check.faults:
        console.print(Text(f"  - {fault}"))


def print_pruned(gone: Sequence[Entry], left: Sequence[Entry], dry_run: bool) -> None:
    """What was removed, what that freed, and what stays."""
    console = answer_console()
    for entry in gone:
        console.print(
            Text(
                f"{'would remove' if dry_run else 'removed'} {entry.kind} {entry.key}: {_belongs_to(entry)}, "
                f"{file_size(entry.bytes)}"
            )
        )
    freed, stays = sum(entry.bytes for entry in gone), sum(entry.bytes for entry in left)
    held = sum(1 for entry in left if entry.held)
    in_use = f", {held} of them in use" if held else ""
    verb = "Would free" if dry_run else "Freed"
    console.print(Text(f"{verb} {file_size(freed)}; {len(left)} entries with {file_size(stays)} stay{in_use}."))
