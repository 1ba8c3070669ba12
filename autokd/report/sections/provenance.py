"""Where a page comes from: the commands that give it again, and where its evidence and its student lie."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from autokd.records import Report
from autokd.report import format as fmt
from autokd.runs.folder import Run
from autokd.runs.store import read_finalists
from autokd.runs.tables import TRIALS


@dataclass(frozen=True)
class Provenance:
    """Commands in the order of their use, and sentences on the evidence and on the recommended student."""

    commands: tuple[str, ...]
    evidence: str
    student: str | None


def own_page(report: Report, run: Run | None = None) -> Provenance:
    """Of the page in the run's own folder; without a run only what the report says itself."""
    trials = [TRIALS] if run is None or (run.path / TRIALS).is_file() else []
    place = f"in the folder {report.student_path}" if report.student_path else None
    return Provenance(
        commands=(report.command, *(_looks(run, run.path) if run else ())),
        evidence=f"The evidence is in the same folder: {', '.join(['report.json', *trials, 'finalists.csv'])}.",
        student=_student(report, place),
    )


def copied_page(report: Report, run: Run, folder: Path) -> Provenance:
    """Of a page about other conditions, in a folder that holds nothing else but its report.json."""
    source = run.path.resolve()
    place = f"in {source / report.student_path}" if report.student_path else None
    return Provenance(
        commands=(report.command, *_looks(run, source), _decide(report, source, folder)),
        evidence=f"Its numbers are in report.json in the same folder, the evidence in the run's folder, {source}.",
        student=_student(report, place) or _unwritten(report),
    )


def _looks(run: Run, path: Path) -> list[str]:
    """The commands that added seeds: to all finalists, where also one that is no contender has so many."""
    everybody = max((len(f.seeds) for f in read_finalists(run.path) if not f.contender), default=0)
    return [
        shlex.join(["autokd", "confirm", str(path), "--seeds", str(seeds), *(["--all"] if seeds == everybody else [])])
        for seeds in run.manifest.looks[1:]
    ]


def _decide(report: Report, source: Path, folder: Path) -> str:
    flags = [part for name, value in conditions_given(report).items() for part in (_flag(name), value)]
    return shlex.join(["autokd", "decide", str(source), *flags, "--output", str(folder)])


def conditions_given(report: Report) -> dict[str, str]:
    """The conditions that a verdict was asked for under, as a command line writes them."""
    return {name: _written(value) for name, value in report.conditions.items()}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _written(value: float | str) -> str:
    """A value as it can be given back, no digit lost: 3e6 as 3000000."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _student(report: Report, place: str | None) -> str | None:
    if place is None:
        return None
    accuracy = report.student_test_accuracy
    measured = "" if accuracy is None else f"; this very model gets {fmt.percent(accuracy)} of the test images right"
    return f"The recommended student lies {place}{measured}."


def _unwritten(report: Report) -> str | None:
    """What is said of a student that is not the one which the run itself recommends."""
    option = report.options.recommended(report.verdict)
    if option is None:
        return None
    return f"The recommended student is finalist {option.finalist} of the run; no ready model of it was written."
