"""The command line: help at once, one sentence for a mistake, the right exit code, answers on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import FakeParts

from autokd.cli import COMMANDS, cli, main
from autokd.config import SearchConfig
from autokd.machine import let_waiting_threads_sleep
from autokd.pipeline.search import run_search


def run(*arguments: str, **options: Any) -> Any:
    return CliRunner().invoke(cli, list(arguments), **options)


def call_main(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the entry point."""
    monkeypatch.setattr(sys, "argv", ["autokd", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    captured = capsys.readouterr()
    return int(exit_.value.code or 0), captured.out, captured.err


def test_help_lists_the_commands() -> None:
    text = run("--help").output
    assert all(name in text for name in COMMANDS)
    assert "autokd search --teacher resnet152 --max-cost 0.01" in text


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "--help" in result.output


def test_every_setting_is_an_option_with_a_type() -> None:
    text = run("search", "--help").output
    for name in SearchConfig.model_fields:
        assert "--" + name.replace("_", "-") in text
    assert "OPTIONAL" not in text


def test_choices_that_may_be_left_out_are_choices() -> None:
    result = run("search", "--serve-precision", "fp8", "--teacher", "resnet18", "--max-cost", "1")
    assert result.exit_code == 2
    assert "'fp32', 'bf16', 'fp16'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--max-cost", "0.01"], "--teacher is missing"),
        (["--teacher", "resnet125", "--max-cost", "0.01"], "did you mean"),
        (["--teacher", "resnet18", "--max-cost", "0"], "--max-cost 0"),
        (["--teacher", "resnet18", "--max-cost", "-3"], "--max-cost -3"),
        (["--teacher", "resnet18", "--max-cost", "inf"], "--max-cost inf cannot be used: it must be a finite number"),
        (["--teacher", "resnet18", "--max-cost", "1", "--min-replicas", "2"], "--min-replicas counts only with"),
        (
            ["--teacher", "resnet18", "--max-cost", "1", "--utilization", "0.5", "--requests-per-month", "1e6"],
            "--utilization counts only without a volume",
        ),
        (
            ["--teacher", "resnet18", "--max-cost", "1", "--min-ratio", "30"],
            "--min-ratio 30 is not below --max-ratio 20",
        ),
        (["--teacher", "resnet18", "--max-cost", "1", "--space", "huge"], "neither a file nor one of"),
        (["--teacher", "resnet18", "--max-cost", "1", "--instance", "x1"], "--instance x1 is not in the price table"),
        (
            ["--teacher", "resnet18", "--max-cost", "1", "--teacher-instance", "x1"],
            "--teacher-instance x1 is not in the",
        ),
        (["--teacher", "resnet18", "--max-cost", "1", "--prices", "none.toml"], "--prices none.toml cannot be read"),
        (
            ["--teacher", "resnet18", "--max-cost", "1", "--billing-increment-ms", "100"],
            "--billing-increment-ms counts only where requests are billed by use; give --price-per-second too",
        ),
        (
            ["--teacher", "resnet18", "--max-cost", "1", "--price-per-second", "0.1", "--utilization", "0.5"],
            "--utilization counts only for replicas, and requests are billed by use (--price-per-second)",
        ),
        (["--teacher", "resnet18", "--max-cost", "1", "--teacher-weights", "none.pt"], "is not a file"),
        (["--teacher", "resnet18", "--max-cost", "1", "--config", "none.toml"], "cannot be read"),
        (
            ["--teacher", "resnet18", "--max-cost", "1", "--data", "nowhere", "--teacher-weights", "scratch"],
            "not a folder",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call_main(capsys, monkeypatch, "search", *arguments)
    assert code == 2
    assert says in err
    assert err.splitlines()[-1].startswith("autokd: ")
    assert "Traceback" not in err
    assert not out
    assert not list((tmp_path / "reports").glob("*")), "something was left behind"


def test_settings_come_from_command_line_environment_file_and_default(tmp_path: Path) -> None:
    file = tmp_path / "search.toml"
    file.write_text('teacher = "resnet18"\nmax-cost = 0.5\nmin_retention = 0.9\nseeds = 5\n')
    result = run(
        "search", "--config", str(file), "--seeds", "4", "--print-config", env={"AUTOKD_SEARCH_MIN_RETENTION": "0.8"}
    )
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert rows["teacher"] == ["resnet18", "file"]
    assert rows["max_cost"] == ["0.5", "file"]
    assert rows["min_retention"] == ["0.8", "environment"]
    assert rows["seeds"] == ["4", "command", "line"]
    assert rows["min_gain"] == ["0.003", "default"]
    assert rows["trials"][:4] == ["by", "the", "data's", "size"]


def test_a_file_may_hold_every_setting_whatever_counts(tmp_path: Path) -> None:
    """config.toml of a run does, and can be given to --config."""
    file = tmp_path / "config.toml"
    file.write_text('teacher = "resnet18"\nmax_cost = 0.5\nutilization = 0.3\nmin_replicas = 1\n')
    for volume in ((), ("--requests-per-month", "1e6")):
        assert run("search", "--config", str(file), *volume, "--print-config").exit_code == 0


def test_a_wrong_key_in_the_file_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "search.toml").write_text("teecher = 1\n")
    code, _, err = call_main(capsys, monkeypatch, "search", "--config", str(tmp_path / "search.toml"))
    assert code == 2
    assert "unknown setting 'teecher'" in err


