"""`autokd report` of a run that has no verdict yet, and `--open`."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fakes import FakeParts

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.errors import InterruptedRun
from autokd.pipeline.search import run_search
from autokd.report.progress import is_unfinished, progress_of
from autokd.result import SearchResult
from autokd.runs.folder import Run


def reported(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def interrupted(settings: SearchConfig, output: Path, asked: int) -> Run:
    """A search that was stopped when it had been asked so many times whether it should."""
    times = iter(range(10_000))
    with pytest.raises(InterruptedRun):
        run_search(settings, output=output, parts=FakeParts(), stop=lambda: next(times) >= asked)
    return Run.open(output)


def test_an_interrupted_search_shows_its_stage_its_trials_and_the_next_step(
    settings: SearchConfig, tmp_path: Path
) -> None:
    run = interrupted(settings, tmp_path / "half", 30)
    result = reported(run.path)
    assert result.exit_code == 0, result.stderr
    words = " ".join(result.stdout.split())
    assert "half: interrupted" in words
    assert "stage 5 of 6, search. There is no verdict yet." in words
    over = re.search(r"Search: (\d) of 8 trials are over", words)
    assert over and 1 <= int(over[1]) < 8
    assert "Best distill trial: " in words and "of the teacher's, at $0.000" in words
    assert f"Go on with: autokd search --resume --output {run.path}" in words
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "stage 5 of 6" in page and "<table>" in page and "<script" not in page


def test_the_page_of_progress_gives_way_to_the_report(settings: SearchConfig, tmp_path: Path) -> None:
    run = interrupted(settings, tmp_path / "half", 120)
    progress = progress_of(run)
    assert "stage 6 of 6, confirmation" in progress.sentences[0]
    assert any(line.startswith("Confirmation: ") and "trainings of finalists are done" in line
               for line in progress.sentences)  # fmt: skip
    assert progress.table(2).name == "The best 2 of 8 trials"
    assert reported(run.path).exit_code == 0
    run_search(settings, output=run.path, resume=True, parts=FakeParts())
    assert not is_unfinished(run)
    assert "stage 6 of 6" not in (run.path / "report.html").read_text(encoding="utf-8")


def test_a_run_is_running_while_a_process_holds_it(settings: SearchConfig, tmp_path: Path) -> None:
    run = interrupted(settings, tmp_path / "half", 0)
    run.begin()
    assert progress_of(run).title == "half: interrupted", "the process died without a word"
    with run.lock():
        progress = progress_of(run)
    assert progress.title == "half: running"
    assert not any("--resume" in line for line in progress.sentences)


def test_a_run_that_has_only_begun(settings: SearchConfig, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "new", settings)
    assert "stage 1 of 6, task and teacher" in progress_of(run).sentences[0]
    assert progress_of(run).table(10).rows == ()
    assert reported(run.path).exit_code == 0


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_numbers_of_an_unfinished_run_are_refused(settings: SearchConfig, tmp_path: Path, kind: str) -> None:
    run = Run.create(tmp_path / "new", settings)
    result = reported(run.path, "--format", kind)
    assert "the run did not get that far" in str(result.exception)


def test_the_page_is_opened_or_its_place_is_said(done: SearchResult, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for works in (True, False):
        monkeypatch.setattr(webbrowser, "open", lambda url, works=works: asked.append(url) or works)
        result = reported(done.path, "--open")
        assert result.exit_code == 0
        assert ("there is no browser here; open" in result.stderr) == (not works)
    assert asked == [(done.path / "report.html").resolve().as_uri()] * 2


def test_the_csv_on_stdout_ends_with_its_last_row(done: SearchResult) -> None:
    assert reported(done.path, "--format", "csv").stdout_bytes.endswith(b"\r\n")
    assert not reported(done.path, "--format", "csv").stdout_bytes.endswith(b"\n\n")


def test_only_a_page_can_be_opened(done: SearchResult) -> None:
    result = reported(done.path, "--open", "--format", "json")
    assert str(result.exception) == "--open shows the page and --format json makes none; leave one of them out"
