"""The JSON files of a run folder: the name, the content, the one reader and the one writer of each.

Tables are in runs/tables.py, arrays in runs/arrays.py, the manifest run.json in runs/folder.py.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from autokd.errors import RunError
from autokd.files import is_file, is_folder, read_json, write_json
from autokd.naming import named, set_to
from autokd.records import (
    SCHEMA_VERSION,
    Candidate,
    CostModel,
    CostPrediction,
    Decoding,
    FinalistRecord,
    LeftOut,
    Proposal,
    Reading,
    Record,
    Report,
    Screening,
    SearchSummary,
    SeedResult,
    ServedForm,
    StudentForms,
    Task,
    Teacher,
    TrialRecord,
)

T = TypeVar("T")


def remedy() -> str:
    """The next step after a damaged file, for the end of a message."""
    return f"restore it from a copy of the run folder, or search again with another {named('output')}"


class Costs(Record):
    """costs.json: the cost model, every reading by its model's name, and those of cheaper forms."""

    cost_model: CostModel
    readings: dict[str, Reading]
    teacher_forms: tuple[ServedForm, ...] = ()
    student_forms: tuple[StudentForms, ...] = ()  # of the options that the report shows
    decoding: Decoding | None = None  # None where images come decoded
    drift: float | None = None  # the teacher's cost at the end of the run / at its begin; None: not read again


class CandidateList(Record):
    """candidates.json: the students of the space, those that may be trained and those left out."""

    candidates: tuple[Candidate, ...]
    edges: tuple[Candidate, ...] = ()  # just beyond the range of ratios, where they were asked for
    left_out: tuple[LeftOut, ...] = ()
    prediction: CostPrediction | None = None


class StoredFile(Generic[T]):
    """A JSON file under its name; `folder` is the run's, or that of one training."""

    def __init__(self, name: str, content: Any) -> None:
        self.name, self._content = name, content

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._content)

    def path(self, folder: Path) -> Path:
        """Where it lies."""
        return folder / self.name

    def exists(self, folder: Path) -> bool:
        """Whether it has been written."""
        return is_file(self.path(folder))

    def read(self, folder: Path) -> T:
        """Its content; raises RunError where it is missing, damaged, or of a newer schema."""
        path = self.path(folder)
        if is_folder(path):
            raise RunError(f"{path} is a folder where a file belongs; restore it from a copy of the run folder")
        if not is_file(path):
            raise RunError(
                f"{folder} has no {self.name}: the run did not get that far; finish it with {set_to('resume', True)}"
            )
        content = read_json(path)
        schema = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(schema, int) and schema > SCHEMA_VERSION:
            raise RunError(f"{path} was written by a newer autokd (schema {schema}); update autokd to read it")
        try:
            return self._adapter.validate_python(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "its content"
            raise RunError(f"{path} is damaged ({where}: {first['msg']}); {remedy()}") from None

    def read_if_there(self, folder: Path) -> T | None:
        """Its content, None where it is missing; raises RunError where it is damaged."""
        return self.read(folder) if self.exists(folder) else None

    def write(self, folder: Path, content: T) -> None:
        """Write it atomically."""
        write_json(self.path(folder), self._adapter.dump_python(content, mode="json"))


# ---- of a run ----------------------------------------------------------------------------------------------------

TASK = StoredFile[Task]("task.json", Task)
TEACHER = StoredFile[Teacher]("teacher.json", Teacher)
COSTS = StoredFile[Costs]("costs.json", Costs)
CANDIDATES = StoredFile[CandidateList]("candidates.json", CandidateList)
SEARCH = StoredFile[SearchSummary]("search.json", SearchSummary)
SCREENING = StoredFile[Screening]("screening.json", Screening)
PUBLISHED = StoredFile[tuple[TrialRecord, ...]]("published.json", tuple[TrialRecord, ...])
FINALISTS = StoredFile[tuple[FinalistRecord, ...]]("finalists.json", tuple[FinalistRecord, ...])
BATCH_PARTS = StoredFile[dict[str, int]]("batch_parts.json", dict[str, int])  # parts of a batch by student
REPORT = StoredFile[Report]("report.json", Report)

# ---- of one training ---------------------------------------------------------------------------------------------

PROPOSAL = StoredFile[Proposal]("proposal.json", Proposal)
RESULT = StoredFile[SeedResult]("result.json", SeedResult)  # written last: it says that the training is done
CHECKPOINT = "checkpoint.pt"  # while the training is not over
WEIGHTS = "weights.safetensors"
ERROR = "error.txt"


def read_finalists(folder: Path) -> tuple[FinalistRecord, ...]:
    """The finalists of a run; none where nothing was confirmed."""
    return FINALISTS.read_if_there(folder) or ()
