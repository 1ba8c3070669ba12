"""Report out of the run folder: what the other rooms have left there, and the decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from autokd.errors import RunError
from autokd.files import read_json
from autokd.machine import now
from autokd.records import (
    SCHEMA_VERSION,
    Audit,
    CostModel,
    Decision,
    FinalistRecord,
    LeftOut,
    Policy,
    Record,
    Report,
    SearchSummary,
    Task,
    Teacher,
)
from autokd.records.losses import FORMULA
from autokd.report.sections.savings import day_after
from autokd.runs.folder import Run

WITHOUT_LABEL = (
    ". An image without a label has the teacher's term alone, at weight 1; in dkd the teacher's answer stands in for "
    "its label"
)

R = TypeVar("R", bound=Record)


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
    fraction of test images that this very model gets right; `audit` stands beside the verdict. `cost_model` and
    `search` are the run's own unless given: the decision may be one of other conditions. Raises RunError where task,
    teacher or costs are missing.
    """
    manifest, created = run.manifest, now()
    task = read_record(run, "task.json", Task)
    return Report(
        run=manifest.get("id", run.path.name),
        created=created,
        break_even_date=_break_even_date(created, decision),
        **{name: getattr(decision, name) for name in Decision.model_fields},
        task=task_summary(task),
        teacher=read_record(run, "teacher.json", Teacher),
        policy=policy,
        cost_model=cost_model or _cost_model(run),
        search=search or _search(run),
        left_out=_left_out(run),
        formula=FORMULA + (WITHOUT_LABEL if task.unlabelled else ""),
        versions=_texts(manifest.get("versions")),
        hardware=_texts(manifest.get("hardware")),
        command=manifest.get("command", ""),
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


def write_json(run: Run, report: Report) -> None:
    """Write report.json."""
    run.write_json(run.report_path, report.model_dump(mode="json"))


def read_report(run: Run) -> Report:
    """The stored result; raises RunError for a run without one, or one of a newer schema."""
    if not run.report_path.is_file():
        raise RunError(f"{run.path} has no report.json: the search has not ended; finish it with --resume")
    content = read_json(run.report_path)
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise RunError(f"{run.report_path} was written by a newer autokd (schema {schema}); update autokd to read it")
    return _validated(run.report_path, content, Report)


def read_finalists(run: Run) -> tuple[FinalistRecord, ...]:
    """The finalists of finalists.json; empty where no confirmation took place."""
    path = run.path / "finalists.json"
    if not path.is_file():
        return ()
    content = read_json(path)
    items = content.get("finalists", []) if isinstance(content, dict) else content
    return tuple(_validated(path, item, FinalistRecord) for item in items)


def read_record(run: Run, name: str, kind: type[R]) -> R:
    """A record that another room has stored; raises RunError where it is missing or damaged."""
    path = run.path / name
    if not path.is_file():
        raise RunError(f"{run.path} has no {name}: the search has not come so far; finish it with --resume")
    return _validated(path, read_json(path), kind)


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


def _cost_model(run: Run) -> CostModel:
    path = run.path / "costs.json"
    if not path.is_file():
        raise RunError(f"{run.path} has no costs.json: nothing has been priced yet; finish the search with --resume")
    content = read_json(path)
    return _validated(path, content.get("cost_model") if isinstance(content, dict) else None, CostModel)


def _search(run: Run) -> SearchSummary:
    if (run.path / "search.json").is_file():
        return read_record(run, "search.json", SearchSummary)
    return SearchSummary(
        trials=0, complete=0, pruned=0, failed=0, device_seconds=0, usd=0, stages={}, importance={}, notes=()
    )


def _left_out(run: Run) -> tuple[LeftOut, ...]:
    path = run.path / "candidates.json"
    if not path.is_file():
        return ()
    content = read_json(path)
    items = content.get("left_out", []) if isinstance(content, dict) else []
    return tuple(_validated(path, item, LeftOut) for item in items)


def _validated(path: Path, content: Any, kind: type[R]) -> R:
    """A record out of JSON; a file's `schema_version` is not always a field of the record."""
    if isinstance(content, dict) and "schema_version" not in kind.model_fields:
        content = {key: value for key, value in content.items() if key != "schema_version"}
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or kind.__name__
        raise RunError(
            f"{path} is damaged ({where}: {first['msg']}); run the search again in another --output"
        ) from None


def _texts(content: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}
