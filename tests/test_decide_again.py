"""Other conditions on a stored run: `autokd decide`, and more seeds for it: `autokd confirm`."""

from __future__ import annotations

import hashlib
import html
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import FakeParts, Hearing
from made_costs import made_costs

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.cost.costs_file import write_costs
from autokd.errors import InterruptedRun, RunError, UsageError
from autokd.pipeline import more_seeds
from autokd.pipeline.search import confirm_run, run_search
from autokd.report import format as fmt
from autokd.result import SearchResult, load_run
from autokd.runs.folder import Run
from autokd.runs.tables import read_trials


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder by its hash."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# ---- decide ----------------------------------------------------------------------------------------------------


def test_the_same_conditions_give_the_same_verdict_and_write_nothing(done: SearchResult) -> None:
    before = content(done.path)
    report = done.decide()
    assert content(done.path) == before
    assert report.model_copy(update={"created": done.report.created, "audit": done.report.audit}) == done.report


def test_a_budget_below_all_costs_is_none_and_the_named_fix_fixes_it(done: SearchResult) -> None:
    cheapest = min(f.cost_usd_per_1k for f in done.report.finalists)
    report = done.decide(max_cost=cheapest / 2)
    assert report.verdict == "none"
    assert "The smallest change that is enough" in report.reasons[-1]
    assert done.decide(max_cost=cheapest * 1.0001).verdict != "none"


def test_other_conditions_flip_the_verdict_as_the_run_said_they_would(done: SearchResult) -> None:
    assert done.verdict == "distill"
    kept = done.decide(min_retention=1.2, max_cost=1e6)
    assert kept.verdict == "keep_teacher"
    assert kept.student_path is None
    assert done.decide(adoption_usd=1.0).student_path == "student"


def test_unknown_conditions_are_named() -> None:
    with pytest.raises(UsageError, match="'trials' is not a condition of a verdict"):
        SearchResult(Run(Path("x")), None).decide(trials=3)  # type: ignore[arg-type]


def test_a_bad_value_is_one_sentence(done: SearchResult) -> None:
    with pytest.raises(UsageError, match="utilization=2 cannot be used"):
        done.decide(utilization=2.0)


@pytest.mark.parametrize(
    "name", ["max_cost", "requests_per_month", "peak_to_mean", "adoption_usd", "train_price_per_hour", "min_gain"]
)
def test_no_condition_is_infinite_or_no_number(name: str, done: SearchResult) -> None:
    flag = "--" + name.replace("_", "-")
    for value in ("inf", "nan"):
        with pytest.raises(UsageError, match=f"{name}={value} cannot be used: it must be a finite number"):
            done.decide(**{name: float(value)})
        refused = run("decide", done.path, flag, value)
        assert isinstance(refused.exception, UsageError)
        assert str(refused.exception).startswith(f"{flag} {value} cannot be used: it must be a finite number")


def test_a_given_condition_that_cannot_count_is_refused_and_the_runs_own_never(
    settings: SearchConfig, tmp_path: Path
) -> None:
    told = settings.changed({"min_replicas": 2, "utilization": 0.5, "horizon_months": 6.0})
    done = run_search(told, output=tmp_path / "run", parts=FakeParts())
    assert done.decide(min_gain=0.001).verdict
    assert done.decide(requests_per_month=1e6).verdict
    for flag, value in (("--min-replicas", 3), ("--peak-to-mean", 2), ("--horizon-months", 24)):
        refused = run("decide", done.path, flag, value)
        assert isinstance(refused.exception, UsageError)
        assert str(refused.exception) == (
            f"{flag} counts only with a volume, and there is none; give --requests-per-month too"
        )
        assert run("decide", done.path, flag, value, "--requests-per-month", 1e6).exit_code in (0, 3)


def test_a_latency_limit_that_was_not_measured_for_makes_the_verdict_weak(done: SearchResult) -> None:
    assert done.report.strength == "strong"
    report = done.decide(max_latency_ms=1e6)
    assert (report.verdict, report.strength) == (done.verdict, "weak")
    assert any("measured for no latency limit, not for a limit of 1e+06 ms" in each for each in report.weaknesses)


def test_the_command_prints_the_verdict_and_its_exit_code(done: SearchResult) -> None:
    fine = run("decide", done.path, "--min-gain", "0.001")
    assert fine.exit_code == 0, fine.output
    assert fine.stdout.strip().startswith("DISTIL")
    none = run("decide", done.path, "--max-cost", "1e-12", "--json")
    assert none.exit_code == 3
    assert json.loads(none.stdout)["verdict"] == "none"


def test_only_output_writes(done: SearchResult, tmp_path: Path) -> None:
    before, copy = content(done.path), tmp_path / "copy"
    assert run("decide", done.path, "--prefer", "savings", "--output", copy).exit_code == 0
    assert content(done.path) == before
    assert {path.name for path in copy.iterdir()} == {"report.json", "report.html", "options.csv"}
    assert json.loads((copy / "report.json").read_text())["audit"]["quality"]
    again = run("decide", done.path, "--output", copy)
    assert isinstance(again.exception, RunError)
    assert "is not empty" in str(again.exception)


