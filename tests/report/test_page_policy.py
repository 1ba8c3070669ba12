"""The page's own policy says what `autokd decide` says: two thousand points over fourteen stored runs, in a browser."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_evidence import distilled, twin
from page_form import ENTER, shown
from stored_runs import POINTS, at, conditions, grid, made
from written_run import written

from autokd.cli.decide import command
from autokd.decide import Evidence, decide, read_evidence
from autokd.decide.comparisons import compare
from autokd.decide.economics import monthly_usd
from autokd.decide.explain.reasons import closest
from autokd.decide.policy import Judgement
from autokd.decide.policy_limits import LIMITS, SERVING, missed
from autokd.records import ARMS
from autokd.report import assemble, write_reports
from autokd.runs.folder import Run

pytestmark = pytest.mark.browser


def facts(judged: Judgement) -> list[Any]:
    """What has to be the same: verdict, picks and who comes closest, limits, and costs a month (or per 1,000)."""
    volume = judged.policy.requests_per_month
    options = (judged.comparison.teacher, *judged.comparison.students)
    costs = [monthly_usd(option.cost.mean, volume or 1000.0) for option in options]
    picks = [pick.number if pick else None for pick in (judged.distilled, judged.direct)]
    for arm in ARMS:
        nearest = closest(judged.comparison.arm(arm), judged)
        picks.append(nearest.number if nearest else None)
    over = [sorted(limit.field for limit in missed(SERVING, judged.comparison.teacher, judged.policy))]
    over += [sorted(limit.field for limit in missed(LIMITS, s, judged.policy)) for s in judged.comparison.students]
    words = [judged.verdict, judged.comparison.teacher.name, judged.teacher_eligible]
    numbers = [sorted(judged.eligible), sorted(judged.worthwhile)]
    return [*words, *picks, *numbers, over, [f"{cost:.9g}" for cost in costs]]


SCRIPT = """
const evidence = JSON.parse(document.getElementById('evidence').textContent);
return arguments[0].map(given => {
  const j = autokdPolicy.judge(evidence, given);
  const volume = j.asked.requests_per_month === null ? 1000 : j.asked.requests_per_month;
  const number = pick => pick === null ? null : pick.number;
  const costs = [j.teacher].concat(j.students).map(o => isFinite(o.cost) ? o.cost * volume / 1000 : null);
  const closest = arm => number(autokdRefusals.closest(j, j.students.filter(s => s.arm === arm)));
  const over = [j.teacher].concat(j.students).map(o => autokdRefusals.missed(j, o).sort());
  return [j.verdict, j.teacher.name, j.teacherEligible, number(j.distilled), number(j.direct),
    closest('distill'), closest('direct'), j.eligible, j.worthwhile, over, costs];
});
"""


def test_page_and_decide_agree_everywhere(browser: Any, runs: list[tuple[Run, Evidence]]) -> None:
    points, verdicts = 0, set()
    for run, stored in runs:
        base, asked = compare(stored), grid(stored)
        browser.get((run.path / "report.html").as_uri())
        said = browser.execute_script(SCRIPT, asked)
        for given, page in zip(asked, said, strict=True):
            judged = at(base, run, stored, given)
            page[-1] = [f"{float('inf') if cost is None else cost:.9g}" for cost in page[-1]]
            assert page == facts(judged), (run.path.name, given)
            verdicts.add(judged.verdict)
        points += len(asked)
    assert points >= POINTS and verdicts == {"distill", "use_small_model", "keep_teacher", "none"}


def test_these_answers_are_those_of_decide(runs: list[tuple[Run, Evidence]]) -> None:
    for run, stored in runs[::3]:
        given = {"requests_per_month": 3e7, "price_per_hour": 2.0, "prefer": "savings"}
        evidence, policy = conditions(run, stored, given)
        decision, judged = decide(evidence, policy), at(compare(stored), run, stored, given)
        assert decision.verdict == judged.verdict
        assert {f.number for f in decision.finalists if f.eligible} == judged.eligible
        assert decision.options.teacher.monthly_usd == pytest.approx(
            monthly_usd(judged.comparison.teacher.cost.mean, 3e7)
        )


# ---- the fields of the page ------------------------------------------------------------------------------------


@pytest.fixture
def opened(browser: Any, runs: list[tuple[Run, Evidence]]) -> Any:
    """The page of the first run."""
    browser.get((runs[0][0].path / "report.html").as_uri())
    return browser


def test_what_if_changes_verdict_sentence_and_picture_and_can_be_taken_back(opened: Any) -> None:
    place = "return document.querySelector('[data-key=\"s:2\"]').getAttribute('transform')"
    before = [shown(opened, "h1"), shown(opened, ".summary"), opened.execute_script(place)]
    opened.execute_script(ENTER, {"max_cost": "0.00005"})
    assert shown(opened, "h1") == "Nothing meets the limits"
    assert shown(opened, ".summary") == "No option is within the budget and keeps enough accuracy."
    assert shown(opened, ".badges") == "strong evidence what if: not the conditions of the search"
    opened.execute_script(ENTER, {"max_cost": "0.001", "requests_per_month": "300M", "price": "0.1"})
    assert shown(opened, "h1") != "Nothing meets the limits"
    assert "a month at 300 M requests" in shown(opened, ".tiles")
    assert opened.execute_script(place) != before[2]
    opened.execute_script("document.querySelector('.what-if button[type=reset]').click()")
    assert [shown(opened, "h1"), shown(opened, ".summary"), opened.execute_script(place)] == before
    assert opened.execute_script("return document.querySelector('.what-if .result').hidden")


def test_both_fields_of_utilization_keep_what_was_typed_and_one_counts(opened: Any) -> None:
    fields = """return ['utilization', 'target_utilization'].map(name => document.querySelector(`[name=${name}]`)).map(
        field => [field.value, field.disabled, field.parentNode.title])"""
    without = "Counts only with a volume: then whole machines are paid for, planned for the peak."
    assert opened.execute_script(fields) == [["30", False, ""], ["70", True, without]]
    opened.execute_script(ENTER, {"utilization": "25"})
    opened.execute_script(ENTER, {"requests_per_month": "30M", "target_utilization": "55"})
    assert shown(opened, ".what-if code").endswith("--requests-per-month 30000000 --target-utilization 0.55")
    with_it = "Does not count: with a volume, whole machines are paid for, planned for the peak."
    assert opened.execute_script(fields) == [["25", True, with_it], ["55", False, ""]]
    opened.execute_script(ENTER, {"requests_per_month": ""})
    assert opened.execute_script(fields) == [["25", False, ""], ["55", True, without]]
    assert shown(opened, ".what-if code").endswith("--utilization 0.25")
    opened.execute_script(ENTER, {"unit": "price_per_second"})
    by_use = "Does not count: only the seconds of each request are paid for."
    assert opened.execute_script(fields) == [["25", True, by_use], ["55", True, by_use]]


def test_another_way_of_billing_begins_at_the_price_of_the_same_machine(opened: Any) -> None:
    choose = """const unit = document.querySelector('[name=unit]'); unit.value = arguments[0];
        unit.dispatchEvent(new Event('input', {bubbles: true})); return document.querySelector('[name=price]').value"""
    assert opened.execute_script(choose, "price_per_second") == "0.000333"  # $1.20 an hour
    assert shown(opened, ".what-if code").endswith("--price-per-second 0.000333")
    assert opened.execute_script(choose, "price_per_hour") == "1.2"


def test_a_field_that_cannot_be_used_is_named_and_nothing_else_changes(opened: Any) -> None:
    before = shown(opened, ".summary")
    opened.execute_script(ENTER, {"utilization": "170"})
    assert shown(opened, ".what-if .wrong") == "Utilization: give a number above 0 and at most 100."
    assert opened.execute_script("return document.querySelector('[name=utilization]').getAttribute('aria-invalid')")
    assert shown(opened, ".summary") == before


@pytest.mark.parametrize(
    "entered",
    [
        {"requests_per_month": "30M"},
        {"requests_per_month": "30M", "target_utilization": "45"},
        {"utilization": "12.5", "prefer": "savings"},
        {"unit": "price_per_second", "price": "2e-5", "min_retention": "97.5"},
        {"price": "0.25", "max_cost": "0.0009"},
    ],
)
@pytest.mark.parametrize("k", [0, 8])
def test_the_command_of_the_page_gives_the_verdict_of_the_page(
    browser: Any, runs: list[tuple[Run, Evidence]], k: int, entered: dict[str, str]
) -> None:
    browser.get((runs[k][0].path / "report.html").as_uri())
    browser.execute_script(ENTER, entered)
    assert not browser.execute_script("return !document.querySelector('.what-if .wrong').hidden")
    program, name, *arguments = shlex.split(shown(browser, ".what-if code"))
    assert (program, name) == ("autokd", "decide")
    done = CliRunner().invoke(command, [*arguments, "--json"])
    assert done.exit_code in (0, 3), done.output
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict in browser.execute_script("return document.body.className").split()


def test_a_run_without_seconds_alone_cannot_be_billed_by_use(browser: Any, tmp_path: Path) -> None:
    evidence = made(distilled(cost=0.0004), twin(accuracy=0.9, cost=0.0004))
    finalists = evidence.finalists
    readings = [finalist.reading.model_copy(update={"alone_seconds": None}) for finalist in finalists]
    bare = tuple(f.model_copy(update={"reading": r}) for f, r in zip(finalists, readings, strict=True))
    run = written(tmp_path / "run", replace(evidence, finalists=bare))
    stored, policy = read_evidence(run), run.settings.policy()
    write_reports(run, assemble(run, decide(stored, policy), policy))
    browser.get((run.path / "report.html").as_uri())
    browser.execute_script(ENTER, {"unit": "price_per_second", "price": "2e-5"})
    assert "was not measured in this run" in shown(browser, ".what-if .wrong")
