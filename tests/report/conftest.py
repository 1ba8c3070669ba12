"""One finished run for the tests that only read."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision, make_policy, make_run
from made_audit import make_audit

from autokd.report import assemble, write_reports
from autokd.runs.folder import Run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with verdict `distill`, all reports written; do not change it."""
    run = make_run(Path(tmp_path_factory.mktemp("report")) / "resnet152-20260504-a1b2c3")
    report = assemble(
        run,
        make_decision(),
        make_policy(),
        student_path="student",
        student_test_accuracy=0.964,
        audit=make_audit(),
    )
    write_reports(run, report)
    return run