def test_students_are_listed_as_table_and_json(space_file: Path) -> None:
    arguments = ["students", "--teacher", "resnet10t", "--image-size", "32", "--space", str(space_file)]
    table = run(*arguments)
    assert table.exit_code == 0
    assert "mobilenetv3_small_050" in table.stdout
    rows = json.loads(run(*arguments, "--json").stdout)
    assert {row["student"] for row in rows} >= {"test_resnet", "lcnet_050"}
    (row,) = [row for row in rows if row["student"] == "test_resnet"]
    assert row["parameters"] == 373_658
    assert row["ratio"] == pytest.approx(4_927_618 / 373_658)
    assert row["arms"] == ["distill", "direct"]
    only = json.loads(run(*arguments, "--json", "--family", "resnet").stdout)
    assert [row["student"] for row in only] == ["test_resnet"]


def test_what_is_no_student_is_counted_and_listed_when_asked_for() -> None:
    arguments = ["students", "--teacher", "resnet18", "--image-size", "32", "--family", "mobilenetv3"]
    table = run(*arguments).stdout
    assert "lcnet_100" in table
    assert "lcnet_035" not in table
    assert " left out: above 20x the gap is too large to bridge" in table
    rows = {row["student"]: row for row in json.loads(run(*arguments, "--json", "--left-out").stdout)}
    assert rows["lcnet_100"]["arms"] == ["distill", "direct"]
    assert rows["lcnet_035"]["arms"] == []
    assert "above 20x" in rows["lcnet_035"]["reason"]


@pytest.fixture
def finished(space_file: Path, tmp_path: Path) -> Path:
    config = SearchConfig.of(
        teacher="resnet10t", max_cost=1.0, space=str(space_file), epochs=6, trials=8, cache_dir=tmp_path / "cache"
    )
    return run_search(config, output=tmp_path / "run", parts=FakeParts()).path


def test_report_renders_a_run_again(finished: Path) -> None:
    (finished / "report.html").unlink()
    assert run("report", str(finished)).exit_code == 0
    assert (finished / "report.html").exists()
    assert json.loads(run("report", str(finished), "--format", "json").stdout)["verdict"] == "distill"
    assert run("report", str(finished), "--format", "csv").stdout.startswith("number,arm,student")


def test_report_of_no_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, _, err = call_main(capsys, monkeypatch, "report", str(tmp_path))
    assert code == 2
    assert "holds no run" in err


