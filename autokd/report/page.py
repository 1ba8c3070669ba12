"""What the page says, as plain text in the order of reading; the template only lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autokd.decide.explain.wording import how_sure
from autokd.formatting import VERDICTS
from autokd.records import FinalistRecord, Option, Report, Screening, TrialRecord
from autokd.report import format as fmt
from autokd.report.sections.comparison import Comparison, CostRatio, Finding, against_teacher, comparison, findings
from autokd.report.sections.cost_assumptions import assumptions, decoding, price_remarks
from autokd.report.sections.edge_probes import Beyond, beyond, spent_beyond
from autokd.report.sections.finalists_and_trials import finalists_table, left_out_table, recipes_table, trials_table
from autokd.report.sections.method import Group, groups, importance, spending
from autokd.report.sections.policy import asked
from autokd.report.sections.provenance import Provenance
from autokd.report.sections.quality import OtherMetrics, other_metrics
from autokd.report.sections.savings import Map, Savings, savings, verdict_map
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
    decoding: str | None
    price_remarks: tuple[str, ...]
    assumptions: str
    tiles: tuple[Tile, ...]
    sure: str
    reasons: tuple[str, ...]
    settles: str | None
    weaknesses: tuple[str, ...]
    would_change: tuple[str, ...]
    verdict_map: Map | None
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
        decoding=decoding(report),
        price_remarks=price_remarks(report),
        assumptions=assumptions(report),
        tiles=_tiles(report),
        sure=how_sure(report.repeatability, report.at_stake),
        reasons=report.reasons,
        settles=report.settles,
        weaknesses=report.weaknesses,
        would_change=report.would_change,
        verdict_map=verdict_map(report),
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


def chosen(report: Report) -> Option | None:
    """The option that the verdict recommends."""
    return report.options.teacher if report.verdict == "keep_teacher" else report.options.recommended(report.verdict)


def _tiles(report: Report) -> tuple[Tile, ...]:
    option, teacher = chosen(report), report.options.teacher
    if option is None:
        return (
            Tile("Teacher's cost per 1,000 requests", fmt.usd(teacher.cost_usd_per_1k), _limit(report)),
            Tile("Teacher's accuracy", fmt.percent(teacher.accuracy.mean), "on the test images"),
        )
    kept = option is teacher
    compared = "on the test images" if kept else f"teacher {fmt.percent(teacher.accuracy.mean)}"
    tiles = [
        Tile("Cost per 1,000 requests", fmt.usd(option.cost_usd_per_1k), _limit(report)),
        Tile("Accuracy", fmt.percent(option.accuracy.mean), compared),
    ]
    if kept:
        return tuple(tiles)
    if ratio := against_teacher(option, teacher):
        tiles.append(_cost_ratio(ratio, teacher))
    if report.break_even_requests is not None:
        tiles.append(Tile("Pays for itself after", fmt.requests(report.break_even_requests), _months(report)))
    return tuple(tiles)


def _cost_ratio(cost: CostRatio, teacher: Option) -> Tile:
    detail = f"teacher {fmt.usd(teacher.cost_usd_per_1k)}"
    if cost.same:
        return Tile("Cost against the teacher's", cost.words, detail)
    return Tile("More expensive than the teacher" if cost.higher else "Cheaper than the teacher", cost.factor, detail)


def _limit(report: Report) -> str:
    return f"budget {fmt.usd(report.policy.max_cost)}"


def _months(report: Report) -> str:
    volume = report.policy.requests_per_month
    if not volume or report.break_even_requests is None:
        return "requests"
    months = report.break_even_requests / volume
    if months >= 1:
        return f"requests, {months:.1f} months"
    days = months * 365 / 12
    return (
        f"requests, {days:.0f} days" if days >= 1.5 else "requests, about a day" if days >= 0.5 else "requests, hours"
    )
