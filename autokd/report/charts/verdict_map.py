"""The verdict over request volume and utilization as colours, with the point that was asked for."""

from __future__ import annotations

from math import log10

from autokd.formatting import VERDICTS
from autokd.records import Report, Verdict
from autokd.report import format as fmt
from autokd.report.charts.base import Chart, Mark
from autokd.report.charts.svg import element, mark, number, picture, text

LETTERS: dict[Verdict, str] = {"distill": "D", "use_small_model": "S", "keep_teacher": "K", "none": "–"}
WIDTH, LEFT, TOP, CELL = 640, 74, 16, 27


def verdicts_by_load(report: Report) -> Chart | None:
    """A square for each volume and utilization; None where cost does not depend on load."""
    found = report.verdict_map
    if found is None:
        return None
    shares, volumes = found.utilization, found.requests_per_month
    wide, floor = (WIDTH - LEFT - 18) / len(volumes), TOP + CELL * len(shares)

    def y(i: int) -> float:
        return floor - CELL * (i + 1)

    squares = "".join(
        _square(LEFT + wide * j, y(i), wide, verdict, share, volumes[j])
        for i, share in enumerate(shares)
        for j, verdict in enumerate(found.verdicts[i])
    )
    across = "".join(
        text(_short(volume), LEFT + wide * (j + 0.5), floor + 20, text_anchor="middle")
        for j, volume in enumerate(volumes)
        if j % 2 == 0
    )
    upwards = "".join(
        text(fmt.share(share), LEFT - 8, y(i) + CELL * 0.67, text_anchor="end") for i, share in enumerate(shares)
    )
    titles = text("requests a month", WIDTH / 2, floor + 44, text_anchor="middle", class_="title")
    seen = [v for v in LETTERS if any(v in row for row in found.verdicts)]
    same = sum(row.count(report.verdict) for row in found.verdicts)
    every = len(shares) * len(volumes)
    here = _here(report, wide, floor)
    return Chart(
        name="map",
        title="By volume and utilization at the peak",
        description=(
            "The verdict by requests a month and by the share of a replica's capacity that is used at the peak, billed "
            f"by whole replicas, all else as it is. It is this page's in {'all' if same == every else f'{same} of'} "
            f"{every} squares. {_place(report)}"
        ),
        svg=picture(WIDTH, floor + 52, squares, across, upwards, titles, here),
        legend=(
            *(Mark("■", verdict, f"{LETTERS[verdict]} {VERDICTS[verdict]}") for verdict in seen),
            *([Mark("★", "tone", "what was asked for")] if here else []),
        ),
        columns=("used_at_peak", "requests_per_month", "verdict"),
        rows=tuple(
            (share, volumes[j], verdict)
            for i, share in enumerate(shares)
            for j, verdict in enumerate(found.verdicts[i])
        ),
    )


def _square(x: float, y: float, wide: float, verdict: Verdict, share: float, volume: float) -> str:
    tip = f"{_short(volume)} requests a month, {fmt.share(share)} used at the peak: {VERDICTS[verdict]}"
    ground = element(
        "rect", class_=f"square {verdict}", x=number(x + 1), y=number(y + 1), width=number(wide - 2), height=CELL - 2,
        rx=3, data_tip=tip,
    )  # fmt: skip
    return ground + text(LETTERS[verdict], x + wide / 2, y + CELL * 0.67, text_anchor="middle", class_="letter")


def _here(report: Report, wide: float, floor: float) -> str:
    """The volume that was asked for and the load that replicas are planned for, at their place between the squares."""
    found, volume, share = report.verdict_map, report.policy.requests_per_month, report.cost_model.target_utilization
    if found is None or not volume:
        return ""
    i, j = _between(found.utilization, share), _between([log10(v) for v in found.requests_per_month], log10(volume))
    tip = f"asked for: {_short(volume)} requests a month, replicas {fmt.share(share)} busy at the peak"
    return mark("star", LEFT + wide * (j + 0.5), floor - CELL * (i + 0.5), 9, "here", tip)


def _place(report: Report) -> str:
    """Where this page's own case is."""
    if report.policy.requests_per_month:
        return "The star is what was asked for."
    row = fmt.share(report.cost_model.target_utilization)
    return (
        "No volume was given: then only used seconds are paid for, and no square is this page's own case. With a "
        f"volume, the row of {row} counts."
    )


def _short(volume: float) -> str:
    """10 k, 3 M, 1 billion requests."""
    return f"{volume / 1e9:.3g}{fmt.NBSP}billion" if volume >= 1e9 else fmt.large(volume)


def _between(steps: list[float] | tuple[float, ...], value: float) -> float:
    """The place of a value between ascending steps, in steps, not beyond the first and the last."""
    for k in range(1, len(steps)):
        if value <= steps[k]:
            return max(k - 1 + (value - steps[k - 1]) / (steps[k] - steps[k - 1]), -0.4)
    return len(steps) - 0.6
