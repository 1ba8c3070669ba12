"""What the page says, that it says it without JavaScript, and that it cannot be made to say anything else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from believable_run import (
    PRICE_DATE,
    make_decision,
    make_finalists,
    make_left_out,
    make_policy,
    make_run,
    make_task,
    make_trials,
    teacher_option,
)

from autokd.records import Difference, Edge, LeftOut, Options, Report, SeededInterval
from autokd.report import assemble, write_reports
from autokd.report.html import json_script, render_html
from autokd.report.page import build_page
from autokd.report.sections.provenance import own_page
from autokd.report.table import ROWS_ON_PAGE
from autokd.runs.folder import Run

EVIL = "</script><script>alert(1)</script><b onclick='x'>&amp;"


class Reading(HTMLParser):
    """What a reader without JavaScript sees: text outside scripts and styles, headings, tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.headings: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "col", "br", "wbr"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text.append(data)
        if self._open and re.fullmatch("h[1-6]", self._open[-1]):
            self.headings.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def report_of(path: Path, verdict: str = "distill", **changes: object) -> Report:
    bare = verdict in ("keep_teacher", "none")
    run = make_run(path, [] if bare else None, finalists=[] if bare else None, histories=False)
    return assemble(run, make_decision(verdict, **changes), make_policy())


@pytest.fixture(scope="module")
def page(finished: Run) -> str:
    return (finished.path / "report.html").read_text()


@pytest.fixture(scope="module")
def reading(page: str) -> Reading:
    return Reading(page)


def test_the_verdict_comes_first(reading: Reading) -> None:
    assert reading.headings[0] == "Distill a smaller model"
    order = [
        "weak evidence",
        "Distill resnet152 into tf_efficientnetv2_b1",
        "Holds above 1.7 million requests.",
        "87 of 100",
        "0.60 points",
        "a month at 2 M requests, 8.4× lower",
        "Weak: ",
        "Data as CSV",
        "Asked for: a budget of $0.002 per 1,000 requests",
        "The three options",
        "Why tf_efficientnetv2_b1",
        "What would change it",
        "Why it is weak, and what is needed",
        "What the teacher adds",
        "Other quality metrics",
        "Proposals trained again from fresh seeds",
        "The distill arm",
        "Every proposal that was trained",
        "Students left out",
        "How it was measured",
        "How to reproduce it",
        "The large model that is served now.",
    ]
    below = reading.words.split("autokd report", 1)[1]  # without the contents
    places = [below.index(words) for words in order]
    assert places == sorted(places)


def test_the_numbers_are_there_without_javascript(reading: Reading) -> None:
    for words in (
        "96.3 %",  # accuracy of the pick
        "95.5 to 97.0 %, 3 seeds",
        "$0.000164",
        "8.4× lower",
        "$121.47",
        "for 2 M requests",
        "81.2 / 88.4 / 97 ms",
        "812 /s",
        "33.8 k",
        "+1.40 points",
        "95 % interval +0.50 to +2.30 points",
        "The teacher helped.",
        "95 % interval −0.10 to +2.10 points",
        "Neither pick is shown to be more accurate.",
        "Smallest detectable difference: 0.90 points",
        "twin of 100 and 101",
        "ratio 2.7 is below 5: direct arm only",
        "CUDA out of memory",
        "KL(teacher_T || student_T)",
        "$0.0832 an hour for c7i.large",
        f"AWS on-demand list price, us-east-1, {PRICE_DATE}",
        "autokd search --teacher resnet152 --max-cost 0.002",
        'teacher = "resnet152"',
        "Seed 7.",
        "gets 96.4 % of the test images right",
        "1,077 training, 360 validation, 360 test",
    ):
        assert words in reading.words, words


def test_spending_adds_up_to_the_run(page: str) -> None:
    body = page.split('id="spending"')[1].split("</tbody>")[0]
    dollars = [float(amount) for amount in re.findall(r"\$([0-9.]+)<", body)]
    assert len(dollars) == 5
    assert sum(dollars[:-1]) == pytest.approx(dollars[-1], rel=0.01)


def test_the_page_is_one_file(page: str, reading: Reading) -> None:
    for tag, attributes in reading.tags:
        for name in ("src", "href"):
            assert str(attributes.get(name) or "data:").startswith(("data:", "#")), (tag, attributes)
    assert "default-src 'none'" in page
    assert len(page) < 400_000


