"""The confirmation in two rounds: who stops after two seeds, who goes on, and that only the results decide it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import SPACE, FakeParts, Hearing
from test_search import EDGES, make_config

from autokd.errors import InterruptedRun, RunError
from autokd.pipeline import rounds
from autokd.pipeline.cheaper_forms import Form
from autokd.pipeline.search import confirm_run, run_search
from autokd.records import FinalistRecord, Reading, ServedForm
from autokd.result import SearchResult
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, REPORT, TEACHER, read_finalists
from autokd.tune.engines.protocol import Job


def far_apart(job: Job) -> float:
    """The largest student is clearly the best of either arm."""
    base = {"test_resnet": 0.925, "lcnet_035": 0.93, "mobilenetv3_small_050": 0.94, "lcnet_050": 0.955}
    return base[job.proposal.student] + (0.02 if job.proposal.arm == "distill" else 0.0)


def search(path: Path, parts: FakeParts | None = None, **changes: Any) -> tuple[SearchResult, list[str]]:
    """The result and the notes; seven finalists."""
    space, hearing = path.parent / "tiny.toml", Hearing()
    space.write_text(SPACE)
    resume = changes.pop("resume", False)
    stop = changes.pop("stop", lambda: False)
    config = make_config(space, path.parent, **{"finalists": 3, "seeds": 3, **changes})
    parts = parts or FakeParts(quality=far_apart)
    return run_search(config, output=path, parts=parts, listener=hearing, resume=resume, stop=stop), hearing.notes


def seeds(path: Path) -> dict[int, list[int]]:
    return {f.number: [result.seed for result in f.seeds] for f in read_finalists(path)}


def contenders(path: Path) -> set[int]:
    return {f.number for f in read_finalists(path) if f.contender}


def trained(parts: FakeParts) -> list[tuple[int, int]]:
    """Finalists and seeds in the order in which they were trained."""
    keys = [key.split("-") for key in parts.trained if key.startswith("finalist-")]
    return [(int(number), int(seed)) for _, number, seed in keys]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], FakeParts]:
    parts = FakeParts(quality=far_apart)
    result, told = search(tmp_path_factory.mktemp("rounds") / "run", parts)
    return result.path, told, parts


@pytest.fixture
def path(made: tuple[Path, list[str], FakeParts], tmp_path: Path) -> Path:
    """Of a copy."""
    return Path(shutil.copytree(made[0], tmp_path / "run"))


def of(path: Path, arm: str, student: str) -> list[FinalistRecord]:
    return [f for f in read_finalists(path) if (f.arm, f.student) == (arm, student)]


@dataclass(frozen=True)
class LearntByHeart(FakeParts):
    """The teacher came trained on what is now validation; in int8 it costs half."""

    def prepare(self, *given: Any) -> Any:
        prepared = super().prepare(*given)
        known = {"own_weights": True, "val_accuracy": 1.0}
        return replace(prepared, teacher=prepared.teacher.model_copy(update=known))

    def teacher_forms(self, prepared: Any, own: Any, *_: object) -> Any:
        cost = own.cost_usd_per_1k
        half = cost.model_copy(update={end: getattr(cost, end) / 2 for end in ("mean", "low", "high")})
        reading: Reading = own.model_copy(update={"cost_usd_per_1k": half})
        form = ServedForm(
            runtime="onnxruntime", precision="int8", reading=reading, val_accuracy=1.0, test_accuracy=0.97
        )
        return (Form(form, np.arange(self.test_images) % 100 < 97),)


# ---- in a search ------------------------------------------------------------------------------------------------


def test_who_cannot_be_picked_stops_and_the_others_share_what_is_left(
    made: tuple[Path, list[str], FakeParts],
) -> None:
    path, told, parts = made
    best = {f.number for arm in ("distill", "direct") for f in of(path, arm, "lcnet_050")}
    assert contenders(path) == best
    count = len(read_finalists(path))
    beside = 2  # the longer distilled one and its twin
    each = min(8, 2 + max(1, (count - 3 * beside) // len(best)))
    assert {n: len(own) for n, own in seeds(path).items()} == {n: each if n in best else 2 for n in range(count)}
    assert len(trained(parts)) <= 3 * count
    rest = trained(parts)[2 * count :]
    assert {number for number, _ in rest} == best
    assert {seed for _, seed in trained(parts)[: 2 * count]} == {1, 2}
    first = next(note for note in told if "seeds first" in note)
    assert first.startswith(f"{count} finalists from 2 seeds first, up to {3 * count} trainings: lcnet_050 (distill, ")
    settled = next(note for note in told if note.startswith("After two seeds"))
    assert (
        f"{len(best)} of {count} finalists can still be an arm's pick or are its twin; they go on to {each}" in settled
    )
    assert settled.endswith("; the others stop.")


def test_the_longest_trainings_begin_first(made: tuple[Path, list[str], FakeParts]) -> None:
    path, _, parts = made
    work = {f.number: f.macs * f.recipe.epochs for f in read_finalists(path)}
    count = len(work)
    for part in (trained(parts)[: 2 * count], trained(parts)[2 * count :]):
        lengths = [work[number] for number, _ in part]
        assert lengths == sorted(lengths, reverse=True)


def test_the_verdict_rests_on_contenders_and_the_page_tells_the_seeds(made: tuple[Path, list[str], FakeParts]) -> None:
    path, _, _ = made
    report = REPORT.read(path)
    picks = {option.finalist for option in (report.options.distilled, report.options.direct) if option}
    assert picks <= contenders(path)
    assert report.gain is not None
    most = max(len(own) for own in seeds(path).values())
    page = (path / "report.html").read_text()
    assert f"each trained again from 2 to {most} fresh seeds" in page
    head, *rows = (path / "finalists.csv").read_text().splitlines()
    assert head.endswith(",contender")
    assert {row.rpartition(",")[2] for row in rows} == {"True", "False"}


def test_a_teacher_is_asked_for_no_more_than_it_shows_on_test_and_in_its_cheapest_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []

    def contenders(entrants: Any, policy: Any, cost: float, accuracy: float) -> Any:
        asked.append((cost, accuracy))
        return frozenset(entrant.number for entrant in entrants)

    monkeypatch.setattr(rounds, "contenders", contenders)
    result, _ = search(tmp_path / "run", LearntByHeart(quality=far_apart))
    teacher, costs = TEACHER.read(result.path), COSTS.read(result.path)
    assert teacher.test_accuracy < teacher.val_accuracy
    assert set(asked) == {(costs.readings[teacher.name].cost_usd_per_1k.mean / 2, teacher.test_accuracy)}


def test_with_two_seeds_there_is_one_round(tmp_path: Path) -> None:
    result, told = search(tmp_path / "run", seeds=2)
    assert not any("After two seeds" in note for note in told)
    assert any("finalists from 2 seeds, " in note for note in told)
    assert all(len(own) == 2 for own in seeds(result.path).values())
    assert contenders(result.path) == set(seeds(result.path))


@pytest.mark.parametrize("after", [1, 5, 13, 15, 17])
def test_an_interrupted_confirmation_comes_to_the_same(
    made: tuple[Path, list[str], FakeParts], tmp_path: Path, after: int
) -> None:
    whole, _, all_parts = made
    first, second = FakeParts(quality=far_apart), FakeParts(quality=far_apart)
    with pytest.raises(InterruptedRun):
        search(tmp_path / "run", first, stop=lambda: len(trained(first)) >= after)
    resumed, _ = search(tmp_path / "run", second, resume=True)
    assert seeds(resumed.path) == seeds(whole)
    assert contenders(resumed.path) == contenders(whole)
    assert set(trained(first)) | set(trained(second)) == set(trained(all_parts))
    assert resumed.report.options == REPORT.read(whole).options
    assert Run(resumed.path).manifest.looks == ()


def test_a_finished_run_resumed_trains_nothing(path: Path, tmp_path: Path) -> None:
    parts = FakeParts(quality=far_apart)
    before = seeds(path)
    config = Run.open(path).settings
    run_search(config, output=path, parts=parts, resume=True)
    assert not parts.trained
    assert seeds(path) == before


def test_a_failure_leaves_the_contest_open_for_that_finalist(
    made: tuple[Path, list[str], FakeParts], tmp_path: Path
) -> None:
    """Its one result says nothing about other seeds."""
    stopped = next(iter(set(seeds(made[0])) - contenders(made[0])))

    def explode(job: Job) -> float:
        if job.key == f"finalist-{stopped}-2":
            raise ValueError("boom")
        return far_apart(job)

    result, _ = search(tmp_path / "run", FakeParts(quality=explode))
    assert stopped in contenders(result.path)
    own = seeds(result.path)[stopped]
    assert 2 not in own
    assert len(own) >= 2
    told = [note.text for note in result.report.search.notes if note.kind == "finalist_failed"]
    assert len(told) == 1
    assert f"`autokd confirm RUN --seeds {own[-1]}` trains it again" in told[0]


def test_without_any_result_it_is_no_contender_and_is_told(
    made: tuple[Path, list[str], FakeParts], tmp_path: Path
) -> None:
    lost = next(iter(contenders(made[0])))

    def explode(job: Job) -> float:
        if job.key.startswith(f"finalist-{lost}-"):
            raise ValueError("boom")
        return far_apart(job)

    parts = FakeParts(quality=explode)
    result, _ = search(tmp_path / "run", parts)
    assert lost not in seeds(result.path)
    assert [seed for number, seed in trained(parts) if number == lost] == [1, 2]
    told = [note.text for note in result.report.search.notes if note.kind == "finalist_failed"]
    assert len(told) == 2
    assert all("search --resume" in text for text in told)


def test_what_is_beyond_the_range_has_all_seeds_and_is_in_no_contest(tmp_path: Path) -> None:
    probed, _ = search(tmp_path / "run", **EDGES, finalists=1)
    plain, _ = search(tmp_path / "plain", **EDGES | {"probe_edges": False}, finalists=1)
    edges = {n for edge in probed.report.edges for n in (edge.finalist, edge.twin)} - set(seeds(plain.path))
    assert edges
    assert all(len(seeds(probed.path)[n]) == 3 for n in edges)
    assert {n: own for n, own in seeds(probed.path).items() if n not in edges} == seeds(plain.path)
    parts = FakeParts(quality=far_apart)
    confirm_run(probed.path, 9, parts=parts)
    assert {number for number, _ in trained(parts)} == contenders(plain.path), "the probes cannot settle a verdict"


def test_one_round_and_more_seeds_of_all_but_the_probes_stay_as_they_are(tmp_path: Path) -> None:
    path = search(tmp_path / "run", **EDGES, finalists=1, seeds=2)[0].path
    confirm_run(path, 4, parts=FakeParts(quality=far_apart))
    before, again = seeds(path), FakeParts(quality=far_apart)
    assert {len(own) for own in before.values()} == {2, 4}
    run_search(Run.open(path).settings, output=path, parts=again, resume=True)
    assert not again.trained
    assert (seeds(path), Run(path).manifest.looks) == (before, (2, 4))


def test_what_contenders_had_no_time_for_is_told_and_made_up_for(tmp_path: Path) -> None:
    """A training takes six seconds by this clock, the longer ones more."""

    def timed() -> FakeParts:
        now = [0.0]

        def wait(seconds: float) -> None:
            now[0] += seconds

        return FakeParts(quality=far_apart, clock=lambda: now[0], wait=wait)

    plenty = timed()
    whole, _ = search(tmp_path / "whole", plenty, time_limit=10_000, workers=1)
    assert whole.report.search.notes == ()
    assert contenders(whole.path) < set(seeds(whole.path))
    scarce = timed()
    limit = (plenty.clock() - 8) / 0.97
    short, _ = search(tmp_path / "run", scarce, time_limit=limit, workers=1)
    assert contenders(short.path) == contenders(whole.path)
    left_out = {n for n, own in seeds(short.path).items() if own != seeds(whole.path)[n]}
    assert left_out
    assert left_out <= contenders(whole.path)
    told = [note.text for note in short.report.search.notes]
    assert len(told) == 1
    assert "left out: the third seed of" in told[0]
    assert short.strength == "weak"
    config = Run.open(short.path).settings.changed({"time_limit": None})
    run_search(config, output=short.path, parts=timed(), resume=True)
    assert (seeds(short.path), contenders(short.path)) == (seeds(whole.path), contenders(whole.path))


def test_a_finished_run_that_is_interrupted_again_forgets_no_device_time(path: Path) -> None:
    class StopInConfirmation(Hearing):
        def stopping(self) -> bool:
            return "Confirmation" in self.stages

    hearing, spent = StopInConfirmation(), Run(path).manifest.stages["confirmation"]
    with pytest.raises(InterruptedRun, match="stopped during the confirmation"):
        run_search(
            Run.open(path).settings,
            output=path,
            parts=FakeParts(quality=far_apart),
            resume=True,
            listener=hearing,
            stop=hearing.stopping,
        )
    assert Run(path).manifest.stages["confirmation"] == spent


# ---- autokd confirm ---------------------------------------------------------------------------------------------


def test_seeds_are_added_to_contenders_only(path: Path) -> None:
    before, most = seeds(path), max(len(own) for own in seeds(path).values())
    parts = FakeParts(quality=far_apart)
    confirm_run(path, most + 1, parts=parts)
    assert set(trained(parts)) == {(number, most + 1) for number in contenders(path)}
    rest = {n: own for n, own in seeds(path).items() if n not in contenders(path)}
    assert rest == {n: before[n] for n in rest}
    assert Run(path).manifest.looks == (most, most + 1)
    again = FakeParts(quality=far_apart)
    run_search(Run.open(path).settings, output=path, parts=again, resume=True)
    assert not again.trained
    with pytest.raises(RunError, match=f"the contenders of .* have {most + 1} seeds already"):
        confirm_run(path, most + 1, parts=FakeParts())


def test_all_finalists_can_be_trained(path: Path) -> None:
    was, most = contenders(path), max(len(own) for own in seeds(path).values())
    confirm_run(path, most, all_finalists=True, parts=FakeParts(quality=far_apart))
    assert {len(own) for own in seeds(path).values()} == {most}
    assert contenders(path) == was
    assert Run(path).manifest.looks == (most, most), "it is another look"
    assert f"--seeds {most} --all" in (path / "report.html").read_text()
    again = FakeParts(quality=far_apart)
    run_search(Run.open(path).settings, output=path, parts=again, resume=True)
    assert not again.trained
    assert {len(own) for own in seeds(path).values()} == {most}
    with pytest.raises(RunError, match=f"the finalists of .* have {most} seeds already"):
        confirm_run(path, most, all_finalists=True, parts=FakeParts())


def test_an_interrupted_confirmation_of_all_goes_on(path: Path) -> None:
    most = max(len(own) for own in seeds(path).values())
    parts = FakeParts(quality=far_apart)
    with pytest.raises(InterruptedRun):
        confirm_run(path, most, all_finalists=True, parts=parts, stop=lambda: len(parts.trained) >= 3)
    confirm_run(path, most, all_finalists=True, parts=FakeParts(quality=far_apart))
    assert {len(own) for own in seeds(path).values()} == {most}


def test_a_failure_among_all_is_told_with_its_own_remedy(path: Path) -> None:
    most = max(len(own) for own in seeds(path).values())
    stopped = next(iter(set(seeds(path)) - contenders(path)))

    def explode(job: Job) -> float:
        if job.key == f"finalist-{stopped}-{most}":
            raise ValueError("boom")
        return far_apart(job)

    weak = confirm_run(path, most, all_finalists=True, parts=FakeParts(quality=explode))
    told = [note.text for note in weak.report.search.notes if note.kind == "finalist_failed"]
    assert len(told) == 1
    assert told[0].endswith(f"; `autokd confirm RUN --seeds {most} --all` trains it again")
    parts = FakeParts(quality=far_apart)
    whole = confirm_run(path, most, all_finalists=True, parts=parts)
    assert trained(parts) == [(stopped, most)]
    assert not [note for note in whole.report.search.notes if note.kind == "finalist_failed"]


def test_without_a_number_it_is_what_settles_the_verdict(path: Path) -> None:
    report, most = REPORT.read(path), max(len(own) for own in seeds(path).values())
    REPORT.write(path, report.model_copy(update={"settling_seeds": None, "strength": "weak"}))
    with pytest.raises(RunError, match=f"seeds alone do not settle the verdict of .*: seeds={most + 2}"):
        confirm_run(path, parts=FakeParts())
    REPORT.write(path, report.model_copy(update={"settling_seeds": most + 1}))
    parts = FakeParts(quality=far_apart)
    confirm_run(path, parts=parts)
    assert {seed for _, seed in trained(parts)} == {most + 1}
