"""SearchConfig: every setting of a search, validated once.

Precedence is command line > environment (`AUTOKD_SEARCH_...`) > file > default. The command line resolves it and
passes one object on. Settings that depend on the data's size are `None` until `sized` fills them in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from autokd.config_checks import PRICES, SERVED, inconsistency
from autokd.config_messages import cannot_be_used, refuse_unknown
from autokd.config_presets import PresetName, sizes
from autokd.durations import seconds_of
from autokd.errors import ConfigError
from autokd.records import Policy

# What may differ between a run and its resumption: where the work is placed and when it stops, never what is computed.
ENGINE = ("engine", "ray_address", "workers", "gpus_per_trial", "loader_workers")
PLACEMENT = frozenset({*ENGINE, "time_limit", "max_spend", "resident_gb", "tracker"})


@dataclass(frozen=True)
class ShownDefault:
    """What help shows as the default of a setting whose default is None because it depends on something else."""

    text: str


_BY_SIZE = ShownDefault("by preset and number of training images")
_NO_LIMIT = ShownDefault("no limit")


class SearchConfig(BaseModel):
    """All settings of `autokd search`, `autokd estimate` and `autokd.search()`.

    Raises ConfigError (through `SearchConfig.of`) with one sentence for a value that cannot be used. Upper bounds are
    far above any use: they catch a slip of the finger before hours or gigabytes are spent on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    SIZED: ClassVar[frozenset[str]] = frozenset({"preset", "trials", "epochs", "seeds", "batch_size", "finalists"})

    teacher: str = Field(description="timm model that is served today")
    max_cost: float = Field(gt=0, le=1_000_000, description="budget in US dollars per 1,000 requests")

    data: str = Field("digits", description="digits (embedded), an image folder, torch/NAME or hfds/NAME")
    data_dir: Annotated[Path | None, ShownDefault("data/ for torch/, the library's own cache for hfds/")] = Field(
        None, description="where torch/ and hfds/ data sets lie or are put"
    )
    on_corrupt: Literal["refuse", "skip"] = Field("refuse", description="what to do with an unreadable image")
    image_size: Annotated[int | None, ShownDefault("what data and teacher suggest")] = Field(
        None, ge=8, le=2_048, description="pixels a side"
    )
    flip: Annotated[bool | None, ShownDefault("yes, except for the digits")] = Field(
        None, description="mirror training images"
    )
    colour: Annotated[float | None, ShownDefault("0.2 for random resized crops, else 0")] = Field(
        None, ge=0, le=1, description="colour jitter of training images"
    )
    trivial_augment: bool = Field(False, description="change each training view by one random operation")
    erase: float = Field(0.0, ge=0, le=1, description="probability of erasing a part of a training image")
    label_fraction: Annotated[float | None, ShownDefault("all of them")] = Field(
        None, gt=0, le=1, description="share of the training labels that students may see"
    )
    resident_gb: Annotated[float | None, ShownDefault("half of the free memory and disk")] = Field(
        None, gt=0, le=100_000, description="keep decoded images up to this many GB; stream larger data sets"
    )
    loader_workers: Annotated[int | None, ShownDefault("the usable cores less one")] = Field(
        None, ge=0, le=4_096, description="processes that decode streamed images"
    )

    teacher_weights: Annotated[str | None, ShownDefault("scratch for the digits, else pretrained")] = Field(
        None, description="FILE (safetensors or state dict), pretrained or scratch"
    )
    teacher_epochs: Annotated[int | None, ShownDefault("by preset and epochs of the students")] = Field(
        None, ge=0, le=10_000, description="epochs for training or fine-tuning the teacher"
    )

    teacher_size: Annotated[int | None, ShownDefault("what timm says of it")] = Field(
        None, ge=8, le=2_048, description="pixels a side for a teacher that comes trained"
    )
    crop_pct: Annotated[float | None, ShownDefault("what timm says of the teacher")] = Field(
        None, ge=0.1, le=1, description="share of the resized image's side that a teacher that comes trained sees"
    )
    interpolation: Annotated[Literal["bilinear", "bicubic"] | None, ShownDefault("what timm says of the teacher")] = (
        Field(None, description="how images are resized for a teacher that comes trained")
    )

    student_weights: str = Field(
        "auto",
        description="initial weights of the students: auto (published weights if available), pretrained, scratch, "
        "or a folder of weights",
    )

    space: str = Field("default", description="search space: a name from search_spaces/ or a TOML file")
    min_ratio: float = Field(5.0, ge=1, le=1_000_000, description="smallest compression ratio worth distilling")
    max_ratio: float = Field(
        20.0, gt=1, le=1_000_000, description="largest compression ratio that distilling can bridge"
    )
    probe_edges: bool = Field(False, description="also confirm one student just beyond each end of the ratio range")
    preset: Annotated[PresetName | None, ShownDefault("quick for the digits, else standard")] = Field(
        None, description="how much is trained: sets trials, epochs and seeds that are not given"
    )
    trials: Annotated[int | None, _BY_SIZE] = Field(
        None, ge=2, le=10_000, description="trials over both arms, split equally"
    )
    epochs: Annotated[int | None, _BY_SIZE] = Field(None, ge=1, le=10_000, description="epochs of each trial")
    seeds: Annotated[int | None, ShownDefault("3, thorough 5")] = Field(
        None, ge=2, le=100, description="seeds of each finalist that can still be picked after two of them"
    )
    batch_size: Annotated[int | None, _BY_SIZE] = Field(None, ge=2, le=65_536, description="training batch size")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of a moving average of the students' weights; 0: none")
    compile: bool = Field(False, description="try torch.compile on every student and use it if it saves time")
    deterministic: bool = Field(
        True, description="train on GPUs with convolutions that give the same result every time, not the fastest ones"
    )
    finalists: Annotated[int | None, _BY_SIZE] = Field(
        None, ge=1, le=100, description="proposals of each arm to confirm, besides the default one"
    )

    cost_model: Literal["measured", "params"] = Field(
        "measured", description="measure on this hardware, or price parameters"
    )
    costs: Annotated[Path | None, ShownDefault("measured here")] = Field(
        None, description="file of `autokd measure`, written where models are served, with what they cost there"
    )
    price_per_billion: float = Field(
        0.10,
        gt=0,
        le=1_000_000,
        description="US dollars per 1,000 requests and billion parameters, where parameters are priced",
    )
    price_per_hour: Annotated[float | None, ShownDefault("that of the instance")] = Field(
        None, gt=0, le=1_000_000, description="US dollars per hour of the serving machine"
    )
    instance: Annotated[str | None, ShownDefault("the one closest to this hardware")] = Field(
        None, description="take the price of this instance from the table"
    )
    prices: Annotated[Path | None, ShownDefault("the table that comes with autokd")] = Field(
        None, description="TOML file of your own prices, which come before those of the table"
    )
    teacher_price_per_hour: Annotated[float | None, ShownDefault("that of a student")] = Field(
        None, gt=0, le=1_000_000, description="US dollars per hour of the machine that serves the teacher"
    )
    teacher_instance: Annotated[str | None, ShownDefault("that of a student")] = Field(
        None, description="take the teacher's price of this instance from the table"
    )
    price_per_second: Annotated[float | None, ShownDefault("replicas are billed by the hour")] = Field(
        None, gt=0, le=1_000, description="US dollars per second of serving a request, billed by use (serverless)"
    )
    price_per_request: float = Field(
        0.0, ge=0, le=1_000, description="US dollars per request on top of its seconds, billed by use"
    )
    billing_increment_ms: float = Field(
        1.0, gt=0, le=3_600_000, description="milliseconds that the time of a request is rounded up to, billed by use"
    )
    billing_minimum_ms: float = Field(
        0.0, ge=0, le=3_600_000, description="milliseconds that a request is billed at least, billed by use"
    )
    train_price_per_hour: Annotated[float | None, ShownDefault("as serving, or as the GPU that trains")] = Field(
        None, gt=0, le=1_000_000, description="US dollars per hour of training"
    )
    utilization: float = Field(0.3, gt=0, le=1, description="average load of a replica, as a share of its capacity")
    serve_batch_size: Annotated[int | None, ShownDefault("each model's own, by measuring")] = Field(
        None, ge=1, le=65_536, description="requests per forward pass in serving"
    )
    serve_runtime: Literal["auto", "eager", "compile", "onnxruntime"] = Field(
        "auto", description="runtime that serves the models; auto: on CPUs the faster one of eager and onnxruntime"
    )
    cheaper_forms: bool = Field(
        True, description="whether teacher and picks are also measured in other runtimes and precisions, int8 included"
    )
    serve_precision: Annotated[
        Literal["fp32", "bf16", "fp16"] | None, ShownDefault("bf16 or fp16 on a GPU, else fp32")
    ] = Field(None, description="precision in serving")
    serve_device: Annotated[str | None, ShownDefault("the training device, by default cuda if available, else cpu")] = (
        Field(None, description="device that stands for the serving hardware")
    )
    max_latency_ms: Annotated[float | None, _NO_LIMIT] = Field(
        None, gt=0, le=86_400_000, description="largest p95 latency of a request, in milliseconds"
    )
    accelerators_per_replica: int = Field(
        1, ge=1, le=4_096, description="accelerators (or machines) that one replica occupies"
    )

    min_retention: float = Field(
        0.95, gt=0, le=2, description="share of the teacher's accuracy that a student must keep"
    )
    min_gain: float = Field(0.003, ge=0, lt=1, description="smallest accuracy difference that matters")
    max_regret: float = Field(
        0.01, ge=0, lt=1, description="accuracy that may be at stake in a strong verdict: 0.01 is a point"
    )
    prefer: Literal["accuracy", "savings"] = Field(
        "accuracy", description="what to prefer among the students that meet all limits"
    )
    max_negative_flips: Annotated[float | None, _NO_LIMIT] = Field(
        None, ge=0, lt=1, description="share of the test images that the teacher gets right and a student may get wrong"
    )
    min_class_recall: Annotated[float | None, _NO_LIMIT] = Field(
        None, gt=0, le=1, description="recall that a student must reach in every class"
    )
    requests_per_month: Annotated[float | None, ShownDefault("no volume")] = Field(
        None, gt=0, le=1e12, description="number of requests per month; adds a monthly bill"
    )
    peak_to_mean: float = Field(
        3.0, ge=1, le=1_000, description="requests of the busiest hour / mean; counts with a volume"
    )
    target_utilization: float = Field(
        0.7, gt=0, le=1, description="share of its capacity that a replica may serve at the peak; counts with a volume"
    )
    min_replicas: int = Field(1, ge=1, le=1_000_000, description="replicas that are always kept; counts with a volume")
    horizon_months: float = Field(
        12.0, gt=0, le=1_200, description="months in which a student has to pay for itself; counts with a volume"
    )
    adoption_usd: float = Field(
        0.0, ge=0, le=1e12, description="one-time cost of adopting another model, in US dollars"
    )

    engine: Literal["local", "ray"] = Field("local", description="where trainings run")
    ray_address: Annotated[str | None, ShownDefault("start one here")] = Field(
        None, description="address of a running Ray cluster"
    )
    workers: Annotated[int | None, ShownDefault("by measuring")] = Field(
        None, ge=1, le=4_096, description="number of trainings that run at the same time"
    )
    gpus_per_trial: Annotated[float | None, ShownDefault("one on GPUs, else none")] = Field(
        None, ge=0, le=1_024, description="GPUs (or a fraction) of each training"
    )
    time_limit: Annotated[float | None, _NO_LIMIT, BeforeValidator(seconds_of)] = Field(
        None, gt=0, le=1e9, description="time for the whole run, confirmation included"
    )
    max_spend: Annotated[float | None, _NO_LIMIT] = Field(
        None, gt=0, le=1e12, description="dollars of training after which no new trial starts"
    )
    device: Annotated[str | None, ShownDefault("cuda if available, else cpu")] = Field(
        None, description="training device"
    )
    tracker: Annotated[Literal["tensorboard", "mlflow"] | None, ShownDefault("none")] = Field(
        None, description="where trainings and verdict can be followed, beside the run folder"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed of views, proposals and trainings")
    cache_dir: Annotated[Path, ShownDefault("autokd in the user's cache folder")] = Field(
        default_factory=lambda: default_cache_dir(),
        description="where teachers, decoded images and soft labels are kept",
    )
    cache_limit_gb: Annotated[float | None, _NO_LIMIT] = Field(
        None,
        gt=0,
        le=1e9,
        description="largest size in GB of the soft labels in the cache; old ones are removed to make room",
    )

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """Validate settings; a bad one raises ConfigError with one sentence."""
        refuse_unknown(settings, cls.model_fields)
        try:
            return cls(**settings)
        except ValidationError as error:
            first = error.errors()[0]
            if not first["loc"]:  # raised by a validator of the whole
                raise ConfigError(str(first["ctx"]["error"])) from None
            name = str(first["loc"][0])
            raise ConfigError(cannot_be_used(name, cls.model_fields[name], first)) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        if problem := inconsistency(self, defaults):
            raise ValueError(problem)
        return self

    def changed(self, given: Mapping[str, Any]) -> Self:
        """These settings with some of them changed; raises ConfigError for a value that cannot be used.

        A change also resets the settings that it makes invalid: another engine resets the address of the Ray cluster,
        one way of saying a price resets the others, and a file of costs resets how models are served.
        """
        stored = self.model_dump()
        if given.get("engine", "ray") != "ray":
            stored["ray_address"] = None
        for names in PRICES:
            if any(name in given for name in names):
                stored.update({name: None for name in names if name not in given})
        if "price_per_second" in given:
            stored["serve_batch_size"] = None
        if given.get("costs") is not None:
            stored.update({name: type(self).model_fields[name].default for name in SERVED})
        return type(self).of(**{**stored, **given})

    def sized(self, train_images: int) -> SearchConfig:
        """Fill in the settings that depend on preset and number of training images."""
        preset = self.preset or ("quick" if self.data == "digits" else "standard")
        defaults = {"preset": preset, **sizes(preset, train_images, self.batch_size)._asdict()}
        filled = {key: value for key, value in defaults.items() if getattr(self, key) is None}
        if (total := filled.get("trials", self.trials)) and total % 2:
            filled["trials"] = total + 1
        return self.model_copy(update=filled)

    def policy(self) -> Policy:
        """The settings that the verdict depends on."""
        return Policy(**{name: getattr(self, name) for name in Policy.model_fields})

    def differs_from(self, other: SearchConfig) -> list[str]:
        """Names of the settings that differ, placement aside."""
        return [
            name
            for name in type(self).model_fields
            if name not in PLACEMENT and getattr(self, name) != getattr(other, name)
        ]


def shown_default(name: str) -> str | None:
    """The default of a setting as help shows it; None for a setting that has to be given."""
    field = SearchConfig.model_fields[name]
    for data in field.metadata:
        if isinstance(data, ShownDefault):
            return data.text
    if field.is_required():
        return None
    return ("yes" if field.default else "no") if isinstance(field.default, bool) else str(field.default)


def default_cache_dir() -> Path:
    """`$AUTOKD_CACHE_DIR`, or `autokd` in the user's cache folder."""
    if named := os.environ.get("AUTOKD_CACHE_DIR"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autokd"