def test_a_copy_gives_every_cost_at_its_own_price(done: SearchResult, tmp_path: Path) -> None:
    own, copy = read_trials(done.path), tmp_path / "copy"
    price = done.report.cost_model.price_usd_per_hour
    report = done.decide(price_per_hour=price * 10)
    done.write(report, copy)
    page = html.unescape((copy / "report.html").read_text())
    for trial in own:
        assert fmt.usd(trial.cost_usd_per_1k * 10).removeprefix("$") in page
    old = {left.student: left.cost_usd_per_1k for left in done.report.left_out}
    for left in report.left_out:
        assert left.cost_usd_per_1k == (pytest.approx(old[left.student] * 10) if old[left.student] else None)


def test_a_copy_says_where_its_evidence_lies_and_how_it_came_about(done: SearchResult, tmp_path: Path) -> None:
    copy, again = tmp_path / "copy", tmp_path / "again"
    run("decide", done.path, "--min-retention", "0.9", "--adoption-usd", "250", "--output", copy)
    page = html.unescape((copy / "report.html").read_text())
    command = f"autokd decide {done.path.resolve()} --min-retention 0.9 --adoption-usd 250 --output {copy}"
    assert f">{done.report.command}\n{command}</pre>" in page
    assert f"the evidence in the run's folder, {done.path.resolve()}." in page
    assert "in the same folder: report.json, trials.csv" not in page
    assert f"The recommended student lies in {done.path.resolve() / 'student'}; this very model" in page
    printed = run(*shlex.split(command.replace(str(copy), str(again)))[1:]).stdout
    assert f"Files    {again / 'report.html'}" in printed
    stored = [json.loads((folder / "report.json").read_text()) for folder in (copy, again)]
    assert stored[0]["conditions"] == {"min_retention": 0.9, "adoption_usd": 250}
    assert stored[0] | {"created": ""} == stored[1] | {"created": ""}


def test_a_copy_without_a_ready_student_says_so(done: SearchResult, tmp_path: Path) -> None:
    report = done.decide()
    other = report.model_copy(update={"student_path": None, "student_test_accuracy": None})
    done.write(other, tmp_path / "copy")
    page = (tmp_path / "copy" / "report.html").read_text()
    number = report.options.distilled and report.options.distilled.finalist
    assert f"The recommended student is finalist {number} of the run; no ready model of it was written." in page
    done.write(done.decide(min_retention=1.2, max_cost=1e6), tmp_path / "kept")
    assert "The recommended student" not in (tmp_path / "kept" / "report.html").read_text()


