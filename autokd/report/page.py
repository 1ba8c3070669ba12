"""What the page says, as plain text in the order of reading; the template only lays it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor

from autokd.formatting import VERDICTS
from autokd.records import FinalistRecord, Report, Screening, TrialRecord
from autokd.report import format as fmt
from autokd.report.sections.comparison import Comparison, Finding, against_teacher, comparison, findings
from autokd.report.sections.cost_assumptions import assumptions, best_forms, decoding, price_remarks, teacher_forms
from autokd.report.sections.edge_probes import Beyond, beyond, spent_beyond
from autokd.report.sections.finalists_and_trials import finalists_table, left_out_table, recipes_table, trials_table
from autokd.report.sections.method import Group, groups, importance, spending
from autokd.report.sections.policy import asked
from autokd.report.sections.provenance import Provenance
from autokd.report.sections.quality import OtherMetrics, other_metrics
from autokd.report.sections.savings import Savings, savings
from autokd.report.sections.screening import screened, screening_table
from autokd.report.sections.start_weights import is_untrained
from autokd.report.table import Table


@dataclass(frozen=True)
class Tile:
    """One figure in large type."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class Page:
    """Everything that the page shows, except its charts."""

    title: str
    run: str
    created: str
    verdict: str
    strength: str
    headline: str
    summary: str
    condition: str | None
    asked: str
    cost_remarks: tuple[str, ...]
    price_remarks: tuple[str, ...]
    assumptions: str
    tiles: tuple[Tile, ...]
    contents: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    other_reasons: tuple[str, ...]
    settles: str | None
    weaknesses: tuple[str, ...]
    would_change: tuple[str, ...]
    other_changes: tuple[str, ...]
    savings: Savings | None
    comparison: Comparison
    findings: tuple[Finding, ...]
    other_metrics: OtherMetrics | None
    beyond: Beyond | None
    spent_beyond: str
    finalists: Table
    recipes: Table
    screened: str
    screening: Table
    trials: Table
    left_out: Table
    spending: Table
    importance: Table
    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    formula: str
    provenance: Provenance
    config: str
    seed: str


def build_page(
    report: Report,
    trials: Sequence[TrialRecord] = (),
    finalists: Sequence[FinalistRecord] = (),
    *,
    screening: Screening | None = None,
    provenance: Provenance,
    config: str = "",
    seed: int | None = None,
) -> Page:
    """The page of a report; `config` is the text of config.toml, `seed` the run's. Pure: nothing is read."""
    headline = VERDICTS[report.verdict].capitalize()
    if report.verdict == "use_small_model" and is_untrained(report, report.options.direct):
        headline = "Use the small model as it is"
    return Page(
        title=f"{headline}: {report.teacher.name} on {report.task.get('data', 'its task')}",
        run=report.run,
        created=report.created.replace("T", " "),
        verdict=report.verdict,
        strength=report.strength,
        headline=headline,
        summary=report.summary,
        condition=report.condition,
        asked=asked(report.policy),
        cost_remarks=tuple(filter(None, (teacher_forms(report), best_forms(report), decoding(report)))),
        price_remarks=price_remarks(report),
        assumptions=assumptions(report),
        tiles=_tiles(report),
        contents=_contents(report, screening),
        reasons=report.key_reasons or report.reasons,
        other_reasons=_others(report.reasons, report.key_reasons),
        settles=report.settles,
        weaknesses=report.weaknesses,
        would_change=report.nearest_changes or report.would_change,
        other_changes=_others(report.would_change, report.nearest_changes),
        savings=savings(report),
        comparison=comparison(report),
        findings=findings(report),
        other_metrics=other_metrics(report),
        beyond=beyond(report),
        spent_beyond=spent_beyond(report),
        finalists=finalists_table(report),
        recipes=recipes_table(report, finalists),
        screened=screened(report, screening),
        screening=screening_table(screening),
        trials=trials_table(trials),
        left_out=left_out_table(report.left_out),
        spending=spending(report),
        importance=importance(report),
        groups=groups(report),
        notes=tuple(note.text for note in (*report.search.notes, *report.search.remarks)),
        formula=report.formula,
        provenance=provenance,
        config=config,
        seed=fmt.NOTHING if seed is None else str(seed),
    )


def _contents(report: Report, screening: Screening | None) -> tuple[tuple[str, str], ...]:
    """Anchors and labels of the parts that there are."""
    parts = (
        ("options", "Options", True),
        ("reasons", "Why", True),
        ("change", "What would change it", bool(report.would_change) or report.verdict_map is not None),
        ("savings", "Money", report.economics is not None),
        ("differences", "What the teacher adds", True),
        ("other-metrics", "Quality", other_metrics(report) is not None),
        ("finalists-head", "Finalists", True),
        ("screening-head", "Screening", bool(screening and screening.looked_at)),
        ("trials-head", "Trials", True),
        ("method", "Method", True),
        ("again", "Reproduce", True),
        ("words", "Words", True),
    )
    return tuple((anchor, label) for anchor, label, there in parts if there)


def _others(sentences: Sequence[str], first: Sequence[str]) -> tuple[str, ...]:
    """What is left of the sentences where some are said first; none where these are all."""
    return tuple(sentence for sentence in sentences if sentence not in first) if first else ()


# ---- the figures of the first screen ---------------------------------------------------------------------------


def _tiles(report: Report) -> tuple[Tile, ...]:
    """How sure it is, in two numbers, and the money of the student that is recommended."""
    same = floor(100 * report.repeatability)
    return (
        Tile("Repeats that would say the same", f"{same} of 100", "enough" if same >= 90 else "90 are asked for"),
        Tile("At stake at most", _at_stake(report), "if another option is the better one"),
        *_money(report),
    )


def _at_stake(report: Report) -> str:
    found = report.at_stake
    parts = [fmt.points(found.points).removeprefix("+")] if found.points > 0 else []
    if found.usd_per_month:
        parts.append(f"{fmt.usd(found.usd_per_month)} a month")
    elif found.usd_per_1k > 0:
        parts.append(" per ".join(fmt.per_requests(found.usd_per_1k)))
    return " or ".join(parts) or "nothing"


def _money(report: Report) -> Iterator[Tile]:
    """What the recommended student saves, and when it has paid for itself."""
    option, teacher = report.options.recommended(report.verdict), report.options.teacher
    if option is None:
        return
    if ratio := against_teacher(option, teacher):
        volume, saved = report.policy.requests_per_month, teacher.cost_usd_per_1k - option.cost_usd_per_1k
        each, of = fmt.per_requests(abs(saved))
        amount = each if volume is None else fmt.usd(abs(saved * volume / 1000))
        many = "" if volume is None else fmt.large(volume).replace(" G", " billion")
        unit = f"per {of} requests" if volume is None else f"a month at {many} requests"
        aside = "" if ratio.same else f", {ratio.words}"
        yield Tile("Saves" if saved >= 0 else "Costs more", amount, f"{unit}{aside}")
    if report.break_even_requests is not None:
        yield Tile("Pays for itself after", fmt.requests(report.break_even_requests), _months(report))


def _months(report: Report) -> str:
    volume = report.policy.requests_per_month
    if not volume or report.break_even_requests is None:
        return "requests"
    months = report.break_even_requests / volume
    if months >= 1:
        return f"requests, {months:.1f} months"
    days = months * 365 / 12
    if days >= 1.5:
        return f"requests, {days:.0f} days"
    return "requests, about a day" if days >= 0.5 else "requests, a few hours"