def test_every_link_of_the_contents_leads_somewhere(reading: Reading) -> None:
    there = {attributes.get("id") for _, attributes in reading.tags}
    links = [str(attributes["href"]) for _, attributes in reading.tags if str(attributes.get("href")).startswith("#")]
    assert len(links) > 10
    assert {link.removeprefix("#") for link in links} <= there


def test_no_sentence_stands_twice(reading: Reading) -> None:
    text = [re.sub(r"\s+", " ", part).strip() for part in reading.text]
    sentences = [part for part in text if part.count(" ") > 4 and part.endswith(".")]
    assert {part for part in sentences if sentences.count(part) > 1} == set()


def test_the_few_reasons_that_decided_come_first_and_none_twice(tmp_path: Path) -> None:
    decision = make_decision()
    report = report_of(tmp_path / "run", key_reasons=decision.reasons[1:2], nearest_changes=decision.would_change[1:2])
    page = build_page(report, provenance=own_page(report))
    assert page.reasons == decision.reasons[1:2]
    assert page.other_reasons == (decision.reasons[0], decision.reasons[2])
    assert (page.would_change, page.other_changes) == (decision.would_change[1:2], decision.would_change[:1])
    assert "All steps of the policy" in render_html(report)


def test_tables_have_scopes_and_charts_a_description(reading: Reading) -> None:
    heads = [attributes for tag, attributes in reading.tags if tag == "th"]
    assert heads and all(attributes.get("scope") in ("row", "col") for attributes in heads)
    drawn = [attributes for _, attributes in reading.tags if attributes.get("role") == "img"]
    assert len(drawn) == 7
    told = {attributes["id"] for _, attributes in reading.tags if "id" in attributes}
    assert all(attributes["aria-label"] and attributes["aria-describedby"] in told for attributes in drawn)


@pytest.mark.parametrize("verdict", ["distill", "use_small_model", "keep_teacher", "none"])
def test_every_verdict_has_its_page(tmp_path: Path, verdict: str) -> None:
    report = report_of(tmp_path / "run", verdict)
    words = Reading(render_html(report)).words
    assert report.summary in words
    assert f"{report.strength} evidence" in words
    assert ("the verdict" in words.split("The three options")[1]) == (verdict != "none")


@pytest.mark.parametrize("verdict", ["keep_teacher", "none"])
def test_a_run_without_trials_says_so_and_carries_no_charts(tmp_path: Path, verdict: str) -> None:
    page = render_html(report_of(tmp_path / "run", verdict))
    words = Reading(page).words
    assert "The search trained nothing." in words
    assert "there are no finalists" in words
    assert "There is no pair of finalists to compare" in words
    assert "nothing is drawn" in words
    assert "<svg" not in page


