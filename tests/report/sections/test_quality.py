"""What the page says beside the accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision, make_policy, make_run
from made_audit import make_audit

from autokd.records import Audit, ClassAudit, Interval, Report
from autokd.report import assemble, write_reports
from autokd.report.html import render_html
from autokd.report.sections.quality import CLASSES_SHOWN, OtherMetrics, other_metrics
from autokd.runs.store import REPORT


def report_of(path: Path, audit: Audit | None) -> Report:
    return assemble(make_run(path, [], histories=False), make_decision(), make_policy(), audit=audit)


@pytest.fixture(scope="module")
def audit() -> Audit:
    return make_audit()


@pytest.fixture(scope="module")
def section(audit: Audit, tmp_path_factory: pytest.TempPathFactory) -> OtherMetrics:
    found = other_metrics(report_of(tmp_path_factory.mktemp("beside") / "run", audit))
    assert found is not None
    return found


def changed(found: ClassAudit, **changes: object) -> Audit:
    return make_audit().model_copy(update={"classes": (found.model_copy(update=changes),)})


def test_an_audit_is_stored_and_shown(tmp_path: Path, audit: Audit) -> None:
    report = report_of(tmp_path / "run", audit)
    run = make_run(tmp_path / "stored", [], histories=False)
    write_reports(run, report)
    assert REPORT.read(run.path) == report
    page = (run.path / "report.html").read_text()
    headings = ("What the teacher adds", "Other quality metrics", "How it was measured")
    places = [page.index(f">{words}</h2>") for words in headings]
    assert places == sorted(places)
    assert audit.ambiguity is not None and audit.ambiguity.seen in page


def test_an_older_report_has_no_such_section(tmp_path: Path, audit: Audit) -> None:
    report = report_of(tmp_path / "run", None)
    old = report.model_dump(mode="json", exclude={"audit"})
    assert Report.model_validate(old) == report
    assert "Other quality metrics" not in render_html(report)
    alone = Audit(quality=audit.quality[:1], classes=(), ambiguity=None, equal_terms=())
    assert other_metrics(report.model_copy(update={"audit": alone})) is None


def test_the_table_of_quality(section: OtherMetrics) -> None:
    teacher, distilled, *_ = section.quality.rows
    assert teacher == (
        "teacher", "resnet152", "0.131", "0.119", "2.14", "0.93", "1.31", "100.0", "0.0", "232.7",
    )  # fmt: skip
    assert distilled[-3:] == ("95.8", "2.1", "27.8")


def test_equal_terms_have_the_seconds_of_both(section: OtherMetrics) -> None:
    assert section.equal is not None
    assert section.equal.rows == (
        ("equal trials", "mobilevit_s, finalist 103", "+1.00", "−0.10 to +2.10", "75.7", "61.5"),
        ("equal device time", "mobilevit_s, finalist 104", "+0.80", "−0.30 to +1.90", "75.7", "74.1"),
    )


@pytest.mark.parametrize(
    ("seconds", "says", "row"),
    [
        (74.1, "it took 0.98 times as many. Seconds are", "equal device time"),
        (90.8, "it took 1.20 times as many. Seconds are", "equal device time"),
        (51.5, "it took 0.68 times as many. That is not equal: the direct training had less", "unequal device time"),
        (98.4, "it took 1.30 times as many. That is not equal: the direct training had more", "unequal device time"),
    ],
)
def test_device_seconds_that_are_not_equal_are_said_to_be_so(
    tmp_path: Path, audit: Audit, seconds: float, says: str, row: str
) -> None:
    trials, device = audit.equal_terms
    terms = (trials, device.model_copy(update={"direct_seconds": seconds}))
    report = report_of(tmp_path / "run", audit.model_copy(update={"equal_terms": terms}))
    found = other_metrics(report)
    assert found is not None and found.equal is not None
    assert [name for name, *_ in found.equal.rows] == ["equal trials", row]
    assert says in render_html(report)


def test_only_the_terms_that_there_are_are_explained(tmp_path: Path, audit: Audit) -> None:
    page = render_html(report_of(tmp_path / "run", audit.model_copy(update={"equal_terms": audit.equal_terms[:1]})))
    assert "Equal trials: the direct arm" in page
    assert "Device time: the direct training" not in page


def test_quarters_go_from_surest_to_least_sure(section: OtherMetrics) -> None:
    assert section.quarters is not None
    assert [row[0] for row in section.quarters.rows] == ["first, surest", "second", "third", "fourth, least sure"]
    assert section.quarters.marked == {3}  # the made-up answers differ on the hardest images alone


def test_the_class_that_loses_most_comes_first_and_is_named(section: OtherMetrics) -> None:
    distilled, direct, twin = section.classes
    assert distilled.title == "Class by class: distilled, tf_efficientnetv2_b1"
    assert "1 of 10 classes is shown to be worse than with the teacher: 1." in distilled.seen
    assert "on 1 (the teacher's there:" in distilled.seen
    for student in (distilled, direct, twin):
        assert student.table.rows[0][0] == "1"
        assert 0 in student.table.marked


def test_of_many_classes_the_ten_worst_are_listed(tmp_path: Path) -> None:
    found = other_metrics(report_of(tmp_path / "run", make_audit(tuple(f"c{i}" for i in range(1_000)), 20_000)))
    assert found is not None
    assert all(len(student.table.rows) == CLASSES_SHOWN for student in found.classes)
    assert "Listed are the 10 of 1,000 classes that lose most." in found.classes[0].seen
    assert "No class is shown to be worse" in found.classes[0].seen  # 20 images a class prove nothing here


def test_a_direct_option_that_is_the_twin_is_called_both(tmp_path: Path, audit: Audit) -> None:
    assert audit.ambiguity is not None
    twin = audit.ambiguity.model_copy(update={"twin": 103})
    merged = {"quality": audit.quality[:3], "classes": audit.classes[:2], "ambiguity": twin}
    found = other_metrics(report_of(tmp_path / "run", audit.model_copy(update=merged)))
    assert found is not None
    assert [row[0] for row in found.quality.rows] == ["teacher", "distilled", "direct and twin"]
    assert found.classes[1].title == "Class by class: direct and twin, mobilevit_s"


def test_many_names_are_cut_and_better_classes_said(tmp_path: Path, audit: Audit) -> None:
    names = tuple("abcdefg")
    report = report_of(tmp_path / "run", changed(audit.classes[0], worse=names, better=("h",)))
    found = other_metrics(report)
    assert found is not None
    assert (
        "7 of 10 classes are shown to be worse than with the teacher: a, b, c, d, e and 2 more; "
        "1 of 10 classes is shown to be better than with the teacher: h."
    ) in found.classes[0].seen


def test_classes_without_images_are_not_listed(tmp_path: Path, audit: Audit) -> None:
    first, *rest = audit.classes[0].rows
    empty = first.model_copy(update={"images": 0, "recall": None, "teacher_recall": None, "p": None})
    found = other_metrics(report_of(tmp_path / "run", changed(audit.classes[0], rows=(empty, *rest))))
    assert found is not None
    assert len(found.classes[0].table.rows) == 9
    assert first.name not in [row[0] for row in found.classes[0].table.rows]


def test_missing_figures_are_dashes_and_small_p_values_are_said_so(tmp_path: Path, audit: Audit) -> None:
    bare = audit.quality[1].model_copy(update={"nll": None, "agreement": None})
    row = audit.classes[0].rows[0].model_copy(update={"p": 1e-9, "recall": Interval(mean=0.5, low=0.4, high=0.6)})
    classes = (audit.classes[0].model_copy(update={"rows": (row,)}),)
    changed_audit = audit.model_copy(update={"quality": (bare,), "classes": classes, "ambiguity": None})
    found = other_metrics(report_of(tmp_path / "run", changed_audit))
    assert found is not None
    assert (found.quality.rows[0][2], found.quality.rows[0][7]) == ("–", "–")
    assert found.classes[0].table.rows[0][-1] == "below 0.001"
    assert (found.quarters, found.seen) == (None, "")
    assert "Where the teacher is unsure" not in render_html(report_of(tmp_path / "other", changed_audit))


def test_names_of_classes_do_not_become_markup(tmp_path: Path) -> None:
    evil = "</script><b onclick='x'>"
    page = render_html(report_of(tmp_path / "run", make_audit((evil, *"123456789"))))
    assert "<b onclick" not in page
