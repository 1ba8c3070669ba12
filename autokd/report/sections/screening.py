"""The screening: which students were looked at, how they did by epoch, and who went on."""

from __future__ import annotations

from autokd.records import Report, ScreenedStudent, Screening
from autokd.report import format as fmt
from autokd.report.table import STUDENT, Column, Table

STATES = {
    "short_list": "on the short list",
    "stopped": "stopped",
    "failed": "failed",
    "waiting": "not looked at",
}


def screened(report: Report, screening: Screening | None) -> str:
    """What was done, in two sentences."""
    if screening is None or not screening.looked_at:
        return ""
    first, *later = (f"{epochs_of(rung.epochs)} ({rung.staying} of each arm stay)" for rung in screening.rungs)
    again = f"; those that stay, again for {fmt.listed(later)}" if later else ""
    return (
        f"Every student was trained by one recipe, once for both arms, for {first}{again}. In "
        "each, the learning rate follows its whole schedule. Who stays is on the front of validation accuracy and "
        f"cost, or close to it: {report.search.looked_at_of}.{_promised(screening)}"
    )


def epochs_of(count: int) -> str:
    """In words."""
    return "1 epoch" if count == 1 else f"{count} epochs"


def _promised(screening: Screening) -> str:
    """How well what was known before ranked the students at the first rung."""
    if screening.agreement is None:
        return ""
    return (
        " Before any training, size, published accuracy and family had ranked them with a correlation of "
        f"{screening.agreement:.2f} (rank correlation with the accuracies at the first comparison; 1 is perfect). That "
        "rank only says who is looked at first where there is no time for all."
    )


def screening_table(screening: Screening | None) -> Table:
    """Every student, those that went furthest first; accuracies at the end of each training."""
    rungs = screening.rungs if screening else ()
    columns = (
        STUDENT,
        Column("Ratio", True),
        Column("Cost, $ per 1,000", True),
        Column("Arms", wraps="phrase"),
        *(Column(f"Accuracy after {epochs_of(rung.epochs)}, %", True) for rung in rungs),
        Column("Epochs", True),
        Column("Outcome", wraps="phrase"),
    )
    students = screening.students if screening and screening.looked_at else ()
    listed = screening.short_list if screening else ()
    ordered = sorted(students, key=lambda s: (-s.epochs, -(s.val_accuracy or 0.0), s.number))
    rows = tuple(_row(student, len(rungs)) for student in ordered)
    marked = frozenset(i for i, student in enumerate(ordered) if student.student in listed)
    return Table("screening", columns, rows, marked)


def _row(student: ScreenedStudent, rungs: int) -> tuple[str, ...]:
    cells = [f"{100 * seen:.1f}" for seen in student.looks]
    return (
        student.student,
        f"{student.ratio:.1f}",
        fmt.usd(student.cost_usd_per_1k).removeprefix("$"),
        ", ".join(student.arms),
        *cells,
        *[fmt.NOTHING] * (rungs - len(cells)),
        str(student.epochs),
        student.error or STATES[student.state],
    )