def test_trials_without_finalists_are_drawn(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run", "keep_teacher")
    words = Reading(render_html(report, make_trials(8))).words
    assert "there are no finalists" in words
    assert "8 models looked at" in words or "models looked at" in words


def test_the_nearest_finalist_of_an_arm_without_a_pick_is_not_marked(tmp_path: Path) -> None:
    options = make_decision().options
    assert options.direct is not None
    nearest = options.direct.model_copy(update={"worthwhile": False, "why_not": ("too dear",)})
    report = report_of(tmp_path / "run", options=options.model_copy(update={"direct": nearest}))
    body = render_html(report, (), make_finalists()).split('id="finalists"')[1].split("</table>")[0]
    assert body.count('class="marked"') == 1
    assert "too dear" in render_html(report)


def test_rows_of_refusals_and_of_paying_are_there_only_where_they_say_something(tmp_path: Path) -> None:
    options = make_decision().options
    assert options.direct is not None
    refused = options.direct.model_copy(update={"worthwhile": False, "pays": False, "why_not": ("too dear",)})
    clean = options.direct.model_copy(update={"worthwhile": True, "pays": None, "why_not": ()})
    for k, (direct, there) in enumerate(((refused, True), (clean, False))):
        report = report_of(tmp_path / f"{k}", options=options.model_copy(update={"direct": direct}))
        labels = [label for label, _ in build_page(report, provenance=own_page(report)).comparison.rows]
        assert ("Why not" in labels) == ("Pays for itself" in labels) == there


def test_an_interval_below_zero_is_said_to_do_harm(tmp_path: Path) -> None:
    worse = {"mean": -0.02, "low": -0.03, "high": -0.01, "detectable": 0.01}
    words = Reading(render_html(report_of(tmp_path / "run", gain=worse, advantage=worse))).words
    assert "The teacher did harm." in words
    assert "The direct pick is more accurate." in words
    assert "−2.00 points" in words


def make_edge(side: str, gain: float, lead: Difference | None) -> Edge:
    accuracy = SeededInterval(mean=0.94, low=0.93, high=0.95, seeds=3)
    return Edge(
        side=side,
        limit=5.0 if side == "below" else 20.0,
        ratio=4.2 if side == "below" else 24.7,
        student="resnet18" if side == "below" else "starnet_s100",
        finalist=105,
        twin=106,
        accuracy=accuracy,
        twin_accuracy=accuracy.model_copy(update={"mean": 0.94 - gain}),
        gain=Difference(mean=gain, low=gain - 0.004, high=gain + 0.004, detectable=0.006),
        inside=100 if lead else None,
        inside_gain=Difference(mean=0.014, low=0.005, high=0.023, detectable=0.008) if lead else None,
        lead=lead,
    )


@pytest.mark.parametrize(
    ("side", "lead", "says"),
    [
        ("above", (0.002, 0.010), "Above 20× distilling brings starnet_s100 +0.20 points, within the range +1.40"),
        ("above", (0.002, 0.010), "the range holds there, distilling does less beyond it."),
        ("below", (-0.010, -0.002), "the range does not hold there, distilling does more beyond it."),
        (
            "below",
            (-0.010, 0.002),
            "the smallest difference of the two that this test could have shown is 0.70 points.",
        ),
        ("below", None, "Below 5× distilling brings resnet18 +0.20 points, and there is no gain within the range to"),
    ],
)
def test_what_lies_beyond_the_range_is_said(
    tmp_path: Path, side: str, lead: tuple[float, float] | None, says: str
) -> None:
    ends = None if lead is None else Difference(mean=sum(lead) / 2, low=lead[0], high=lead[1], detectable=0.007)
    reading = Reading(render_html(report_of(tmp_path / "run", edges=(make_edge(side, 0.002, ends),))))
    assert "Beyond the range" in reading.headings
    assert says in reading.words


def test_no_text_of_a_user_becomes_markup(tmp_path: Path) -> None:
    trials = [t.model_copy(update={"student": EVIL, "error": EVIL}) for t in make_trials(ROWS_ON_PAGE + 5)]
    finalists = [f.model_copy(update={"student": EVIL}) for f in make_finalists()]
    run = make_run(
        tmp_path / "run",
        trials,
        finalists=finalists,
        task=make_task((EVIL, "cat")),
        left_out=[LeftOut(student=EVIL, parameters=1, ratio=2.0, reason=EVIL), *make_left_out()],
        histories=False,
    )
    run.write(run.manifest.model_copy(update={"command": EVIL}))
    (run.path / "config.toml").write_text(EVIL)
    decision = make_decision(summary=EVIL, reasons=(EVIL,), weaknesses=(EVIL,), would_change=(EVIL,), condition=EVIL)
    options = Options(teacher=teacher_option(student=EVIL, why_not=(EVIL,)), direct=None, distilled=None)
    named = tuple(f.model_copy(update={"student": EVIL}) for f in decision.finalists)
    decision = decision.model_copy(update={"options": options, "finalists": named})
    write_reports(run, assemble(run, decision, make_policy(), student_path=EVIL))

    page = (run.path / "report.html").read_text()
    reading = Reading(page)
    assert "alert(1)</script>" not in page
    assert "<b onclick" not in page
    assert EVIL in reading.words  # shown as it is
    assert sum(tag == "script" for tag, _ in reading.tags) == 2  # the rows' data, ours


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path: Path) -> None:
    trials = [make_trials(1)[0].model_copy(update={"error": "\udcff.png", "student": "\udcff"})]
    assert r"\udcff.png" in render_html(report_of(tmp_path / "run"), trials)


def test_data_in_a_script_cannot_end_it() -> None:
    value = {"name": "</script><!-- & \u2028"}
    text = str(json_script(value))
    assert json.loads(text) == value
    assert not set("<>&") & set(text)


def test_ten_thousand_trials_fit_into_eight_megabytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", make_trials(10_000), histories=True)
    write_reports(run, assemble(run, make_decision(), make_policy()))
    path = run.path / "report.html"
    assert path.stat().st_size <= 8_000_000
    page = path.read_text()
    body = page.split('<table class="rows sortable" id="trials"')[1].split("</table>")[0]
    assert body.count("<tr") == ROWS_ON_PAGE + 1
    assert f"The first {ROWS_ON_PAGE} of 10,000 are shown." in Reading(page).words
    rows = json.loads(page.split('id="trials-rows">')[1].split("</script>")[0])
    assert sorted(int(row[0]) for row in rows) == list(range(10_000))
