"""The whole way from settings to a report, without data, training or measuring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts, Hearing, default_quality

import autokd
from autokd.config import SearchConfig
from autokd.errors import ConfigError, InterruptedRun, RunError, TeacherError
from autokd.pipeline.search import run_search
from autokd.records import CostModel, Hardware, PriceRange
from autokd.result import SearchResult
from autokd.runs.folder import Run
from autokd.runs.store import SCREENING
from autokd.runs.tables import read_trials
from autokd.tune.engines.protocol import Job

DESIGN_KEYS = {
    "schema_version", "verdict", "strength", "condition", "summary", "reasons", "would_change", "task", "policy",
    "cost_model", "options", "gain", "advantage", "break_even_requests", "finalists", "advantages", "search",
}  # fmt: skip


@pytest.fixture
def config(space_file: Path, tmp_path: Path) -> SearchConfig:
    return make_config(space_file, tmp_path)


def make_config(space_file: Path, tmp_path: Path, **changes: Any) -> SearchConfig:
    settings = {"teacher": "resnet10t", "max_cost": 1.0, "space": str(space_file), "epochs": 6, "trials": 8}
    return SearchConfig.of(**{**settings, "cache_dir": tmp_path / "cache", **changes})


def search(config: SearchConfig, path: Path, parts: FakeParts | None = None, **options: Any) -> SearchResult:
    return run_search(config, output=path, parts=parts or FakeParts(), **options)


def test_a_search_ends_with_a_verdict_and_the_whole_folder(config: SearchConfig, tmp_path: Path) -> None:
    hearing = Hearing()
    result = search(config, tmp_path / "run", listener=hearing)
    assert result.verdict == "distill", result.report
    assert hearing.stages == [
        "Task and teacher", "Cost and candidates", "Soft labels", "Screening", "Search", "Confirmation", "Verdict",
    ]  # fmt: skip
    names = {path.name for path in result.path.iterdir()}
    assert names >= {
        "run.json", "config.toml", "study.db", "trials", "trials.csv", "finalists.csv", "finalists", "evidence.npz",
        "costs.json", "screening.json", "screening.csv", "autokd.log", "report.json", "report.html", "student",
    }  # fmt: skip
    report = json.loads((result.path / "report.json").read_text())
    assert report.keys() >= DESIGN_KEYS
    distilled = result.trials.query("arm == 'distill' and state == 'complete'")
    best = distilled["val_accuracy"].max()
    equal = distilled[distilled["val_accuracy"] >= best - (best * (1 - best) / report["task"]["val"]) ** 0.5]
    assert report["options"]["distilled"]["student"] == equal.sort_values("cost_usd_per_1k").iloc[0]["student"]
    assert result.path.joinpath("report.html").read_text().count(report["summary"].split(":")[0]) > 0
    audit = result.report.audit
    assert audit is not None and {q.subject for q in audit.quality} >= {"teacher", "distilled", "direct"}
    assert Run(result.path).manifest.status == "done"


def test_the_progress_of_a_screening_tells_no_best_of_an_arm(space_file: Path, tmp_path: Path) -> None:
    hearing = Hearing()
    search(make_config(space_file, tmp_path, trials=4), tmp_path / "run", listener=hearing)
    told = [tally for tally in hearing.tallies if tally.stage == "screening"]
    assert told[-1].done == told[-1].total > 0
    assert all(tally.best == {} for tally in told)
    assert any(tally.best for tally in hearing.tallies if tally.stage == "search")


def test_both_arms_have_equal_trials_and_every_finalist_all_seeds(config: SearchConfig, tmp_path: Path) -> None:
    result = search(config, tmp_path / "run")
    arms = result.trials["arm"].value_counts().to_dict()
    assert arms == {"distill": 4, "direct": 4}
    assert all(f.accuracy.seeds == 3 for f in result.report.finalists)
    distilled = {f.number for f in result.report.finalists if f.arm == "distill"}
    assert distilled == {n for f in result.report.finalists for n in f.twin_of}


def test_a_loaded_run_says_the_same(config: SearchConfig, tmp_path: Path) -> None:
    result = search(config, tmp_path / "run")
    again = autokd.load_run(result.path)
    assert again.report == result.report
    assert again.trials.equals(result.trials)
    assert str(result.path) in repr(again)


def test_without_a_gain_the_small_model_is_used(config: SearchConfig, tmp_path: Path) -> None:
    def no_gain(job: Job) -> float:
        return default_quality(job) - (0.02 if job.proposal.arm == "distill" else 0.0)

    result = search(
        make_config(config.space, tmp_path, min_retention=0.9), tmp_path / "run", FakeParts(quality=no_gain)
    )  # type: ignore[arg-type]
    assert result.verdict == "use_small_model", result.report.reasons


def test_students_that_are_too_poor_keep_the_teacher(config: SearchConfig, tmp_path: Path) -> None:
    result = search(config, tmp_path / "run", FakeParts(quality=lambda job: 0.6))
    assert result.verdict == "keep_teacher"
    assert not (result.path / "student").exists()
    with pytest.raises(RunError, match="recommends no student"):
        result.student()


def test_no_candidate_ends_in_a_verdict(space_file: Path, tmp_path: Path) -> None:
    parts = FakeParts()
    result = search(
        make_config(space_file, tmp_path, min_ratio=19.0, max_ratio=19.5, max_cost=1e-9), tmp_path / "run", parts
    )
    assert result.verdict == "none"
    assert not parts.trained
    assert result.trials.empty
    assert (result.path / "report.html").exists()
    assert "comes nearest" in result.summary


EDGES = {"min_ratio": 8.2, "max_ratio": 13.15, "probe_edges": True}  # lcnet_050 is below, test_resnet above


def test_students_beyond_the_range_are_confirmed_and_leave_the_verdict_alone(space_file: Path, tmp_path: Path) -> None:
    parts, hearing = FakeParts(), Hearing()
    probed = search(make_config(space_file, tmp_path, **EDGES), tmp_path / "probed", parts, listener=hearing).report
    plain = search(make_config(space_file, tmp_path, **EDGES | {"probe_edges": False}), tmp_path / "plain").report
    below, above = probed.edges
    assert (below.side, below.student, above.side, above.student) == ("below", "lcnet_050", "above", "test_resnet")
    numbers = {edge.finalist for edge in probed.edges} | {edge.twin for edge in probed.edges}
    numbers -= {finalist.number for finalist in probed.finalists if finalist.role == "pick"}  # which is a twin besides
    best = hearing.tallies[-1].best["distill"]
    assert best == pytest.approx(0.955)  # of mobilenetv3_small_050; the edge lcnet_050 reaches 0.96
    seeds = [key for key in parts.trained if any(key.startswith(f"finalist-{number}-") for number in numbers)]
    assert len(seeds) == 4 * 3
    assert (probed.verdict, probed.strength) == (plain.verdict, plain.strength)
    assert (probed.reasons, probed.gain, probed.would_change) == (plain.reasons, plain.gain, plain.would_change)
    rest = [f for f in probed.finalists if f.number not in numbers]
    twins = [{n for n in f.twin_of if n not in numbers} for f in rest]
    assert [f.model_copy(update={"twin_of": ()}) for f in rest] == [
        f.model_copy(update={"twin_of": ()}) for f in plain.finalists
    ]
    assert twins == [{*f.twin_of} for f in plain.finalists]
    assert not any(f.eligible for f in probed.finalists if f.number in numbers)
    assert plain.edges == ()
    assert "Beyond the range" in (tmp_path / "probed" / "report.html").read_text()
    assert "Beyond the range" not in (tmp_path / "plain" / "report.html").read_text()
    again = FakeParts()
    search(make_config(space_file, tmp_path, **EDGES), tmp_path / "probed", again, resume=True)
    assert not again.trained


def test_an_edge_that_fails_is_told_and_weakens_nothing(space_file: Path, tmp_path: Path) -> None:
    def explode(job: Job) -> float:
        if job.proposal.student == "test_resnet":  # beyond the range, so in no trial
            raise RuntimeError("out of memory")
        return default_quality(job)

    report = search(make_config(space_file, tmp_path, **EDGES), tmp_path / "run", FakeParts(quality=explode)).report
    assert [edge.student for edge in report.edges] == ["lcnet_050"]
    assert report.strength == "strong", report.weaknesses
    assert any("test_resnet" in remark.text and "out of memory" in remark.text for remark in report.search.remarks)


def test_an_edge_that_is_not_there_is_told(space_file: Path, tmp_path: Path) -> None:
    report = search(make_config(space_file, tmp_path, probe_edges=True), tmp_path / "run").report
    assert report.edges == ()
    assert sum(remark.kind == "edge_not_probed" for remark in report.search.remarks) == 2


def test_failing_trials_are_recorded_and_make_the_verdict_weak(config: SearchConfig, tmp_path: Path) -> None:
    def explode(job: Job) -> float:
        if job.key == "trial-2":
            raise RuntimeError("out of memory")
        return default_quality(job)

    result = search(config, tmp_path / "run", FakeParts(quality=explode))
    failed = [t for t in read_trials(result.path) if t.state == "failed"]
    assert [t.number for t in failed] == [2]
    assert "out of memory" in str(failed[0].error)
    assert "out of memory" in (result.path / "trials" / "2" / "error.txt").read_text()
    assert result.strength == "weak"
    assert any("failed" in weakness for weakness in result.report.weaknesses)


def test_an_interrupted_search_goes_on_where_it_was(config: SearchConfig, tmp_path: Path) -> None:
    asked: list[int] = []

    def stop_after_a_while() -> bool:
        asked.append(1)
        return len(asked) > 60

    first = FakeParts()
    with pytest.raises(InterruptedRun):
        search(config, tmp_path / "run", first, stop=stop_after_a_while)
    assert Run(tmp_path / "run").manifest.status == "interrupted"
    second = FakeParts()
    resumed = search(config, tmp_path / "run", second, resume=True)
    whole_parts = FakeParts()
    whole = search(config, tmp_path / "whole", whole_parts)
    assert resumed.verdict == whole.verdict
    assert resumed.report.search.device_seconds == whole.report.search.device_seconds
    twice = set(first.trained[:-1]) & set(second.trained)
    assert not twice, "finished trainings were done again"
    assert set(first.trained) | set(second.trained) == set(whole_parts.trained)


def test_a_stop_in_the_confirmation_resumes_too(config: SearchConfig, tmp_path: Path) -> None:
    class StopInConfirmation(Hearing):
        stopping = False

        def stage(self, title: str) -> None:
            super().stage(title)
            self.stopping = title == "Confirmation"

    hearing, first = StopInConfirmation(), FakeParts()
    with pytest.raises(InterruptedRun):
        search(config, tmp_path / "run", first, listener=hearing, stop=lambda: hearing.stopping)
    second = FakeParts()
    result = search(config, tmp_path / "run", second, resume=True)
    assert result.verdict == "distill"
    assert not [key for key in second.trained if key.startswith("trial")]


def test_a_finished_run_resumed_trains_nothing(config: SearchConfig, tmp_path: Path) -> None:
    before = search(config, tmp_path / "run")
    parts = FakeParts()
    after = search(config, tmp_path / "run", parts, resume=True)
    assert not parts.trained
    assert after.report.options == before.report.options


def test_more_money_after_a_spending_limit_gives_fresh_finalists(space_file: Path, tmp_path: Path) -> None:
    poor = search(make_config(space_file, tmp_path, max_spend=1e-9), tmp_path / "run")
    assert "spending limit" in " ".join(note.text for note in poor.report.search.notes)
    rich = search(make_config(space_file, tmp_path), tmp_path / "run", resume=True)
    whole = search(make_config(space_file, tmp_path), tmp_path / "whole")
    assert rich.report.finalists == whole.report.finalists


def test_the_screening_leaves_money_for_the_trials(space_file: Path, tmp_path: Path) -> None:
    whole = search(make_config(space_file, tmp_path, trials=4), tmp_path / "whole")
    dollars = {stage: seconds / 3600 for stage, seconds in whole.report.search.stages.items()}
    before = sum(dollars.values()) - dollars["screening"] - dollars["search"] - dollars["confirmation"]
    limit = before + dollars["screening"]
    cut = search(make_config(space_file, tmp_path, trials=4, max_spend=limit), tmp_path / "run")
    assert [note.kind for note in cut.report.search.notes][:1] == ["screening_cut_short"]
    told = SCREENING.read(cut.path).students
    promising = sorted(told, key=lambda s: -s.promise)
    assert promising[0].trainings, "the most promising are looked at, not only the dearest"
    assert cut.report.search.trials > 0


def test_another_run_in_the_folder_is_refused(config: SearchConfig, tmp_path: Path) -> None:
    search(config, tmp_path / "run")
    with pytest.raises(RunError, match="add resume=True to go on with it, or choose another output"):
        search(config, tmp_path / "run")
    other = make_config(Path(config.space), tmp_path, min_retention=0.9)
    with pytest.raises(RunError, match="started with another min_retention"):
        search(other, tmp_path / "run", resume=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(RunError, match="not empty"):
        search(config, tmp_path / "full")
    with pytest.raises(RunError, match="holds no run"):
        search(config, tmp_path / "nothing", resume=True)


def test_resume_without_a_folder_finds_the_newest_run_like_this(
    config: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InterruptedRun):
        run_search(config, parts=FakeParts(), stop=lambda: True)
    (path,) = (tmp_path / "reports").iterdir()
    other = make_config(Path(config.space), tmp_path, min_retention=0.9)
    with pytest.raises(RunError, match="no unfinished run with these settings"):
        run_search(other, parts=FakeParts(), resume=True)
    assert run_search(config, parts=FakeParts(), resume=True).path.name == path.name
    with pytest.raises(RunError, match="no unfinished run"):
        run_search(config, parts=FakeParts(), resume=True)


def test_changed_data_or_teacher_are_noticed_on_resume(config: SearchConfig, tmp_path: Path) -> None:
    search(config, tmp_path / "run")
    with pytest.raises(RunError, match="have changed since it was started"):
        search(config, tmp_path / "run", FakeParts(fingerprint="another"), resume=True)


def test_a_refusal_leaves_no_folder(config: SearchConfig, tmp_path: Path) -> None:
    class Refusing(FakeParts):
        def prepare(self, *_: Any) -> Any:
            raise TeacherError("this teacher guesses")

    with pytest.raises(TeacherError):
        search(config, tmp_path / "run", Refusing())
    assert not (tmp_path / "run").exists()


def test_a_crash_later_is_on_record(config: SearchConfig, tmp_path: Path) -> None:
    class Crashing(FakeParts):
        def soft_labels(self, *_: Any) -> Any:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk is gone"):
        search(config, tmp_path / "run", Crashing())
    assert Run(tmp_path / "run").manifest.status == "failed"
    assert "the disk is gone" in (tmp_path / "run" / "autokd.log").read_text()
    assert search(config, tmp_path / "run", resume=True).verdict == "distill"


def test_two_controllers_do_not_share_a_run(config: SearchConfig, tmp_path: Path) -> None:
    result = search(config, tmp_path / "run")
    with Run(result.path).lock(), pytest.raises(RunError, match="in use by another"):
        search(config, tmp_path / "run", resume=True)


def test_the_budget_is_known_before_training(space_file: Path, tmp_path: Path) -> None:
    parts = FakeParts()
    result = search(make_config(space_file, tmp_path), tmp_path / "run", parts)
    costs = {c["student"]: c["reading"]["cost_usd_per_1k"]["mean"] for c in candidates(result.path)}
    middle = sorted(costs.values())[1] * 1.0001
    tight = search(make_config(space_file, tmp_path, max_cost=middle), tmp_path / "tight", replace(parts, trained=[]))
    assert {c["student"] for c in candidates(tight.path)} == {name for name, cost in costs.items() if cost <= middle}
    reasons = [entry.reason for entry in tight.report.left_out]
    assert any("above the budget" in reason for reason in reasons)


def candidates(path: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((path / "candidates.json").read_text())["candidates"]
    return listed


def test_settings_are_validated_in_one_sentence() -> None:
    for settings, says in [
        ({"max_cost": 0}, "max_cost=0 cannot be used"),
        ({"max_cost": -1}, "max_cost=-1 cannot"),
        ({"min_ratio": 20, "max_ratio": 5}, "min_ratio=20 is not below max_ratio=5"),
        ({"price_per_hour": 1, "instance": "x"}, "exclude each other"),
        ({"price_per_second": 1, "instance": "x"}, "instance and price_per_second exclude each other"),
        ({"price_per_second": 1, "teacher_price_per_hour": 1}, "exclude each other"),
        ({"teacher_instance": "x", "teacher_price_per_hour": 1}, "exclude each other"),
        ({"price_per_second": 1, "cost_model": "params"}, "price_per_second needs cost_model='measured'"),
        ({"teacher_instance": "x", "cost_model": "params"}, "teacher_instance needs cost_model='measured'"),
        ({"price_per_second": 1, "serve_batch_size": 8}, "price_per_second needs serve_batch_size=1"),
        ({"colours": "blue"}, "unknown setting 'colours'"),
        ({"engine": "slurm"}, "engine='slurm' cannot be used: it must be 'local' or 'ray'"),
        ({"max_cost": float("inf")}, "max_cost=inf cannot be used: it must be a finite number (budget in US"),
        ({"time_limit": float("nan")}, "time_limit=nan cannot be used: it must be a finite number"),
        (
            {"time_limit": "soon"},
            "time_limit='soon' cannot be used: it must be a duration such as 90s, 30m, 2h or 1h30m",
        ),
        ({"time_limit": "0s"}, "time_limit=0 cannot be used: it must be greater than 0"),
    ]:
        with pytest.raises(ConfigError) as error:
            SearchConfig.of(**{"teacher": "resnet18", "max_cost": 0.01, **settings})
        assert says in str(error.value)
        assert "\n" not in str(error.value)


class Borrowing(FakeParts):
    """Prices the fake hardware as another machine, which costs a thousandth to a thousand times as much."""

    def cost_model(self, config: SearchConfig, image_size: int) -> CostModel:
        model = super().cost_model(config, image_size)
        span = PriceRange(low=model.price_usd_per_hour / 1000, high=model.price_usd_per_hour * 1000)
        measured = Hardware(name="AMD EPYC", cores=2)
        return model.model_copy(
            update={
                "price_origin": "borrowed",
                "price_range": span,
                "measured_on": measured,
                "price_date": "2020-01-01",
            }
        )


def test_a_borrowed_and_old_price_is_said_and_weakens_a_verdict_that_it_may_flip(
    space_file: Path, tmp_path: Path
) -> None:
    hearing = Hearing()
    config = make_config(space_file, tmp_path, max_cost=0.01)
    report = search(config, tmp_path / "run", Borrowing(), listener=hearing).report
    said = "\n".join(hearing.notes)
    assert "Priced at $1.00 an hour for made up (borrowed, a test, 2020-01-01), 30 % utilized." in said
    assert (
        "The price is borrowed: it is that of made up, of 2020-01-01, but the speeds were measured on AMD EPYC" in said
    )
    assert "The price of made up is " in said and " days old (2020-01-01); give today's." in said
    assert report.cost_model.price_origin == "borrowed"
    assert any(weakness.startswith("The price is that of another machine") for weakness in report.weaknesses)
    assert not any("days old" in weakness for weakness in report.weaknesses)
