"""The file of `autokd measure`: written on the host that serves, read where a search or a verdict needs its costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from autokd.cost.dollars import serving_cost
from autokd.errors import AutokdError, ConfigError, PathError
from autokd.files import is_file, read_json, write_json
from autokd.naming import named, set_to
from autokd.records import SCHEMA_VERSION, CostModel, MeasuredCosts, Reading


def write_costs(path: Path, costs: MeasuredCosts) -> None:
    """Write it atomically."""
    write_json(path, costs.model_dump(mode="json"))


def refuse_output(path: Path) -> None:
    """Raises PathError where anything else than an older file of `autokd measure` would be replaced."""
    if not path.exists():
        return
    try:
        read_costs(path)
    except ConfigError:
        raise PathError(f"{path} exists and is no file of `autokd measure`; choose another {named('output')}") from None


def read_costs(path: Path) -> MeasuredCosts:
    """Its content; raises ConfigError for a file that `autokd measure` has not written, or a newer one has."""
    given = set_to("costs", path)
    if not is_file(path):
        raise ConfigError(f"{given} is not a file; `autokd measure MODEL... --output {path}` writes one")
    try:
        content = read_json(path)
    except AutokdError:
        raise ConfigError(f"{given} is not JSON; name a file that `autokd measure` wrote") from None
    schema = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise ConfigError(f"{given} was written by a newer autokd (schema {schema}); update autokd to read it")
    try:
        return MeasuredCosts.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its content"
        raise ConfigError(
            f"{given} is no file of `autokd measure` ({where}: {first['msg']}); name one that it wrote"
        ) from None


def check_fits(costs: MeasuredCosts, path: Path, teacher: str, teacher_size: int, image_size: int) -> None:
    """Raises ConfigError where the file lacks the teacher, or has other image sizes than these, pixels a side."""
    check_has(costs, path, [teacher])
    own = costs.cost_model.image_size
    if own != image_size:
        raise ConfigError(
            f"{set_to('costs', path)} was measured at {own} px and the students see {image_size} px; "
            f"measure again with `autokd measure --image-size {image_size}`"
        )
    if (size := costs.size_of(teacher)) != teacher_size:
        raise ConfigError(
            f"{set_to('costs', path)} has {teacher} at {size} px and it sees {teacher_size} px; "
            f"measure again with {teacher} first and `autokd measure --teacher-size {teacher_size}`"
        )


def check_has(costs: MeasuredCosts, path: Path, models: list[str]) -> None:
    """Raises ConfigError where the file lacks one of these models."""
    missing = [name for name in models if costs.reading(name) is None]
    if missing:
        again = " ".join(dict.fromkeys((*costs.readings, *missing)))
        raise ConfigError(
            f"{set_to('costs', path)} has no reading of {', '.join(missing)}; measure again on the serving host: "
            f"autokd measure {again} --output {path}"
        )


def check_latency(costs: MeasuredCosts, path: Path, max_latency_ms: float | None) -> None:
    """Raises ConfigError where capacities were measured for another latency limit than the one asked for."""
    if costs.max_latency_ms == max_latency_ms:
        return
    known, asked = (_limit(each) for each in (costs.max_latency_ms, max_latency_ms))
    raise ConfigError(
        f"{set_to('costs', path)} was measured {known} and the search is to be {asked}; "
        f"give the same {named('max_latency_ms')} to `autokd measure`"
    )


def priced(readings: Mapping[str, Reading], teacher: str, model: CostModel) -> dict[str, Reading]:
    """Measured readings at what they cost under a cost model."""
    found = {}
    for name, reading in readings.items():
        assert reading.capacity_interval is not None  # noqa: S101 - it was measured
        under = model.for_teacher if name == teacher else model
        cost = serving_cost(reading.capacity_interval, reading.alone_seconds, under)
        found[name] = reading.model_copy(update={"cost_usd_per_1k": cost})
    return found


def _limit(max_latency_ms: float | None) -> str:
    return "without a latency limit" if max_latency_ms is None else f"for a limit of {max_latency_ms:g} ms"
