"""run.json: what a run was asked for, where it was made, and how far it has come."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autokd.config import SearchConfig
from autokd.records import SCHEMA_VERSION, Record, SoftLabelSet

Status = Literal["running", "interrupted", "failed", "done"]
Stage = Literal["teacher", "soft_labels", "screening", "search", "confirmation"]


class Manifest(Record):
    """The content of run.json."""

    schema_version: int = SCHEMA_VERSION
    id: str
    status: Status
    started: str  # ISO 8601
    ended: str | None
    seed: int
    command: str
    settings: SearchConfig  # as asked for, before those that depend on the data were filled in
    versions: dict[str, str]
    hardware: dict[str, str]
    stages: dict[Stage, float] = Field(default={})  # device seconds
    soft_label_set: SoftLabelSet | None = None
    checksums: dict[str, str] = Field(default={})  # of the files that the verdict rests on, by name
    looks: tuple[int, ...] = ()  # seeds at each reading of the test images; empty until there is a second one

    @property
    def device_seconds(self) -> float:
        """Of all stages."""
        return sum(self.stages.values())