@pytest.mark.parametrize(("max_cost", "code"), [(1.0, 0), (1e-9, 3)])
def test_exit_code_and_json_of_a_search(
    monkeypatch: pytest.MonkeyPatch, space_file: Path, tmp_path: Path, max_cost: float, code: int
) -> None:
    monkeypatch.setattr("autokd.pipeline.services.Parts", FakeParts)
    result = run(
        "search", "--teacher", "resnet10t", "--max-cost", str(max_cost), "--space", str(space_file), "--epochs", "6",
        "--output", str(tmp_path / "run"), "--cache-dir", str(tmp_path / "cache"), "--json",
    )  # fmt: skip
    assert result.exit_code == code, result.stderr
    assert json.loads(result.stdout)["verdict"] == ("distill" if code == 0 else "none")
    assert "Search" in result.stderr or code == 3


def test_the_terminal_prints_verdict_three_options_and_paths(
    monkeypatch: pytest.MonkeyPatch, space_file: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("autokd.pipeline.services.Parts", FakeParts)
    result = run(
        "search", "--teacher", "resnet10t", "--max-cost", "1", "--space", str(space_file), "--epochs", "6",
        "--output", str(tmp_path / "run"), "--cache-dir", str(tmp_path / "cache"),
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert any(line.startswith("DISTILL A SMALLER MODEL (") for line in lines)
    assert [line.split()[0] for line in lines if line.startswith(("teacher ", "direct ", "distilled "))] == [
        "teacher", "direct", "distilled",
    ]  # fmt: skip
    assert str(tmp_path / "run" / "report.html") in result.stdout
    assert "e-0" not in result.stdout, "an amount in powers of ten"
    (assumed,) = [line for line in lines if line.startswith("Costs    $")]
    assert "30 % utilized" in assumed
    assert "left" in result.stderr
    assert "best distill" in result.stderr


def test_resume_needs_nothing_but_the_folder(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    monkeypatch.setattr("autokd.pipeline.services.Parts", FakeParts)
    result = run("search", "--resume", "--output", str(finished))
    assert result.exit_code == 0, result.stderr
    assert "DISTIL" in result.stdout


CLI = "from click.testing import CliRunner; from autokd.cli import cli;"
HEAVY = "('torch', 'timm', 'optuna', 'ray', 'pandas')"
LIGHT = {
    "help": f"{CLI} CliRunner().invoke(cli, ['--help'])",
    "help of search": f"{CLI} CliRunner().invoke(cli, ['search', '--help'])",
    "package": "import autokd; autokd.__version__",
    "decide": "import autokd.decide",
    "report": "import autokd.report",
    "load_run": "import autokd; autokd.load_run",
    "compare": f"{CLI} import autokd; autokd.compare; CliRunner().invoke(cli, ['compare', 'nowhere', 'elsewhere'])",
}


@pytest.mark.parametrize("what", list(LIGHT))
def test_no_torch_where_none_is_needed(what: str) -> None:
    code = f"{LIGHT[what]}; import sys; print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert result.stdout.strip() == "[]"


def test_confirm_trains_contenders_unless_all_are_asked_for(done: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int | None, bool]] = []

    def confirmed(path: Path, seeds: int | None, all_finalists: bool, **_: Any) -> Any:
        asked.append((seeds, all_finalists))
        return done

    monkeypatch.setattr("autokd.pipeline.search.confirm_run", confirmed)
    for arguments in ((), ("--seeds", "5"), ("--seeds", "5", "--all")):
        assert run("confirm", str(done.path), *arguments).exit_code == 0
    assert asked == [(None, False), (5, False), (5, True)]


def test_confirm_says_where_no_seeds_are_needed(
    done: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call_main(capsys, monkeypatch, "confirm", str(done.path))
    assert (code, out) == (2, "")
    assert "is strong already; to add some nevertheless" in err.replace("\n", " ")
    assert "--seeds 5" in err.replace("\n", " ")


@pytest.mark.parametrize(
    ("own", "expected"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)]
)
def test_waiting_threads_sleep_soon_unless_the_user_has_a_setting(own, expected, monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    let_waiting_threads_sleep()
    found = os.environ.pop("GOMP_SPINCOUNT", None)
    assert found == expected
