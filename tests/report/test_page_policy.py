"""The page's own policy says what `autokd decide` says: two thousand points over ten stored runs, in a browser."""

from __future__ import annotations

import itertools
import json
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner
from made_evidence import direct, distilled, made_evidence, published, twin, with_form
from written_run import IMAGES, written

from autokd.cli.decide import command
from autokd.cost.repricing import changed_model
from autokd.decide import Evidence, decide, read_evidence, strength
from autokd.decide.comparisons import Comparison, Offer, compare
from autokd.decide.economics import monthly_usd
from autokd.decide.policy import Judgement, judge
from autokd.decide.repeats import DRAWS, Moves, Repeats
from autokd.decide.strength import Sureness, sureness
from autokd.decide.what_if import under, under_conditions
from autokd.records import Policy, Reading, Verdict
from autokd.report import assemble, write_reports
from autokd.runs.folder import Run

POINTS = 2_000
T = TypeVar("T", bound=Offer)

pytestmark = pytest.mark.browser


def stored_evidence() -> Iterator[tuple[Evidence, dict[str, Any]]]:
    """Ten different ones, each with the settings of its search."""
    pair = (distilled(accuracy=0.94, cost=0.0004), twin(accuracy=0.86, cost=0.0004))
    wide: dict[str, Any] = {"max_cost": 0.01, "min_retention": 0.7}
    halved = direct(accuracy=0.93, cost=0.0012, spread=0.1, student="half_net")  # nearly half of the teacher's cost
    yield made(*pair, halved), {"max_cost": 0.01}
    yield made(*pair, direct(accuracy=0.80, cost=0.0009, val=0.97)), wide  # gives way to its arm's next
    volume = {"requests_per_month": 5e6}
    yield priced(made(*pair, direct(accuracy=0.95, cost=0.0011)), volume), {"max_cost": 0.01, **volume}
    near = (direct(accuracy=0.92, cost=0.00041), direct(6, accuracy=0.90, cost=0.0004, student="near_net"))
    yield (
        made(*near, distilled(accuracy=0.93, cost=0.0004), twin(accuracy=0.91, cost=0.0004)),
        {**wide, "prefer": "savings"},
    )
    yield made(distilled(accuracy=0.94), twin(accuracy=0.80), twin_less(5)), wide
    yield made(direct(accuracy=0.96, cost=0.002), published(accuracy=0.93, cost=0.0001)), {"adoption_usd": 100.0}
    yield with_form(made(*pair, direct(accuracy=0.92)), "int8", 0.0009, lost=0.01), {"min_retention": 0.9}
    yield replace(made(*pair, direct(accuracy=0.92, p95=30.0)), drift=1.2), {"max_latency_ms": 10.0}
    per_use = {"price_per_second": 2e-5, "billing_increment_ms": 1.0, "billing_minimum_ms": 2.0}
    yield priced(made(*pair, direct(accuracy=0.92)), per_use), {**wide, **per_use}
    own = {"teacher_price_per_hour": 4.0}
    rivals = (direct(accuracy=0.94, cost=0.0009), direct(7, accuracy=0.93, val=0.9, cost=0.0001, student="third_net"))
    limits = {**wide, "max_negative_flips": 0.12, "min_gain": 0.06}
    yield priced(made(*pair, *rivals), own), {**limits, **own}


def made(*finalists: Any) -> Evidence:
    return made_evidence(*finalists, images=IMAGES, usd=30.0)


def twin_less(number: int) -> Any:
    return distilled(number, accuracy=0.95, cost=0.0002, student="other_net")


def priced(evidence: Evidence, given: dict[str, Any]) -> Evidence:
    return under(evidence, changed_model(evidence.cost_model, given))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Run, Evidence]]:
    """Stored runs with their pages."""
    folder, found = tmp_path_factory.mktemp("runs"), []
    for k, (evidence, settings) in enumerate(stored_evidence()):
        run = written(folder / f"run-{k}", evidence, **settings)
        stored, policy = read_evidence(run), run.settings.policy()
        write_reports(run, assemble(run, decide(stored, policy), policy))
        found.append((run, stored))
    return found


