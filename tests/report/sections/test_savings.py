"""Money and the map of verdicts on the page."""

from __future__ import annotations

from pathlib import Path

from believable_run import make_decision, make_policy, make_run
from made_savings import make_economics, make_map
from test_page import make_edge

from autokd.records import Interval, Policy, Report
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.sections.savings import savings


def report_of(path: Path, policy: Policy | None = None, **changes: object) -> Report:
    report = assemble(make_run(path, [], histories=False), make_decision(), policy or make_policy())
    return report.model_copy(update=changes)


def test_the_one_time_cost_is_listed_by_stage_and_adds_up(tmp_path: Path) -> None:
    found = savings(report_of(tmp_path / "run", economics=make_economics()))
    assert found is not None
    assert found.once.rows == (
        ("Teacher", "$0.25"),
        ("Soft labels", "$0.05"),
        ("Search", "$0.50"),
        ("Confirmation", "$0.40"),
        ("Together", "$1.20"),
    )


def test_savings_carry_their_ends_and_the_day(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", economics=make_economics())
    found = savings(report.model_copy(update={"created": "2026-05-17T00:00:00+00:00"}))
    assert found is not None
    assert found.saving.rows == (
        ("Per 1,000 requests", "$0.0012", "$0.0008 to $0.0016"),
        ("Per month", "$2.40", "$1.60 to $3.20"),
        ("Paid back after, requests", "1\u00a0M", "750\u00a0k to 1.5\u00a0M"),
        ("Paid back after, months", "0.5", "below 0.1 to 0.8"),
        ("Paid back on", "2026-06-01", "2026-05-18 to 2026-06-08"),
    )


def test_what_may_never_pay_says_so_and_no_volume_has_no_months(tmp_path: Path) -> None:
    found = savings(report_of(tmp_path / "run", economics=make_economics(volume=False, pays=False)))
    assert found is not None
    assert [row[0] for row in found.saving.rows] == ["Per 1,000 requests", "Paid back after, requests"]
    assert found.saving.rows[0][2] == "−$0.0001 to $0.0016"
    assert found.saving.rows[1][2] == "750\u00a0k to never"


def test_break_even_is_rounded_up_as_in_the_sentences(tmp_path: Path) -> None:
    once = make_economics(volume=False)
    requests = Interval(mean=10_340.0, low=10_310.0, high=10_390.0)
    report = report_of(
        tmp_path / "run",
        make_policy(requests_per_month=None),
        economics=once.model_copy(update={"break_even_requests": requests}),
        break_even_requests=10_340.0,
    )
    found = savings(report)
    assert found is not None
    assert found.saving.rows[1][1:] == ("10.4\u00a0k", "10.4\u00a0k to 10.4\u00a0k")
    assert ">10.4\u00a0k</dd>" in render_html(report)


def test_the_two_sums_are_explained_where_students_beyond_the_range_were_trained(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", economics=make_economics())
    spent = report.search.model_copy(update={"usd": 0.0612})
    edges = (make_edge("above", 0.002, None),)
    probed = report.model_copy(update={"search": spent, "edges": edges})  # the one-time cost is $0.0412
    page = render_html(probed)
    says = "Of the $0.0612 that the run spent, $0.02 went into students beyond the range of ratios, which the one-time"
    assert page.count(says) == 2
    assert page.index("What it costs once") < page.index(says) < page.index('id="differences"')
    assert page.index("What the run spent") < page.rindex(says)
    alike = probed.model_copy(update={"search": spent.model_copy(update={"usd": 0.0412})})
    assert "went into students beyond" not in render_html(alike)
    assert "went into students beyond" not in render_html(report)


def test_adoption_is_no_spending_beyond_the_range(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", make_policy(adoption_usd=0.03), edges=(make_edge("above", 0.002, None),))
    spent = report.search.model_copy(update={"usd": 0.0112})
    assert "went into students beyond" not in render_html(report.model_copy(update={"search": spent}))


def test_the_page_shows_both_or_neither(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", economics=make_economics(), verdict_map=make_map())
    page = render_html(report)
    assert page.index("What would change it</h2>") < page.index('id="chart-map"') < page.index('id="fold-savings"')
    assert page.index('id="fold-savings"') < page.index('id="chart-money"') < page.index('id="once"')
    bare = render_html(report.model_copy(update={"economics": None, "verdict_map": None}))
    assert 'id="chart-map"' not in bare and 'id="savings"' not in bare
    alone = render_html(report.model_copy(update={"economics": None}))
    assert 'id="chart-map"' in alone and 'id="savings"' not in alone and 'href="#savings"' not in alone
