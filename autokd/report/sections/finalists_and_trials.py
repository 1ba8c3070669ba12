"""Tables of the page: finalists, trials and students left out. Units stand in the heads, plain numbers in the cells."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.records import FinalistRecord, FinalistSummary, LeftOut, Recipe, Report, TrialRecord
from autokd.report import format as fmt
from autokd.report.sections.start_weights import hints, start
from autokd.report.table import STUDENT, Column, Table

RECIPE = (
    Column("Loss", wraps="phrase"), Column("T", True), Column("alpha", True), Column("Learning rate", True),
    Column("Also", wraps="phrase"),
)  # fmt: skip


TRIALS = (
    Column("Trial", True), Column("Arm"), STUDENT, Column("Ratio", True), Column("Cost, $ per 1,000", True),
    *RECIPE, Column("Epochs", True), Column("State"), Column("Validation accuracy, %", True), Column("Seconds", True),
    Column("Remarks", wraps="prose"),
)  # fmt: skip
RECIPES = (
    Column("Finalist", True), Column("Arm"), STUDENT, Column("Starts from", wraps="phrase"), *RECIPE,
    Column("Epochs", True), Column("Seeds", True), Column("Seconds", True),
)  # fmt: skip
LEFT_OUT = (
    STUDENT, Column("Parameters, M", True), Column("Ratio", True), Column("Cost, $ per 1,000", True),
    Column("Reason", wraps="prose"),
)  # fmt: skip


def finalists_columns(interval: str) -> tuple[Column, ...]:
    """The heads of the finalists, with what the interval of the test accuracy is called."""
    return (
        Column("Finalist", True), Column("Arm"), Column("Role", wraps="phrase"), STUDENT,
        Column("Test accuracy, %", True), Column(interval), Column("Retention, %", True),
        Column("Cost, $ per 1,000", True), Column("Validation accuracy, %", True),
    )  # fmt: skip


def trials_table(trials: Sequence[TrialRecord]) -> Table:
    """Every trial, the most accurate first and those without an accuracy last."""
    ordered = sorted(trials, key=lambda t: (t.val_accuracy is None, -(t.val_accuracy or 0), t.number))
    return Table("trials", TRIALS, tuple(_trial(trial) for trial in ordered))


def finalists_table(report: Report) -> Table:
    """What came of every finalist, in the order of its number; the picks of the arms are marked."""
    ordered, picks = _ordered(report), _picks(report)
    rows = tuple(_finalist(f, f.number in picks) for f in ordered)
    notes = tuple(_remarks(f) for f in ordered)
    columns = finalists_columns(fmt.interval_of(report.options.teacher.accuracy))
    marked = frozenset(i for i, f in enumerate(ordered) if f.number in picks)
    return Table("finalists", columns, rows, marked, notes=notes)


def recipes_table(report: Report, finalists: Sequence[FinalistRecord]) -> Table:
    """How every finalist was trained, in the same order and with the same marks."""
    recipes = {finalist.number: finalist.recipe for finalist in finalists}
    ordered, picks = _ordered(report), _picks(report)
    rows = tuple(_trained(f, recipes.get(f.number)) for f in ordered)
    return Table("recipes", RECIPES, rows, frozenset(i for i, f in enumerate(ordered) if f.number in picks))


def _ordered(report: Report) -> list[FinalistSummary]:
    return sorted(report.finalists, key=lambda f: f.number)


def _picks(report: Report) -> set[int | None]:
    """Numbers of the picks; an arm without one still has an option, its nearest finalist, which is none."""
    options = (report.options.direct, report.options.distilled)
    return {option.finalist for option in options if option is not None and option.worthwhile}


def left_out_table(left_out: Sequence[LeftOut]) -> Table:
    """Students of the space that are not candidates, with the reason."""
    return Table("left-out", LEFT_OUT, tuple(_left_out(student) for student in left_out))


def _trial(trial: TrialRecord) -> tuple[str, ...]:
    recipe = trial.recipe
    return (
        str(trial.number),
        fmt.ARMS[trial.arm],
        trial.student,
        f"{trial.ratio:.1f}",
        _cost(trial.cost_usd_per_1k),
        *_recipe(recipe),
        f"{trial.epochs}/{recipe.epochs}",
        trial.state,
        _percent(trial.val_accuracy),
        f"{trial.seconds:.1f}",
        "; ".join(text for text in (trial.error, trial.note) if text),
    )


def _finalist(summary: FinalistSummary, pick: bool) -> tuple[str, ...]:
    return (
        str(summary.number),
        fmt.ARMS[summary.arm],
        _role(summary, pick),
        summary.student,
        _percent(summary.accuracy.mean),
        f"{_percent(summary.accuracy.low)} to {_percent(summary.accuracy.high)}",
        f"{summary.retention.mean * 100:.1f}",
        _cost(summary.cost_usd_per_1k),
        _percent(summary.val_accuracy),
    )


def _trained(summary: FinalistSummary, recipe: Recipe | None) -> tuple[str, ...]:
    return (
        str(summary.number),
        fmt.ARMS[summary.arm],
        summary.student,
        start(summary.weights),
        *(_recipe(recipe) if recipe else (fmt.NOTHING,) * 5),
        str(recipe.epochs) if recipe else fmt.NOTHING,
        str(summary.accuracy.seeds),
        f"{summary.device_seconds:.1f}",
    )


def _left_out(student: LeftOut) -> tuple[str, ...]:
    return (
        student.student,
        fmt.NOTHING if student.parameters is None else f"{student.parameters / 1e6:.2f}",
        fmt.NOTHING if student.ratio is None else f"{student.ratio:.1f}",
        fmt.NOTHING if student.cost_usd_per_1k is None else _cost(student.cost_usd_per_1k),
        student.reason,
    )


def _recipe(recipe: Recipe) -> tuple[str, str, str, str, str]:
    """Loss, temperature, alpha, learning rate and the rest; without a teacher the first two have no meaning."""
    if recipe.epochs == 0:
        return (fmt.NOTHING,) * 5
    rate, also = f"{recipe.learning_rate:.2g}", _also(recipe)
    if recipe.alpha == 0:
        return fmt.NOTHING, fmt.NOTHING, "0", rate, also
    loss = f"dkd, beta {recipe.beta:.2g}" if recipe.loss == "dkd" else recipe.loss
    temperature = fmt.NOTHING if recipe.loss == "hard" else f"{recipe.temperature:.3g}"
    return loss, temperature, f"{recipe.alpha:.2g}", rate, also


def _also(recipe: Recipe) -> str:
    """What a recipe has that is not usual: smoothed labels, mixed images, another schedule."""
    shares = {
        "smoothing": recipe.label_smoothing,
        "mixup": recipe.mixup,
        "cutmix": recipe.cutmix,
        "drop path": recipe.drop_path,
    }
    found = [f"{name} {value:.2g}" for name, value in shares.items() if value]
    found += [recipe.schedule] if recipe.schedule != "cosine" else []
    return ", ".join(found) or fmt.NOTHING


def _role(summary: FinalistSummary, pick: bool) -> str:
    role = fmt.ROLES[summary.role]
    if summary.twin_of:
        role = f"twin of {fmt.listed(map(str, summary.twin_of))}"
    return f"{role}, pick" if pick else role


def _remarks(summary: FinalistSummary) -> str:
    state = "not within the limits"
    if summary.eligible:
        state = "may be picked" if summary.worthwhile else "within the limits"
    marks = {"noisy cost": summary.noisy, "predicted cost": summary.predicted}
    marked = [mark for mark, holds in marks.items() if holds]
    return "; ".join([state, *summary.why_not, *marked, *hints(summary.weights)])


def _cost(cost: float) -> str:
    return fmt.usd(cost).removeprefix("$")


def _percent(fraction: float | None) -> str:
    return fmt.NOTHING if fraction is None else f"{fraction * 100:.2f}"
