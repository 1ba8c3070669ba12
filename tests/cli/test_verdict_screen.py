"""The answer fits a screen, whatever the verdict, and cuts no number."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from believable_run import make_run
from made_evidence import direct, distilled, left_out, made_evidence, twin, with_form, with_student_form
from rich.console import Console

from autokd.cli import verdict
from autokd.decide import decide
from autokd.records import Policy, Report
from autokd.report import assemble
from autokd.result import SearchResult
from autokd.runs.folder import Run

LINES, WIDTH = 23, 100  # a prompt follows
BETTER = (distilled(accuracy=0.94), direct(accuracy=0.925), twin(accuracy=0.92))
ALIKE = (distilled(accuracy=0.94), direct(accuracy=0.94), twin(accuracy=0.94))
LONG = tuple(
    made.__class__(**{**made.__dict__, "student": "efficientformerv2_s0@width=0.375+depth=0.5"}) for made in ALIKE
)
CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "distill": (BETTER, {}),
    "small model": (ALIKE, {}),
    "long names": (LONG, {"max_cost": 0.01}),
    "teacher": (ALIKE, {"max_cost": 0.01, "requests_per_month": 1e4}),
    "cheaper forms": (ALIKE, {"max_cost": 0.01}),
    "none, many limits": (BETTER, {"max_negative_flips": 0.0001, "max_latency_ms": 1.0, "min_retention": 0.999}),
    "nothing trained": ((), {"max_cost": 0.0001}),
}


def screen(report: Report, monkeypatch: pytest.MonkeyPatch, width: int = WIDTH) -> list[str]:
    out = io.StringIO()
    monkeypatch.setattr(verdict, "answer_console", lambda: Console(file=out, width=width, highlight=False))
    verdict.print_result(SearchResult(Run(Path("reports/resnet152-20261129-5ec4b0")), report))
    return out.getvalue().rstrip("\n").splitlines()


def report_of(tmp_path: Path, case: str) -> Report:
    made, changes = CASES[case]
    policy = Policy(**({"max_cost": 0.001} | changes))
    evidence = made_evidence(*made, nearest=(left_out("tiny_net", 0.002),))
    if case == "cheaper forms":
        evidence = with_form(with_form(evidence, "bf16", 0.002), "int8", 0.0006)
        evidence = with_student_form(with_student_form(evidence, 1, 0.0001), 2, 0.0001, lost=0.05)
    report = assemble(make_run(tmp_path / "run"), decide(evidence, policy), policy)
    return report.model_copy(update={"student_path": "student"} if report.options.recommended(report.verdict) else {})


@pytest.mark.parametrize("case", list(CASES))
def test_it_fits_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    lines = screen(report_of(tmp_path, case), monkeypatch)
    assert len(lines) <= LINES, "\n".join(lines)
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("case", ["distill", "long names"])
def test_a_narrow_terminal_breaks_names_before_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    report = report_of(tmp_path, case)
    row = next(line for line in screen(report, monkeypatch, 90) if line.startswith("distilled"))
    assert f"({report.options.distilled.accuracy.low * 100:.1f}\u2013" in row  # type: ignore[union-attr]


def test_an_option_has_its_best_other_form_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(report_of(tmp_path, "cheaper forms"), monkeypatch)
    direct_form, distilled_form = (line.split() for line in lines if line.strip().startswith("int8, ONNX Runtime"))
    assert direct_form[-4:] == ["seed)", "93.7", "0.0001", "no"]
    assert distilled_form[-1] == "0.0001"
    told = "Each in its best form, resnet152 costs 2.0 times what the direct student does and 6.0 times what the"
    assert told in " ".join(" ".join(lines).split())


def test_no_two_weaknesses_tell_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the direct pick is the twin, gain and advantage are one difference, which is told once."""
    made = (distilled(accuracy=0.942), twin(accuracy=0.94))
    decision = decide(made_evidence(*made), Policy(max_cost=0.001))
    assert decision.gain == decision.advantage
    assert sum("not ruled out" in weakness for weakness in decision.weaknesses) <= 1
    assert not any("Advantage" in reason for reason in decision.reasons)
