"""Every interval on the page carries its own level: a second look has wider ones, quarters and classes stay at 95 %."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from believable_run import make_decision, make_finalists, make_policy, make_run
from made_audit import make_audit
from test_page import Reading, make_edge

from autokd.records import Difference, Report
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.sections.quality import other_metrics

LOOK = 0.975


def second_look(path: Path, **changes: object) -> Report:
    """The believable report as a second look would leave it; of the audit only equal terms have its level."""
    lead = Difference(mean=0.006, low=0.002, high=0.01, detectable=0.007)
    decision = make_decision(edges=(make_edge("above", 0.002, lead),), **changes)
    report = assemble(make_run(path, histories=False), decision, make_policy())
    audit = make_audit()
    looked = audit.model_copy(update={"equal_terms": tuple(at_level(terms) for terms in audit.equal_terms)})
    return at_level(report).model_copy(update={"audit": looked})


def at_level(record: Any) -> Any:
    """The same record with every interval at the level of the second look."""

    def lifted(content: Any) -> Any:
        if isinstance(content, list):
            return [lifted(item) for item in content]
        if not isinstance(content, dict):
            return content
        return {key: LOOK if key == "level" else lifted(value) for key, value in content.items()}

    return type(record).model_validate(lifted(record.model_dump(mode="json")))


def heads(page: str, table: str) -> list[str]:
    head = page.split(f'id="{table}"')[1].split("</thead>")[0]
    return [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<th[^>]*>(.*?)</th>", head)]


def test_a_second_look_is_named_wherever_there_is_an_interval(tmp_path: Path) -> None:
    page = render_html(second_look(tmp_path / "run"), (), make_finalists())
    words = Reading(page).words
    assert "Second lines of accuracy and retention are 97.5 % intervals." in words
    assert "97.5 % interval +0.50 to +2.30 points" in words
    assert "Bars are 97.5 % intervals" in words
    for table in ("finalists", "equal-terms", "beyond"):
        assert next(head for head in heads(page, table) if "nterval" in head).endswith("97.5\u00a0% interval"), table


def test_what_stays_at_95_percent_says_so(tmp_path: Path) -> None:
    page = render_html(second_look(tmp_path / "run"), (), make_finalists())
    for table in ("entropy", "classes-distilled", "classes-direct", "classes-twin"):
        assert "95\u00a0% interval" in heads(page, table), table
    assert "97.5 %, those of quarters and single classes 95 %; differences are paired" in Reading(page).words


def test_no_head_leaves_the_level_out(tmp_path: Path) -> None:
    page = render_html(second_look(tmp_path / "run"), (), make_finalists())
    named = re.findall(r"<th[^>]*>([^<]*nterval[^<]*)</th>", page)
    assert len(named) == 8  # finalists, equal terms, quarters, three students' classes, two beyond the range
    assert all("%" in head for head in named)


def test_the_levels_of_an_audit_come_from_its_intervals(tmp_path: Path) -> None:
    report = second_look(tmp_path / "run")
    assert report.audit is not None
    found = other_metrics(report.model_copy(update={"audit": at_level(report.audit)}))
    assert found is not None and found.quarters is not None
    assert "97.5\u00a0% interval" in [column.label for column in found.quarters.columns]
    assert "97.5\u00a0% interval" in [column.label for column in found.classes[0].table.columns]
