"""Report out of the run folder: what the other rooms have left there, and the decision."""

from __future__ import annotations

from typing import Any

from autokd.machine import now
from autokd.records import Audit, CostModel, Decision, Policy, Report, SearchSummary, Task
from autokd.records.losses import FORMULA, WITHOUT_LABEL
from autokd.report.sections.savings import day_after
from autokd.runs.folder import Run
from autokd.runs.store import CANDIDATES, COSTS, SEARCH, TASK, TEACHER


def assemble(
    run: Run,
    decision: Decision,
    policy: Policy,
    *,
    cost_model: CostModel | None = None,
    search: SearchSummary | None = None,
    student_path: str | None = None,
    student_test_accuracy: float | None = None,
    audit: Audit | None = None,
) -> Report:
    """The whole result of a run under one decision; nothing is written.

    `student_path` names the folder of the recommended student, relative to the run; `student_test_accuracy` is the
    fraction of test images that this very model gets right; `audit` holds other quality metrics. `cost_model` and
    `search` are the run's own unless given: the decision may be one of other conditions. Raises RunError where task,
    teacher or costs are missing.
    """
    manifest, created, task, costs = run.manifest, now(), TASK.read(run.path), COSTS.read(run.path)
    return Report(
        run=manifest.id,
        created=created,
        break_even_date=_break_even_date(created, decision),
        **{name: getattr(decision, name) for name in Decision.model_fields},
        task=task_summary(task),
        teacher=TEACHER.read(run.path),
        policy=policy,
        cost_model=cost_model or costs.cost_model,
        decoding=costs.decoding,
        search=search or SEARCH.read(run.path),
        left_out=CANDIDATES.read(run.path).left_out,
        formula=FORMULA + (WITHOUT_LABEL if task.unlabelled else ""),
        versions=manifest.versions,
        hardware=manifest.hardware,
        command=manifest.command,
        student_path=student_path,
        student_test_accuracy=student_test_accuracy,
        audit=audit,
    )


def _break_even_date(created: str, decision: Decision) -> str | None:
    """The day on which the one-time cost is paid back, were the student to serve from now on."""
    economics = decision.economics
    if economics is None or economics.break_even_months is None:
        return None
    return day_after(created, economics.break_even_months.mean)


def task_summary(task: Task) -> dict[str, Any]:
    """The task as report.json carries it; `labelled` counts the training images whose label students have seen."""
    return {
        "data": task.data,
        "classes": list(task.classes),
        "train": task.train,
        "val": task.val,
        "test": task.test,
        "image_size": task.transform.image_size,
        "labelled": task.train - task.unlabelled,
        "split_note": task.split_note,
        "test_is_separate": task.test_is_separate,
        "fingerprint": task.fingerprint,
        "transform": task.transform.model_dump(mode="json"),
        "skipped": list(task.skipped),
    }
