"""The file of `autokd measure` and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_costs import made_costs

from autokd.config import SearchConfig
from autokd.cost.costs_file import check_fits, check_latency, read_costs, refuse_output, write_costs
from autokd.cost.pricing import cost_model_elsewhere
from autokd.errors import ConfigError, PathError

COSTS = made_costs({"resnet10t": 100.0, "test_resnet": 1000.0})


def config(**settings: object) -> SearchConfig:
    return SearchConfig.of(teacher="resnet10t", max_cost=1.0, costs="costs.json", **settings)


def test_it_reads_what_it_wrote(tmp_path: Path) -> None:
    write_costs(tmp_path / "costs.json", COSTS)
    assert read_costs(tmp_path / "costs.json") == COSTS


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is not a file; `autokd measure MODEL... --output"),
        ("{", "is not JSON"),
        ('{"readings": 1}', "is no file of `autokd measure`"),
        ("[]", "is no file of `autokd measure`"),
        ('{"schema_version": 99}', "update autokd"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "costs.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"costs=.*costs\.json") as raised:
        read_costs(path)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_only_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    refuse_output(path)
    write_costs(path, COSTS)
    refuse_output(path)
    path.write_text(json.dumps({"mine": 1}))
    with pytest.raises(PathError, match="choose another output"):
        refuse_output(path)


def test_a_teacher_that_is_missing_is_named_with_the_command_that_adds_it() -> None:
    with pytest.raises(ConfigError, match=r"no reading of resnet50.*autokd measure resnet10t test_resnet resnet50"):
        check_fits(COSTS, Path("c.json"), "resnet50", 32, 32)


@pytest.mark.parametrize(
    ("teacher_size", "size", "says"),
    [(64, 64, "--image-size 64"), (64, 32, "resnet10t first and `autokd measure --teacher-size 64`")],
)
def test_other_image_sizes_are_refused(teacher_size: int, size: int, says: str) -> None:
    check_fits(COSTS, Path("c.json"), "resnet10t.c3_in1k", 32, 32)
    with pytest.raises(ConfigError, match=says):
        check_fits(COSTS, Path("c.json"), "resnet10t", teacher_size, size)


def test_a_latency_limit_has_to_be_the_same() -> None:
    limited = COSTS.model_copy(update={"max_latency_ms": 20.0})
    check_latency(limited, Path("c.json"), 20.0)
    for costs, asked in ((limited, None), (COSTS, 20.0)):
        with pytest.raises(ConfigError, match="give the same max_latency_ms to `autokd measure`"):
            check_latency(costs, Path("c.json"), asked)


def test_prices_are_those_of_the_host_of_the_file() -> None:
    measured = COSTS.cost_model
    own = cost_model_elsewhere(config(utilization=0.6), measured)
    assert (own.price_usd_per_hour, own.price_origin, own.utilization) == (1.2, measured.price_origin, 0.6)
    assert (own.runtime, own.threads, own.measured_on) == ("onnxruntime", 2, measured.measured_on)
    assert own.measured_elsewhere
    assert cost_model_elsewhere(config(price_per_hour=3.0), measured).price_usd_per_hour == 3.0
    assert cost_model_elsewhere(config(instance="c7a.large"), measured).price_origin == "table"  # the file's processor
    assert cost_model_elsewhere(config(instance="c7i.large"), measured).price_origin == "borrowed"


@pytest.mark.parametrize(
    ("name", "value"),
    [("serve_runtime", "eager"), ("serve_precision", "bf16"), ("serve_device", "cpu"), ("serve_batch_size", 4)],
)
def test_how_to_measure_cannot_be_said_beside_a_file(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"costs and {name} exclude each other"):
        config(**{name: value})


def test_parameters_have_no_file() -> None:
    with pytest.raises(ConfigError, match="costs needs cost_model='measured'"):
        config(cost_model="params")
