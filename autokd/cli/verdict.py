"""The answer of search, confirm and decide: a verdict on a screen of 24 lines of 100 characters.

It names what decided, what is weak and what would change it soonest. Everything else is in the page and in --json.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autokd.cli.output import answer_console
from autokd.formatting import VERDICTS, percent, usd
from autokd.records import RUNTIMES

if TYPE_CHECKING:
    from autokd.records import Interval, Option, OptionForm, Report
    from autokd.result import SearchResult

COLOURS = {"distill": "green", "use_small_model": "cyan", "keep_teacher": "yellow", "none": "red"}
LINES = 23  # of a screen, the prompt after it left out
WIDE, NARROW = 96, ("ratio", "eligible")  # columns of a screen that shows all; heads that a narrower one leaves out
LABEL = 9  # characters of a label, and of what is printed under it


def print_result(result: SearchResult) -> None:
    """The verdict of a run, and its files."""
    student = result.report.student_path
    files = _files(result.path, "trials.csv", "finalists.csv", *([f"{student}/"] if student else ()))
    print_verdict(result.report, result.path, files)


def print_verdict(report: Report, path: Path, files: str | None = None) -> None:
    """Verdict, options, reasons, weaknesses and the nearest changes; `path` is the run's.

    As many reasons are given as fit on the screen, the most important first; then as many changes, but one at least.
    """
    console = answer_console()
    for reasons, changes in _lengths(len(report.key_reasons), len(report.nearest_changes)):
        parts = _parts(report, path, files, reasons, changes, console.width)
        if sum(len(console.render_lines(part, pad=False)) for part in parts) <= LINES:
            break
    for part in parts:
        console.print(part)


def _lengths(reasons: int, changes: int) -> Iterator[tuple[int, int]]:
    """How many reasons and changes to tell, the longest answer first; the reason that decided goes last."""
    least = min(reasons, 1)
    yield from ((count, changes) for count in range(reasons, least, -1))
    yield from ((least, count) for count in range(changes, 0, -1))
    yield 0, 1


def print_files(folder: Path, *others: str) -> None:
    """Where page and numbers are; `others` are further files of the folder."""
    answer_console().print(_labelled("Files", [_files(folder, *others)]))


def _files(folder: Path, *others: str) -> str:
    return f"{folder / 'report.html'}, {', '.join(['report.json', *others])}"


def _parts(
    report: Report, path: Path, files: str | None, reasons: int, changes: int, width: int
) -> list[RenderableType]:
    from autokd.decide.explain.wording import how_sure
    from autokd.report.sections.cost_assumptions import (
        best_forms,
        decoding,
        price_remarks,
        short_assumptions,
        teacher_forms,
    )

    headline = f"{VERDICTS[report.verdict].upper()} ({report.strength})"
    confirm = [f"autokd confirm {path} --seeds {report.settling_seeds}"] if report.settling_seeds else []
    lines = {
        "Sure": [how_sure(report.repeatability, report.at_stake)],
        "Holds": [f"{report.condition}."] if report.condition else [],
        "Costs": [
            short_assumptions(report),
            *price_remarks(report),
            *filter(None, [teacher_forms(report), best_forms(report), decoding(report)]),
        ],
        "Search": [f"{tried[0].upper()}{tried[1:]}."] if (tried := report.search.looked_at_of) else [],
        "Why": report.key_reasons[:reasons],
        "Weak": [*report.weaknesses, *filter(None, [report.settles]), *confirm],
        "Changes": report.nearest_changes[:changes],
        "Files": [files] if files else [],
    }
    return [
        Text(""),
        Text(headline, style=f"bold {COLOURS[report.verdict]}"),
        Text(report.summary),
        _options_table(report, width),
        *(_labelled(label, texts) for label, texts in lines.items() if texts),
    ]


def _labelled(label: str, lines: Sequence[str]) -> Table:
    """Lines under a label at their left; a line that does not fit goes on under itself."""
    grid = Table.grid(padding=0)
    grid.add_column(width=LABEL, no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for i, line in enumerate(lines):
        grid.add_row(Text("" if i else label), Text(line.replace("\u00a0", " ")))
    return grid


def _options_table(report: Report, width: int) -> Table:
    """One row an option; a long name is broken before any number is, and a narrow screen has fewer columns."""
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 2, 0, 0))
    level = f"{report.options.teacher.accuracy.level * 100:g} %"
    heads = (
        "option",
        "model",
        "ratio",
        f"accuracy % ({level})",
        f"retention % ({level})",
        "$ per 1,000",
        "eligible",
    )
    left_out = NARROW if width < WIDE else ()
    for head in heads:
        if head in left_out:
            continue
        left = head in {"option", "model"}
        table.add_column(head, justify="left" if left else "right", no_wrap=head != "model", overflow="fold")
    options = report.options
    for name, option in (("teacher", options.teacher), ("direct", options.direct), ("distilled", options.distilled)):
        cells = _cells(option) if option else ["-", *[""] * 5]
        table.add_row(name, *_shown(heads, cells, left_out))
        if option and (form := option.other_form):
            table.add_row("", *_shown(heads, _form_cells(form), left_out))
    return table


def _shown(heads: Sequence[str], cells: Sequence[str], left_out: Collection[str]) -> list[str]:
    return [cell for head, cell in zip(heads[1:], cells, strict=True) if head not in left_out]


def _cells(option: Option) -> list[str]:
    accuracy, retention = option.accuracy, option.retention
    exact = retention.low == retention.high
    return [
        option.student,
        f"{option.ratio:.1f}x",
        f"{_bare(accuracy.mean)} {_ends(accuracy)}",
        _bare(retention.mean) + ("" if exact else f" {_ends(retention)}"),
        usd(option.cost_usd_per_1k).removeprefix("$"),
        "yes" if option.eligible else "no",
    ]


def _form_cells(form: OptionForm) -> list[str]:
    """Under an option, what it is in its best other form."""
    return [
        f"{form.precision}, {RUNTIMES[form.runtime]}",
        "",
        f"{_bare(form.test_accuracy)} (one seed)",
        _bare(form.retention.mean),
        usd(form.cost_usd_per_1k).removeprefix("$"),
        "no" if form.why_not else "",
    ]


def _ends(interval: Interval) -> str:
    return f"({_bare(interval.low)}\u2013{_bare(interval.high)})"


def _bare(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")
