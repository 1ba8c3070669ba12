"""What the costs assume is said in one sentence, in the terminal and on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from believable_run import PRICE_DATE, make_cost_model, make_decision, make_policy, make_run
from test_page import Reading

from autokd.cli.verdict import print_verdict
from autokd.cost.repricing import changed_model
from autokd.records import Hardware, Report
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.sections.cost_assumptions import assumptions, price_remarks

PRICE = f"$0.0832 an hour for c7i.large (AWS on-demand list price, us-east-1, {PRICE_DATE})"


def report_of(path: Path, given: dict[str, Any] | None = None, **changes: Any) -> Report:
    """The believable report without a volume, its cost model changed as `autokd decide` would change it."""
    model = make_cost_model().model_copy(update={"requests_per_month": None, **changes})
    run = make_run(path, [], histories=False)
    return assemble(run, make_decision(), make_policy(), cost_model=changed_model(model, given or {}))


def said(report: Report) -> str:
    return assumptions(report).replace("\u00a0", " ")


def test_without_a_volume_price_source_date_instance_and_utilization_are_said(tmp_path: Path) -> None:
    assert said(report_of(tmp_path / "run")) == (
        f"Costs assume {PRICE}; utilization 0.3; speeds as measured on cpu (2 cores); training $0.0832 an hour."
    )


def test_with_a_volume_the_fleet_is_said(tmp_path: Path) -> None:
    given = {"requests_per_month": 1e9, "peak_to_mean": 4.0, "target_utilization": 0.6, "min_replicas": 2}
    words = said(report_of(tmp_path / "run", given))
    assert "1,000,000,000 requests a month with a peak of 4 times the mean" in words
    assert "replicas at most 60 % busy then, at least 2; replicas: teacher 46, direct 4, distilled 4;" in words
    assert "utilization 0.3" not in words


def test_a_price_that_was_given_is_of_no_instance(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", {"price_per_hour": 2.0, "train_price_per_hour": 0.5})
    assert "assume $2.00 an hour (as given); utilization" in said(report)
    assert said(report).endswith("training $0.50 an hour.")
    assert "$2.00 an hour, c7i.large" not in Reading(render_html(report)).words


def test_several_accelerators_are_said(tmp_path: Path) -> None:
    assert f"{PRICE}, 4 of them per replica;" in said(report_of(tmp_path / "run", {"accelerators_per_replica": 4}))


def test_a_cost_by_parameters_says_its_rate(tmp_path: Path) -> None:
    assert said(report_of(tmp_path / "run", model="params")) == (
        "Costs assume $0.10 per 1,000 requests per billion parameters, whatever serves them; training $0.0832 an hour."
    )


def test_another_instance_at_the_measured_speed_is_remarked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path / "run", {"instance": "g5.xlarge"})
    remark = (
        "The price is borrowed: it is that of AWS g5.xlarge (A10G), us-east-1, of 2026-08-26, but the speeds were "
        "measured on Intel Xeon Platinum 8488C, 2 cores. Machines of that kind and size cost $0.526 to $14.24 an hour."
    )
    assert "for AWS g5.xlarge (A10G), us-east-1 (borrowed, https" in said(report)
    words = Reading(render_html(report)).words
    assert words.index("Asked for") < words.index(remark) < words.index("The three options")
    print_verdict(report, tmp_path / "run")
    assert remark in capsys.readouterr().out


def test_the_same_instance_needs_no_remark(tmp_path: Path) -> None:
    assert price_remarks(report_of(tmp_path / "run", {"instance": "c7i.large"})) == ()
    assert price_remarks(report_of(tmp_path / "other")) == ()


def test_an_old_price_is_remarked(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", price_date="2026-01-01")
    later = report.model_copy(update={"created": "2026-07-01T10:00:00+00:00"})
    assert price_remarks(later) == ("The price of c7i.large is 181 days old (2026-01-01); give today's.",)
    assert price_remarks(later.model_copy(update={"created": "2026-06-30T10:00:00+00:00"})) == ()


def test_billing_by_use_is_said_without_replicas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"price_per_second": 2e-5, "price_per_request": 2e-7, "billing_increment_ms": 100.0}
    report = report_of(tmp_path / "run", {**given, "requests_per_month": 1e6})
    rate = "$0.00002 a billed second, $0.0000002 a request, rounded up to 100 ms"
    assert said(report) == (
        f"Costs assume {rate}; 1,000,000 requests a month; every request served alone, as fast as measured on "
        "cpu (2 cores); training $0.0832 an hour."
    )
    print_verdict(report, tmp_path / "run")
    assert f"{rate}, 1 M requests a month." in capsys.readouterr().out
    words = Reading(render_html(report)).words
    assert "billed seconds of a request that is served alone" in words
    assert "Accelerators per replica" not in words


def test_the_teachers_own_price_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path / "run", {"teacher_price_per_hour": 2.0})
    assert f"{PRICE}; for the teacher $2.00 an hour (as given);" in said(report)
    print_verdict(report, tmp_path / "run")
    assert "; the teacher's $2.00 an hour (as given), 30 % utilized." in capsys.readouterr().out


def test_terminal_and_page_print_the_assumptions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path / "run", {"requests_per_month": 1e9})
    print_verdict(report, tmp_path / "run")
    assert f"an hour (c7i.large, {PRICE_DATE}), 1 G requests a month." in capsys.readouterr().out
    assert said(report) in Reading(render_html(report)).words


@pytest.mark.parametrize(("threads", "said"), [(1, True), (8, False), (16, False), (None, False)])
def test_cores_that_are_paid_for_and_idle_are_remarked(tmp_path: Path, threads: int | None, said: bool) -> None:
    report = report_of(
        tmp_path / "run", measured_on=Hardware(name="Intel Xeon Platinum 8488C", cores=16), threads=threads
    )
    remark = (
        "Models were served with 1 thread, but the price is that of a machine with 16 cores; set OMP_NUM_THREADS=16, "
        "or give the price of 1 core."
    )
    assert (remark in price_remarks(report)) is said
    given = report.model_copy(update={"cost_model": changed_model(report.cost_model, {"price_per_hour": 0.01})})
    assert remark not in price_remarks(given), "it may be the price of one core"
