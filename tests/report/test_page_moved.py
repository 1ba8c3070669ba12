"""What the page says once What if is moved: of the verdict, of options that are not taken, and of what stays behind."""

from __future__ import annotations

from typing import Any

import pytest
from page_form import ENTER, shown

from autokd.decide import Evidence
from autokd.runs.folder import Run

pytestmark = pytest.mark.browser

LITTLE = {"requests_per_month": "1M", "max_cost": "1"}  # one machine is enough for every model
CELLS = """return [...document.querySelectorAll('.what-if .options tbody tr')].map(
    row => [...row.cells].map(cell => cell.firstChild ? cell.firstChild.textContent : ''))"""
FRAMED = """return [...document.querySelectorAll('.as-asked .chosen')].filter(
    cell => getComputedStyle(cell).borderLeftWidth !== '0px').length"""
SEEN = "return [...document.querySelectorAll(arguments[0])].filter(each => each.offsetParent !== null).length"
RESET = "document.querySelector('.what-if button[type=reset]').click()"


@pytest.fixture
def opened(browser: Any, runs: list[tuple[Run, Evidence]]) -> Any:
    """The page of the first run."""
    browser.get((runs[0][0].path / "report.html").as_uri())
    return browser


def cells(browser: Any) -> dict[str, list[str]]:
    """The answer's table: values of teacher, direct and distilled by the label of their row."""
    return {row[0]: row[1:] for row in browser.execute_script(CELLS)}


def test_what_the_search_was_asked_is_set_back_until_reset(opened: Any) -> None:
    colour = "return getComputedStyle(document.querySelector('#options')).color"
    before = opened.execute_script(colour)
    assert opened.execute_script(FRAMED) > 5 and opened.execute_script(SEEN, ".as-asked .mark") == 1
    opened.execute_script(ENTER, LITTLE)
    assert opened.execute_script(FRAMED) == 0 and opened.execute_script(SEEN, ".as-asked .mark") == 0
    assert opened.execute_script(SEEN, ".set-back") == 1
    assert shown(opened, ".set-back") == "Under the conditions of the search, not of What if"
    assert opened.execute_script(colour) != before
    assert opened.execute_script(SEEN, ".what-if .mark") == 1
    opened.execute_script(RESET)
    assert opened.execute_script(FRAMED) > 5 and opened.execute_script(SEEN, ".as-asked .mark") == 1
    assert opened.execute_script(SEEN, ".set-back") == 0 and opened.execute_script(colour) == before


def test_a_kept_teacher_saves_nothing_and_the_table_says_why(opened: Any) -> None:
    opened.execute_script(ENTER, LITTLE)
    assert shown(opened, "h1") == "Keep the teacher"
    why = "one machine is the least, and one is enough for the teacher too"
    assert "Saves$0 a month" in shown(opened, ".tiles") and why in shown(opened, ".tiles")
    found = cells(opened)
    assert found["Within the limits"] == ["yes", "yes", "yes"]
    assert found["Pays for itself"] == ["\u2013", "no", "no"]
    assert found["Why not"] == ["\u2013", why, why]
    assert "no pick" not in shown(opened, ".what-if .answer")
    assert len(set(found["Costs a month"])) == 1 and found["Costs a month"][0].startswith("$")


@pytest.mark.parametrize(
    ("entered", "within", "pays", "why"),
    [
        ({"max_cost": "0.00005"}, ["no"] * 3, ["\u2013"] * 3, "over the budget"),
        ({"min_retention": "130"}, ["yes", "no", "no"], ["\u2013", "yes", "yes"], "keeps too little accuracy"),
        ({"price": "40"}, ["no"] * 3, ["\u2013"] * 3, "over the budget"),
    ],
)
def test_a_limit_that_is_missed_is_named(
    opened: Any, entered: dict[str, str], within: list[str], pays: list[str], why: str
) -> None:
    opened.execute_script(ENTER, entered)
    found = cells(opened)
    assert (found["Within the limits"], found["Pays for itself"]) == (within, pays)
    assert all(text.startswith(why) for text in found["Why not"][1:])


def test_what_does_not_pay_back_is_told_in_dollars(browser: Any, runs: list[tuple[Run, Evidence]]) -> None:
    browser.get((runs[8][0].path / "report.html").as_uri())  # billed by use
    browser.execute_script(ENTER, {"requests_per_month": "1M", "max_cost": "1"})
    why = "saves $0.24 in 12 months, not more than the $30.00 that it costs once"
    assert cells(browser)["Why not"] == ["\u2013", why, why]


def test_how_options_are_billed_is_said(opened: Any) -> None:
    opened.execute_script(ENTER, {"max_cost": "0.02"})
    assert "Only used seconds are paid for, at a utilization of 30 %." in shown(opened, ".billing")
    opened.execute_script(ENTER, LITTLE)
    assert shown(opened, ".billing") == (
        "At this volume whole machines are paid for: at least 1, $876.00 a month each, loaded up to 70 % at the peak. "
        "Every option needs 1 machine."
    )
    opened.execute_script(ENTER, {"requests_per_month": "3 G"})
    assert "The teacher needs " in shown(opened, ".billing")
    opened.execute_script(ENTER, {"unit": "price_per_second", "price": "2e-5"})
    assert shown(opened, ".billing").startswith("Only the seconds of each request are paid for, at $0.00002 a second.")


def test_verdict_and_strength_stand_below_the_fields_and_what_is_weak_on_the_first_screen(opened: Any) -> None:
    opened.execute_script(ENTER, LITTLE)
    assert shown(opened, ".outcome").startswith("Keep the teacher ")
    assert shown(opened, ".outcome").split(" ", 3)[3] in ("strong evidence", "weak evidence")
    weak = "return [...document.querySelectorAll('.weak-because li')].map(each => each.textContent)"
    for volume in ("1M", "30M", "3G"):
        opened.execute_script(ENTER, {"requests_per_month": volume})
        found = opened.execute_script(weak)
        line = opened.execute_script("return document.querySelector('.weak-line').textContent.trim()")
        more = f" and {len(found) - 1} more" if found[1:] else ""
        assert line == (f"Weak: {found[0]}{more}" if found else "")


def test_on_a_phone_the_new_verdict_is_next_to_the_fields_and_no_column_is_cut(opened: Any) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened.execute_script(ENTER, {**LITTLE, "requests_per_month": "20M"})
        places = """const box = selector => document.querySelector(selector).getBoundingClientRect();
            const form = box('.what-if form'), outcome = box('.outcome');
            return [form.bottom, outcome.top, outcome.bottom - form.top]"""
        form, outcome, together = opened.execute_script(places)
        assert 0 <= outcome - form < 30 and together < 500
        assert opened.execute_script("return document.documentElement.scrollWidth") <= 390
        right = """return Math.max(...[...document.querySelectorAll('.what-if form *, .what-if .options td')].map(
            each => each.getBoundingClientRect().right))"""
        assert opened.execute_script(right) <= 374
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
