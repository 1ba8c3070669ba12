"""The page in a real browser: opened from disk, it asks the network for nothing, complains of nothing and works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from believable_run import make_decision, make_finalists, make_policy, make_run, make_trials
from made_audit import make_audit
from made_savings import make_economics, make_map
from test_page import make_edge

from autokd.records import Difference
from autokd.report import assemble, write_reports
from autokd.runs.folder import Run

pytestmark = pytest.mark.browser


def visit(browser: Any, path: Path) -> None:
    """Open a page from disk, its logs emptied and its folds open."""
    browser.get("about:blank")
    for log in ("performance", "browser"):
        browser.get_log(log)
    browser.get(path.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")


def requests(browser: Any) -> list[str]:
    """Addresses of all requests since the visit began."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def column(browser: Any, table: str, index: int) -> list[str]:
    """Texts of one column."""
    script = "return [...document.querySelectorAll(arguments[0])].map(row => row.cells[arguments[1]].textContent)"
    return browser.execute_script(script, f"#{table} tbody tr", index)


def press(browser: Any, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def test_no_request_and_no_complaint(browser: Any, finished: Run) -> None:
    page = finished.path / "report.html"
    visit(browser, page)
    asked = requests(browser)
    assert asked.count(page.as_uri()) == 1
    assert [url for url in asked if url != page.as_uri() and not url.startswith(("data:", "blob:"))] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_mark_says_what_it_is_when_it_is_pointed_at(browser: Any, finished: Run) -> None:
    visit(browser, finished.path / "report.html")
    point = """document.querySelector('#chart-cost [data-key="s:100"]').dispatchEvent(
        new PointerEvent('pointerover', {bubbles: true})); return document.getElementById('tip').textContent"""
    assert "finalist 100" in browser.execute_script(point)
    assert browser.execute_script("return document.getElementById('tip').hidden") is False


def test_a_link_opens_the_fold_that_it_leads_to(browser: Any, finished: Run) -> None:
    browser.get((finished.path / "report.html").as_uri())
    assert browser.execute_script("return document.getElementById('fold-trials-head').open") is False
    press(browser, "nav a[href='#trials-head']")
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    assert browser.execute_script("return document.getElementById('fold-trials-head').open") is True


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_first_screen_has_verdict_sureness_and_picture(
    browser: Any, finished: Run, width: int, height: int
) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get((finished.path / "report.html").as_uri())
        ends = """return [...document.querySelectorAll('h1, .summary, .condition, .tile, #chart-cost svg')].map(
            each => each.getBoundingClientRect().bottom)"""
        found = browser.execute_script(ends)
        assert len(found) == 8
        assert max(found) <= height
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_tables_sort_by_value(browser: Any, finished: Run) -> None:
    visit(browser, finished.path / "report.html")
    before = column(browser, "trials", 0)
    press(browser, "#trials thead th:nth-child(1) button")
    assert column(browser, "trials", 0) == sorted(before, key=int)
    press(browser, "#trials thead th:nth-child(1) button")
    assert column(browser, "trials", 0) == sorted(before, key=int, reverse=True)
    press(browser, "#trials thead th:nth-child(3) button")
    assert column(browser, "trials", 2) == sorted(column(browser, "trials", 2))
    for _ in range(2):  # the empty ones stay at the end both ways
        press(browser, "#trials thead th:nth-child(11) button")
        found = [text for text in column(browser, "trials", 10) if text != "–"]
        assert column(browser, "trials", 10)[: len(found)] == found
    assert browser.execute_script("return document.querySelectorAll('#finalists tr.marked').length") == 2
    press(browser, "#finalists thead th:nth-child(5) button")
    assert browser.execute_script("return document.querySelectorAll('#finalists tr.marked').length") == 2


LONG = "resnet18@width=0.375+depth=0.5"
REMARK = (
    "keeps 95.5 % of the teacher's accuracy, which is not shown to be 95.0 % or more (the interval begins at 94.4 %)"
)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with long names and remarks in all of its tables."""
    finalists = [f.model_copy(update={"student": LONG}) for f in make_finalists()]
    trials = [t.model_copy(update={"student": LONG}) for t in make_trials()]
    run = make_run(tmp_path_factory.mktemp("wide") / "run", trials, finalists=finalists)
    lead = Difference(mean=0.006, low=0.002, high=0.01, detectable=0.007)
    decision = make_decision(edges=(make_edge("above", 0.002, lead),), economics=make_economics())
    named = [f.model_copy(update={"student": LONG, "why_not": (REMARK,) * 3}) for f in decision.finalists]
    audit = make_audit()
    quality = tuple(model.model_copy(update={"student": LONG}) for model in audit.quality)
    terms = tuple(each.model_copy(update={"direct_student": LONG}) for each in audit.equal_terms)
    report = assemble(
        run,
        decision.model_copy(update={"finalists": tuple(named), "verdict_map": make_map()}),
        make_policy(),
        audit=audit.model_copy(update={"quality": quality, "equal_terms": terms}),
    )
    write_reports(run, report)
    return run.path / "report.html"


CUT = """return [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)
    .map(box => box.firstElementChild.id)"""
TALLEST = "return Math.max(...[...document.querySelectorAll('.rows tbody tr')].map(row => row.offsetHeight))"


@pytest.mark.parametrize(("medium", "width"), [("screen", 1300), ("screen", 1000), ("print", 718)])
def test_no_table_is_cut_and_no_row_is_mostly_blank(browser: Any, wide: Path, medium: str, width: int) -> None:
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium})
    try:
        visit(browser, wide)
        assert browser.execute_script("return document.querySelectorAll('.scroll').length") > 10
        assert browser.execute_script(CUT) == []
        assert browser.execute_script(TALLEST) < 130
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_remark_stays_below_its_finalist_when_rows_are_sorted(browser: Any, finished: Run) -> None:
    script = """return [...document.querySelectorAll('#finalists tbody tr')].map(
        row => row.className === 'note' ? '' : row.cells[0].textContent)"""
    visit(browser, finished.path / "report.html")
    before = browser.execute_script(script)
    press(browser, "#finalists thead th:nth-child(1) button")
    press(browser, "#finalists thead th:nth-child(1) button")
    after = browser.execute_script(script)
    assert before == [text for number in (100, 101, 102, 103, 104) for text in (str(number), "")]
    assert after == [text for number in (104, 103, 102, 101, 100) for text in (str(number), "")]
    notes = "return [...document.querySelectorAll('#finalists .note td')].map(cell => cell.textContent)"
    assert browser.execute_script(notes) == ["may be picked"] * 5


def test_names_stay_whole_when_rows_are_sorted(browser: Any, wide: Path) -> None:
    visit(browser, wide)
    joints = "return document.querySelectorAll('#trials tbody wbr').length"
    before = browser.execute_script(joints)
    press(browser, "#trials thead th:nth-child(3) button")
    assert set(column(browser, "trials", 2)) == {LONG}
    assert browser.execute_script(joints) == before > 0


def test_a_phone_needs_no_sideways_scrolling(browser: Any, finished: Run) -> None:
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        visit(browser, finished.path / "report.html")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


STRANGE = ("\u0634\u0628\u0643\u0629 \u0639\u0631\u0628\u064a\u0629", "a" * 200, "\"'<i>&amp;")


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("width", [390, 1440])
def test_a_strange_name_breaks_no_layout(browser: Any, tmp_path: Path, name: str, width: int) -> None:
    finalists = [f.model_copy(update={"student": name}) for f in make_finalists()]
    run = make_run(
        tmp_path / "run", [t.model_copy(update={"student": name}) for t in make_trials(8)], finalists=finalists
    )
    decision = make_decision(summary=f"Distill resnet152 into {name}: it keeps enough.")
    shown = {
        arm: option and option.model_copy(update={"student": name})
        for arm in ("direct", "distilled")
        if (option := getattr(decision.options, arm))
    }
    decision = decision.model_copy(update={"options": decision.options.model_copy(update=shown)})
    write_reports(run, assemble(run, decision, make_policy()))
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        visit(browser, run.path / "report.html")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert name in browser.execute_script("return document.querySelector('.summary').textContent")
        outside = """const box = document.querySelector('#chart-cost svg').getBoundingClientRect();
            return [...document.querySelectorAll('#chart-cost .name')].filter(
                each => each.getBoundingClientRect().right > box.right + 1).length"""
        assert browser.execute_script(outside) == 0
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_print_has_the_verdict_on_page_one_and_all_folds(browser: Any, finished: Run) -> None:
    size = {"width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        browser.get((finished.path / "report.html").as_uri())
        end = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
        assert (
            max(browser.execute_script(end, part) for part in ("h1", ".summary", "#chart-cost svg", ".options")) < 1000
        )
        inside = "return getComputedStyle(document.querySelector('.options')).breakInside"
        assert browser.execute_script(inside) == "avoid"
        browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        assert browser.execute_script("return [...document.querySelectorAll('details')].every(fold => fold.open)")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_javascript_verdict_and_pictures_are_there(browser: Any, finished: Run) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get((finished.path / "report.html").as_uri())
        found = browser.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        for selector in ("h1", "#chart-cost svg .pick", "#fold-words"):
            node = browser.execute_cdp_cmd("DOM.querySelector", {"nodeId": found, "selector": selector})["nodeId"]
            assert browser.execute_cdp_cmd("DOM.getBoxModel", {"nodeId": node})["model"]["width"] > 0, selector
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, finished: Run, scheme: str) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core is not installed")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    try:
        visit(browser, finished.path / "report.html")
        browser.execute_script(script)
        found = browser.execute_async_script("axe.run(document).then(found => arguments[0](found.violations))")
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_charts_follow_dark_and_light(browser: Any, finished: Run) -> None:
    colour = "return getComputedStyle(document.querySelector('#chart-cost .title')).fill"
    found = []
    for scheme in ("light", "dark"):
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        visit(browser, finished.path / "report.html")
        browser.execute_async_script("setTimeout(arguments[0], 200)")
        found.append(browser.execute_script(colour))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == ["rgb(28, 35, 43)", "rgb(230, 234, 238)"]


@pytest.mark.parametrize("verdict", ["none", "keep_teacher"])
def test_a_page_without_charts_works(browser: Any, tmp_path: Path, verdict: str) -> None:
    run = make_run(tmp_path / "run", [], finalists=[])
    write_reports(run, assemble(run, make_decision(verdict), make_policy()))
    visit(browser, run.path / "report.html")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_names_are_shown_and_not_run(browser: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=window.harmed=1></script><script>window.harmed=1</script>"
    trials = [t.model_copy(update={"student": evil, "error": evil}) for t in make_trials(310)]
    run = make_run(tmp_path / "run", trials)
    write_reports(run, assemble(run, make_decision(summary=evil), make_policy()))
    visit(browser, run.path / "report.html")
    press(browser, "#trials thead th:nth-child(1) button")
    assert column(browser, "trials", 2)[0] == evil
    assert browser.execute_script("return window.harmed") is None
    assert browser.execute_script("return document.querySelector('.summary').textContent") == evil


def test_ten_thousand_trials_can_be_sorted_and_shown(browser: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", make_trials(10_000))
    write_reports(run, assemble(run, make_decision(), make_policy()))
    visit(browser, run.path / "report.html")
    press(browser, "#trials thead th:nth-child(1) button")
    assert column(browser, "trials", 0) == [str(number) for number in range(300)]
    press(browser, "#trials-more")
    assert len(column(browser, "trials", 0)) == 600
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
