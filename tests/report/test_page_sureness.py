"""The page is as sure of its own verdicts as `autokd decide`, and calls them weak for the same reasons, at every point.

Nothing is left out: the page tells every case of the grid.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from page_form import ENTER, shown
from stored_runs import POINTS, at, grid

from autokd.cli.decide import command
from autokd.decide import Evidence, strength
from autokd.decide.comparisons import compare
from autokd.decide.repeats import DRAWS, Moves, Repeats
from autokd.decide.strength import Sureness, sureness
from autokd.records import Policy, Verdict
from autokd.runs.folder import Run

pytestmark = pytest.mark.browser

FEW = 20  # repeats at every point; all 400 of them at some

SURE = """
const evidence = JSON.parse(document.getElementById('evidence').textContent);
evidence.repeats.tests.splice(arguments[1]);
return arguments[0].map(given => {
  const sure = autokdHowSure.howSure(evidence, autokdPolicy.judge(evidence, given));
  return [sure.repeatability, sure.points, sure.usd, sure.weaknesses];
});
"""


class FewRepeats(Repeats):
    """The first of the draws that the page has."""

    def moves(self, draws: int = DRAWS) -> Moves:
        return super().moves(DRAWS)

    def repeatability(self, policy: Policy, verdict: Verdict, draws: int = FEW) -> float:
        return super().repeatability(policy, verdict, draws)


@pytest.mark.slow
def test_page_and_decide_are_as_sure_everywhere(
    browser: Any, runs: list[tuple[Run, Evidence]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeats, both numbers of what is at stake, strength, and every sentence that says why it is weak."""
    monkeypatch.setattr(strength, "Repeats", FewRepeats)
    points, seen = 0, Counter[str]()
    for run, stored in runs:
        base, asked = compare(stored), grid(stored)
        browser.get((run.path / "report.html").as_uri())
        for given, page in zip(asked, browser.execute_script(SURE, asked, FEW), strict=True):
            told = sureness(at(base, run, stored, given), settle=False)
            numbers = [told.repeatability, told.at_stake.points, told.at_stake.usd_per_1k]
            assert page[:3] == pytest.approx(numbers, rel=1e-9, abs=1e-12), (run.path.name, given)
            assert page[3] == list(told.weaknesses), (run.path.name, given)
            seen.update(kinds(told))
        points += len(asked)
    assert points >= POINTS
    assert set(seen) == {*KINDS, "strong", "weak"}, "the grid has every reason"


def kinds(told: Sureness) -> set[str]:
    """Which reasons there are, told by their first words."""
    found = {name for name, text in KINDS.items() for weakness in told.weaknesses if text in weakness}
    return found | {told.strength}


KINDS = {
    "fixed": "Two trials failed.",
    "weights_seen": "The start weights of",
    "untried": "The search tried no student",
    "one_seed": "had one seed",
    "borrowed": "The price is that of another machine",
    "improving": "so it may yet be enough",
    "repeats": "of 100 repeats",
    "refused": "if so, the verdict is",
    "accurate": "more accurate than the",
    "cheap": "less per 1,000 requests than the",
    "cheap a month": "less a month than the",
    "savings": "Savings are preferred",
    "no_twin": "It has no twin",
    "gain": "Its gain from distilling",
    "advantage": "Its advantage over",
    "direct": "The direct pick may be",
    "unpaid": "pays for itself depends on the request volume",
    "refused_unpaid": "if so, with",
    "other_forms": "and cost and accuracy of",
}


def test_the_page_repeats_the_confirmation_as_decide_does(browser: Any, runs: list[tuple[Run, Evidence]]) -> None:
    seen = set()
    for run, stored in runs[::2]:
        base, asked = compare(stored), grid(stored)[::40]
        browser.get((run.path / "report.html").as_uri())
        for given, page in zip(asked, browser.execute_script(SURE, asked, DRAWS), strict=True):
            judged = at(base, run, stored, given)
            told = Repeats(judged.comparison).repeatability(judged.policy, judged.verdict)
            assert page[0] == pytest.approx(told), (run.path.name, given)
            seen.add(told)
    assert len(seen) > 5


FIRST_SCREEN = """return [document.querySelector('.badge').textContent,
    ...[...document.querySelectorAll('.tile .value')].slice(0, 2).map(value => value.textContent)]"""


@pytest.mark.parametrize(
    ("k", "entered"), [(0, {"requests_per_month": "200M"}), (3, {"max_cost": "0.0003"}), (6, {"prefer": "savings"})]
)
def test_the_first_screen_is_as_sure_as_the_page_that_decide_writes(
    browser: Any, runs: list[tuple[Run, Evidence]], tmp_path: Path, k: int, entered: dict[str, str]
) -> None:
    check_moved(browser, runs[k][0].path, entered, tmp_path / "moved")


def test_so_it_is_on_a_page_that_decide_wrote(browser: Any, runs: list[tuple[Run, Evidence]], tmp_path: Path) -> None:
    other = ("--max-cost", "0.0005", "--requests-per-month", "2e7", "--price-per-hour", "0.5")
    for k, entered in ((5, {"min_retention": "90", "requests_per_month": "1G"}), (8, {"max_cost": "0.004"})):
        there = tmp_path / f"{k}"
        decided(runs[k][0].path, *other, "--output", there / "page")
        check_moved(browser, there / "page", entered, there / "moved")


def check_moved(browser: Any, page: Path, entered: dict[str, str], folder: Path) -> None:
    """A page on which this is entered shows what the page of its own command line does."""
    browser.get((page / "report.html").as_uri())
    browser.execute_script(ENTER, entered)
    moved, weak = browser.execute_script(FIRST_SCREEN), listed(browser, ".weak-because")
    if moved[0] == "strong evidence":
        assert browser.execute_script("return document.querySelector('.weak-because').hidden")
    decided(*shlex.split(shown(browser, ".what-if code"))[2:], "--output", folder)
    browser.get((folder / "report.html").as_uri())
    assert plain(moved) == plain(browser.execute_script(FIRST_SCREEN))
    assert weak == listed(browser, ".as-asked .warning")[: len(weak)]  # what settles it comes after


def decided(*arguments: object) -> None:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert done.exit_code in (0, 3), done.output


def plain(words: list[str]) -> list[str]:
    return [text.replace("\u00a0", " ") for text in words]


def listed(browser: Any, selector: str) -> list[str]:
    """The items of a list; the page was written in Python, where settings are named as keywords."""
    items = "return [...document.querySelectorAll(arguments[0] + ' li')].map(item => item.textContent)"
    return [re.sub("--max-cost ", "max_cost=", item) for item in browser.execute_script(items, selector)]