def test_decide_loads_neither_torch_nor_timm(done: SearchResult) -> None:
    code = (
        "import sys; from autokd.cli import cli; "
        f"cli.main(['decide', {str(done.path)!r}, '--max-cost', '0.5'], standalone_mode=False); "
        "sys.exit(sum(name in sys.modules for name in ('torch', 'timm', 'optuna', 'ray')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


# ---- confirm ---------------------------------------------------------------------------------------------------


def test_more_seeds_are_added_to_every_finalist_and_the_error_is_spent(done: SearchResult) -> None:
    before = {f.number: f.accuracy for f in done.report.finalists}
    hearing = Hearing()
    more = confirm_run(done.path, 5, parts=FakeParts(), listener=hearing)
    assert {f.number for f in more.report.finalists} == before.keys()
    assert {f.accuracy.seeds for f in more.report.finalists} == {5}
    assert {f.accuracy.level for f in more.report.finalists} == {0.975}
    assert more.report.gain is not None
    assert more.report.gain.level == 0.975
    assert any("97.5 % interval" in reason for reason in more.report.reasons)
    assert sum("look 2" in remark.text for remark in more.report.search.remarks) == 1
    assert more.report.search.usd > done.report.search.usd
    assert Run(done.path).manifest.looks == (3, 5)
    assert f"{done.report.command}\nautokd confirm {done.path} --seeds 5</pre>" in (
        html.unescape((done.path / "report.html").read_text())
    )
    third = confirm_run(done.path, 6, parts=FakeParts())
    assert {f.accuracy.level for f in third.report.finalists} == {0.9875}
    assert sum(remark.kind == "look" for remark in third.report.search.remarks) == 1


def test_no_seed_is_trained_twice(done: SearchResult) -> None:
    parts = FakeParts()
    confirm_run(done.path, 4, parts=parts)
    finalists = len(done.report.finalists)
    assert len(parts.trained) == finalists
    assert {key.rpartition("-")[2] for key in parts.trained} == {"4"}


def test_as_many_seeds_as_there_are_is_refused(done: SearchResult) -> None:
    with pytest.raises(RunError, match="have 3 seeds already; ask for more, such as seeds=5"):
        confirm_run(done.path, 3, parts=FakeParts())


def test_an_interrupted_confirmation_keeps_the_old_verdict_and_goes_on(done: SearchResult) -> None:
    parts = FakeParts()
    with pytest.raises(InterruptedRun, match="the same command goes on"):
        confirm_run(done.path, 5, parts=parts, stop=lambda: len(parts.trained) >= 3)
    assert load_run(done.path).report == done.report
    rest = FakeParts()
    result = confirm_run(done.path, 5, parts=rest)
    assert {f.accuracy.seeds for f in result.report.finalists} == {5}
    assert Run(done.path).manifest.looks == (3, 5)
    assert len(parts.trained) + len(rest.trained) <= 2 * len(done.report.finalists) + 1


def test_a_kill_before_the_look_is_on_record_does_not_make_it_free(
    done: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = more_seeds.train_finalists

    def killed(*arguments: Any) -> Any:
        train(*arguments)
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(more_seeds, "train_finalists", killed)
        confirm_run(done.path, 5, parts=FakeParts())
    result = confirm_run(done.path, 5, parts=FakeParts())
    assert Run(done.path).manifest.looks == (3, 5)
    assert {f.accuracy.level for f in result.report.finalists} == {0.975}


def test_a_run_without_finalists_has_nothing_to_confirm(space_file: Path, tmp_path: Path) -> None:
    config = SearchConfig.of(
        teacher="resnet10t", max_cost=1e-12, space=str(space_file), epochs=6, trials=8, cache_dir=tmp_path / "cache"
    )
    nothing = run_search(config, output=tmp_path / "run", parts=FakeParts())
    with pytest.raises(RunError, match="there is nothing to confirm"):
        confirm_run(nothing.path, 5, parts=FakeParts())


# ---- costs of another host -------------------------------------------------------------------------------------


def file_for(done: SearchResult, tmp_path: Path, faster: float = 10.0, **changes: Any) -> Path:
    """Students ten times as fast as the teacher there, whatever they were here."""
    students = {finalist.student: 50.0 * faster for finalist in done.report.finalists}
    path = tmp_path / "costs.json"
    write_costs(path, made_costs({"resnet10t": 50.0, **students}, **changes))
    return path


def test_costs_of_another_host_replace_speeds_and_price_and_are_a_condition(done: SearchResult, tmp_path: Path) -> None:
    path = file_for(done, tmp_path)
    report = done.decide(costs=path)
    teacher, student = report.options.teacher, report.options.distilled
    assert (teacher.capacity_rps, student.capacity_rps if student else None) == (50.0, 500.0)
    assert report.cost_model.price_usd_per_hour == 1.2
    assert report.cost_model.utilization == done.report.cost_model.utilization
    assert report.cost_model.train_price_usd_per_hour == done.report.cost_model.train_price_usd_per_hour
    assert report.conditions == {"costs": str(path)}
    assert report.decoding is None
    assert any(note.kind == "costs_elsewhere" for note in report.search.remarks)
    dear = done.decide(costs=path, price_per_hour=2.4)
    assert dear.options.teacher.cost_usd_per_1k == pytest.approx(2 * teacher.cost_usd_per_1k)
    answer = run("decide", done.path, "--costs", path, "--output", tmp_path / "there")
    assert answer.exit_code == 0
    assert "Speeds were measured on AMD EPYC 9R14, 2 cores" in answer.stdout
    page = (tmp_path / "there" / "report.html").read_text()
    assert html.escape(f"--costs {path}") in page
    embedded = json.loads(page.split('id="evidence">')[1].split("</script>")[0])
    what_if = {student["number"]: student["cost"][0] for student in embedded["students"]}
    assert what_if == {f.number: pytest.approx(f.cost_usd_per_1k) for f in report.finalists}, "what if is of that host"
    assert "Costs are those of `autokd measure` on another host." in page


def test_the_budget_goes_with_the_teachers_speed(done: SearchResult, tmp_path: Path) -> None:
    """A search that tried all within its budget has tried all within what that buys there."""
    before = done.options.teacher
    report = done.decide(costs=file_for(done, tmp_path), max_cost=1.0)
    assert before.capacity_rps is not None
    there = 1.0 * 1.2 * before.capacity_rps / 50.0  # price and speed
    assert there > 1.0
    assert not any("tried no student" in weakness for weakness in report.weaknesses)


def test_a_finalist_that_the_file_lacks_is_named_with_the_command(done: SearchResult, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    write_costs(path, made_costs({"resnet10t": 50.0}))
    with pytest.raises(UsageError, match=f"no reading of .*autokd measure resnet10t .* --classes 10 --output {path}"):
        done.decide(costs=path)


def test_another_latency_limit_than_that_of_the_file_weakens(done: SearchResult, tmp_path: Path) -> None:
    report = done.decide(costs=file_for(done, tmp_path, max_latency_ms=30.0))
    assert any(
        "for a limit of 30 ms, not for no latency limit. Needed: `autokd measure`" in w for w in report.weaknesses
    )
