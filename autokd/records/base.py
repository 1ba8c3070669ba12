"""What the other records are made of: intervals, and the words that a field may hold."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

SCHEMA_VERSION = 1
LEVEL = 0.95  # of an interval, unless it says another

Arm = Literal["distill", "direct"]
ARMS: tuple[Arm, ...] = ("distill", "direct")
Loss = Literal["kl", "kl_zscore", "dist", "dkd", "hard"]
Schedule = Literal["cosine", "linear", "constant"]
TrialState = Literal["running", "complete", "pruned", "failed"]
ScreeningState = Literal["waiting", "stopped", "failed", "short_list"]
Role = Literal["pick", "default", "twin", "longer", "published", "edge"]
Side = Literal["below", "above"]  # of the range of ratios in which students are distilled
Verdict = Literal["distill", "use_small_model", "keep_teacher", "none"]
ARM_OF: dict[Verdict, Arm] = {"distill": "distill", "use_small_model": "direct"}  # of the student that is recommended
Strength = Literal["strong", "weak"]
Subject = Literal["teacher", "distilled", "direct", "twin"]


class Record(BaseModel):
    """An immutable value; two records with equal fields are equal."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=True,
        json_schema_serialization_defaults_required=True,  # what is written has every key
    )


# Infinite where a model cannot serve at all; JSON has no word for that and says null.
Dollars = Annotated[
    float,
    BeforeValidator(lambda value: math.inf if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]


class Interval(Record):
    """A mean with the two ends of its interval."""

    mean: Dollars
    low: Dollars
    high: Dollars
    level: float = LEVEL


class Difference(Interval):
    """A paired difference; `detectable` is the smallest one that this test set could have shown."""

    detectable: float


class Latency(Record):
    """Milliseconds for one batch at the batch size that is served."""

    p50: float
    p95: float
    p99: float | None  # None where too few passes were timed


class SeededInterval(Interval):
    """Accuracy over `seeds` trainings."""

    seeds: int