def grid(base: Evidence) -> list[dict[str, Any]]:
    """Settings that `autokd decide` takes, spread evenly over all combinations."""
    volumes = (None, 3e4, 2e6, 2e8, 5.464e8, 1e9)  # the last but one: hardly more than two replicas of the teacher
    prices: tuple[dict[str, float], ...] = (
        {}, {"price_per_hour": 0.2}, {"price_per_hour": 6.0}, {"price_per_second": 2e-5}
    )  # fmt: skip
    limits = itertools.product((None, 0.0002, 0.0008, 0.02), (None, 0.9, 0.97, 1.0), (None, "accuracy", "savings"))
    every = itertools.product(volumes, prices, limits, (None, 0.1, 0.9))
    found = []
    for volume, price, (budget, keep, prefer), busy in every:
        given = {"requests_per_month": volume, "max_cost": budget, "min_retention": keep, "prefer": prefer, **price}
        by_use = "price_per_second" in price or (base.cost_model.pay_per_use and "price_per_hour" not in price)
        known = volume or base.cost_model.requests_per_month
        given["target_utilization" if known else "utilization"] = None if by_use else busy
        found.append({name: value for name, value in given.items() if value is not None})
    return found[:: len(found) // 230]


def conditions(run: Run, stored: Evidence, given: dict[str, Any]) -> tuple[Evidence, Policy]:
    """What `autokd decide` looks at."""
    policy = run.settings.changed(given).policy()
    return under_conditions(run, stored, given, policy), policy


def facts(judged: Judgement) -> list[Any]:
    """What has to be the same: verdict, picks, eligibility, and what each option costs a month (or per 1,000)."""
    volume = judged.policy.requests_per_month
    options = (judged.comparison.teacher, *judged.comparison.students)
    costs = [monthly_usd(option.cost.mean, volume or 1000.0) for option in options]
    picks = [pick.number if pick else None for pick in (judged.distilled, judged.direct)]
    words = [judged.verdict, judged.comparison.teacher.name, judged.teacher_eligible]
    return [*words, *picks, sorted(judged.eligible), sorted(judged.worthwhile), [f"{cost:.9g}" for cost in costs]]


SCRIPT = """
const evidence = JSON.parse(document.getElementById('evidence').textContent);
return arguments[0].map(given => {
  const j = autokdPolicy.judge(evidence, given);
  const volume = j.asked.requests_per_month === null ? 1000 : j.asked.requests_per_month;
  const number = pick => pick === null ? null : pick.number;
  const costs = [j.teacher].concat(j.students).map(o => isFinite(o.cost) ? o.cost * volume / 1000 : null);
  return [j.verdict, j.teacher.name, j.teacherEligible, number(j.distilled), number(j.direct),
    j.eligible, j.worthwhile, costs];
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


FEW = 40  # repeats at every point; all 400 of them at some

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


def at(base: Comparison, run: Run, stored: Evidence, given: dict[str, Any]) -> Judgement:
    """The policy's answer, its statistics computed once: they do not depend on what is asked."""
    evidence, policy = conditions(run, stored, given)
    readings = {finalist.number: finalist.reading for finalist in evidence.finalists}
    teachers = (evidence.teacher_reading, *(form.reading for form in evidence.teacher_forms))
    forms = tuple(read(form, reading) for form, reading in zip(base.forms, teachers, strict=True))
    students = tuple(read(student, readings[student.number]) for student in base.students)
    return judge(replace(base, evidence=evidence, teacher=forms[0], forms=forms, students=students), policy)


def read(option: T, reading: Reading) -> T:
    return replace(option, reading=reading, cost=reading.cost_usd_per_1k)


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

ENTER = """const form = document.querySelector('.what-if form');
Object.entries(arguments[0]).forEach(([name, value]) => {
    form.elements[name].value = value;
    form.dispatchEvent(new Event('input'));
});"""


@pytest.fixture
def opened(browser: Any, runs: list[tuple[Run, Evidence]]) -> Any:
    """The page of the first run."""
    browser.get((runs[0][0].path / "report.html").as_uri())
    return browser


def shown(browser: Any, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0]).textContent", selector))


def test_what_if_changes_verdict_sentence_and_picture_and_can_be_taken_back(opened: Any) -> None:
    place = "return document.querySelector('[data-key=\"s:2\"]').getAttribute('transform')"
    before = [shown(opened, "h1"), shown(opened, ".summary"), opened.execute_script(place)]
    opened.execute_script(ENTER, {"max_cost": "0.00005"})
    assert shown(opened, "h1") == "Nothing meets the limits"
    assert shown(opened, ".summary") == "No option is within the budget and keeps enough accuracy."
    assert shown(opened, ".badge").startswith("what if")
    opened.execute_script(ENTER, {"max_cost": "0.001", "requests_per_month": "300M", "price": "0.1"})
    assert shown(opened, "h1") != "Nothing meets the limits"
    assert "a month at 300 M requests" in shown(opened, ".tiles")
    assert opened.execute_script(place) != before[2]
    opened.execute_script("document.querySelector('.what-if button[type=reset]').click()")
    assert [shown(opened, "h1"), shown(opened, ".summary"), opened.execute_script(place)] == before
    assert opened.execute_script("return document.querySelector('.what-if .result').hidden")


def test_with_a_volume_the_field_of_utilization_is_that_of_the_peak(opened: Any) -> None:
    field = "return document.querySelector('[name=utilization]').value"
    assert opened.execute_script(field) == "30"
    opened.execute_script(ENTER, {"requests_per_month": "30M"})
    assert opened.execute_script(field) == "70"
    assert shown(opened, ".what-if code").endswith("--requests-per-month 30000000")
    opened.execute_script(ENTER, {"requests_per_month": ""})
    assert opened.execute_script(field) == "30"


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
        {"requests_per_month": "30M", "utilization": "45"},
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
