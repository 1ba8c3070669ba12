"""The teacher is measured once more at the end of a run: what that says of the costs is kept, told and used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import SPACE, FakeParts, Hearing
from made_evidence import direct, made_evidence
from test_search import make_config

from autokd.decide import decide
from autokd.errors import ConfigError
from autokd.pipeline.search import run_search
from autokd.records import Policy, Reading
from autokd.result import SearchResult
from autokd.runs.store import COSTS


def searched(path: Path, slower: float | None) -> tuple[SearchResult, list[str]]:
    """slower: than when costs were measured."""

    class Parts(FakeParts):
        def teacher_again(self, prepared, config, model) -> Reading | None:
            if slower is None:
                return None
            (path / "asked").write_text("once") if not (path / "asked").exists() else pytest.fail("asked twice")
            before = COSTS.read(path / "run").readings[prepared.teacher.name]
            return before.model_copy(update={"capacity_rps": before.capacity_rps / slower})

    path.mkdir(exist_ok=True)
    (path / "tiny.toml").write_text(SPACE)
    hearing = Hearing()
    parts = Parts(test_images=200)
    result = run_search(make_config(path / "tiny.toml", path), output=path / "run", parts=parts, listener=hearing)
    run_search(make_config(path / "tiny.toml", path), output=path / "run", resume=True, parts=parts)
    return result, hearing.notes


def test_a_drift_is_kept_and_told(tmp_path: Path) -> None:
    result, notes = searched(tmp_path / "slow", 1.25)
    assert COSTS.read(result.path).drift == pytest.approx(1.25)
    told = "At the end of the run the teacher took 1.25 times as long as when costs were measured"
    assert any(note.startswith(told) for note in notes)
    assert any(remark.kind == "cost_drift" for remark in result.report.search.remarks)


def test_a_small_drift_is_kept_in_silence_and_nothing_is_where_nothing_was_measured(tmp_path: Path) -> None:
    result, notes = searched(tmp_path / "steady", 0.95)
    assert COSTS.read(result.path).drift == pytest.approx(0.95)
    assert not any("At the end of the run" in note for note in notes)
    assert COSTS.read(searched(tmp_path / "params", None)[0].path).drift is None


def test_a_teacher_that_cannot_be_measured_again_costs_no_verdict(tmp_path: Path) -> None:
    class Full(FakeParts):
        def teacher_again(self, *_: object) -> Reading | None:
            raise ConfigError("big_net does not fit into the memory of cuda; give a smaller batch")

    (tmp_path / "tiny.toml").write_text(SPACE)
    hearing = Hearing()
    config = make_config(tmp_path / "tiny.toml", tmp_path)
    result = run_search(config, output=tmp_path / "run", parts=Full(test_images=200), listener=hearing)
    assert result.verdict
    assert COSTS.read(result.path).drift is None
    assert any("could not be measured again at the end of the run: big_net does not fit" in n for n in hearing.notes)


def test_a_drift_moves_all_costs_together_in_repeats_and_in_the_saving() -> None:
    """The budget lies between what the student costs and what it would if the machine were as slow as at the end."""
    evidence = made_evidence(direct(accuracy=0.94, cost=0.0009), teacher_cost=0.02)
    policy = Policy(max_cost=0.001)
    steady, drifted = decide(evidence, policy), decide(replace(evidence, drift=1.5), policy)
    assert steady.verdict == drifted.verdict == "use_small_model"
    assert steady.repeatability == 1.0
    assert drifted.repeatability is not None and drifted.repeatability < 0.8
    known, open_ = steady.economics, drifted.economics
    assert known is not None and open_ is not None and known.saving_usd_per_1k and open_.saving_usd_per_1k
    assert open_.saving_usd_per_1k.mean == known.saving_usd_per_1k.mean
    assert open_.saving_usd_per_1k.high == pytest.approx(1.5 * known.saving_usd_per_1k.high)
    assert open_.saving_usd_per_1k.low == pytest.approx(known.saving_usd_per_1k.low / 1.5)
