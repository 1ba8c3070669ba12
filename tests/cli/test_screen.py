"""Progress: the live line fits the terminal, whole segment by whole segment; a log gets whole lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from autokd.cli.screen import Rank, Screen, Segment, fitted
from autokd.progress import Tally

TALLY = Tally(
    "search",
    done=7,
    total=24,
    running=2,
    pruned=3,
    failed=1,
    best={"distill": 0.9312, "direct": 0.912},
    seconds_left=12_000,
    usd=0.01234,
)
SEGMENTS = (
    "7/24",
    ", about 3 h 20 min left",
    ": search",
    "; best direct 91.2%",
    "; best distill 93.1%",
    "; 3 pruned",
    "; 1 failed",
    "; $0.0123 spent",
)


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def shown(screen: Screen, width: int) -> str:
    """What stands on the terminal, behind spinner and bar."""
    plain = Console(file=io.StringIO(), width=width, color_system=None)
    plain.print(screen._bar.get_renderable())
    (line,) = plain.file.getvalue().splitlines()
    assert len(line) <= width
    return line.lstrip("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ━╸╺").rstrip()


@pytest.mark.parametrize(
    ("width", "says"),
    [
        (200, "".join(SEGMENTS)),
        (120, "".join(part for part in SEGMENTS if "pruned" not in part)),
        (100, "".join(SEGMENTS[:5] + SEGMENTS[6:7])),
        (80, "".join(SEGMENTS[:5])),
        (60, "".join(SEGMENTS[:4])),
        (40, "".join(SEGMENTS[:3])),
        (30, "".join(SEGMENTS[:2])),
        (20, SEGMENTS[0]),
    ],
)
def test_a_narrow_terminal_shows_fewer_segments_each_of_them_whole(width: int, says: str) -> None:
    screen = Screen(terminal(width))
    screen.tally(TALLY)
    assert shown(screen, width) == says


@pytest.mark.parametrize("width", range(8, 140))
def test_nothing_is_cut_at_any_width(width: int) -> None:
    screen = Screen(terminal(width))
    screen.tally(TALLY)
    left = shown(screen, width)
    for part in SEGMENTS:
        if left.startswith(part):
            left = left.removeprefix(part)
    assert left == ""


def test_a_terminal_that_becomes_narrower_shows_less() -> None:
    console = terminal(200)
    screen = Screen(console)
    screen.tally(TALLY)
    console.width = 40
    assert shown(screen, 40) == "".join(SEGMENTS[:3])


def test_brackets_in_a_name_are_no_markup() -> None:
    screen = Screen(terminal(80))
    screen.advance("checksums of [bold]", 1, 2, None)
    assert shown(screen, 80) == "1/2: checksums of [bold]"


def test_the_last_of_equal_rank_goes_first_and_the_count_stays() -> None:
    segments = [Segment(Rank.COUNT, "10/20"), Segment(Rank.BEST, "a"), Segment(Rank.BEST, "b")]
    assert [fitted(segments, width) for width in (11, 10, 2)] == ["10/20; a; b", "10/20; a", "10/20"]


def test_a_log_gets_the_whole_line_however_long() -> None:
    file = io.StringIO()
    screen = Screen(Console(file=file, width=40, soft_wrap=True))
    screen.tally(TALLY)
    assert file.getvalue() == (
        "  search; best direct 91.2%; best distill 93.1%; 3 pruned; 1 failed; $0.0123 spent: "
        "7/24, about 3 h 20 min left\n"
    )
