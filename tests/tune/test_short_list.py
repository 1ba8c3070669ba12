"""Who goes on in a screening: the front of accuracy and cost, in each arm, and what is close to it."""

from __future__ import annotations

import pytest

from autokd.records import Arm
from autokd.tune.short_list import Standing, best_first, margin_at, rungs, spread, staying

BOTH: tuple[Arm, ...] = ("distill", "direct")


def standing(student: str, accuracy: float, cost: float, *arms: Arm) -> Standing:
    return Standing(student, accuracy, cost, arms or BOTH)


FRONT = [standing("dear", 0.9, 4.0), standing("middle", 0.88, 2.0), standing("cheap", 0.86, 1.0)]
BEHIND = [standing("close", 0.875, 2.0), standing("far", 0.7, 3.0), standing("hopeless", 0.2, 0.5)]


def test_the_front_stays_and_then_what_is_closest_to_it() -> None:
    students = [*BEHIND, *FRONT]
    assert staying(students, 3, 0.1) == ["dear", "middle", "cheap"]
    assert staying(students, 4, 0.1) == ["dear", "middle", "cheap", "close"]
    assert staying(students, 5, 0.1)[-1] == "far"


def test_a_cheap_student_that_learns_nothing_is_not_kept_for_being_cheap() -> None:
    assert "hopeless" not in staying([*FRONT, *BEHIND], 5, 0.1)
    assert staying([*FRONT, *BEHIND], 4, 0.9)[3] == "hopeless"


def test_the_cheapest_come_first_where_savings_are_wanted() -> None:
    assert best_first([*FRONT, *BEHIND], 0.1, by_cost=True)[:3] == ["cheap", "middle", "dear"]
    assert staying([*FRONT, *BEHIND], 1, 0.1, by_cost=True) == ["cheap"]


def test_each_arm_keeps_its_own() -> None:
    large = [standing("large", 0.95, 9.0, "direct"), standing("larger", 0.96, 10.0, "direct")]
    kept = staying([*large, *FRONT], 2, 0.2)
    assert set(kept) == {"large", "larger", "dear", "middle"}


def test_of_costs_that_hardly_differ_the_more_accurate_is_on_the_front() -> None:
    rivals = [standing("good", 0.9, 1.05), standing("worse", 0.8, 1.0)]
    assert staying(rivals, 1, 0.5) == ["good"]


@pytest.mark.parametrize(
    ("students", "wanted", "epochs", "expected"),
    [
        (3, 3, 6, []),
        (25, 3, 6, [(2, 9), (3, 3)]),
        (40, 5, 32, [(8, 15), (16, 5)]),
        (250, 7, 32, [(4, 76), (8, 24), (16, 7)]),
        (25, 3, 1, [(1, 3)]),
        (5, 3, 6, [(3, 3)]),
    ],
)
def test_about_a_third_stays_at_each_rung_and_the_last_is_at_half(
    students: int, wanted: int, epochs: int, expected: list[tuple[int, int]]
) -> None:
    assert rungs(students, wanted, epochs) == expected


def test_at_the_first_rungs_students_may_be_further_behind() -> None:
    assert [margin_at(rung, 3, 0.95) for rung in range(3)] == pytest.approx([0.2, 0.2, 0.1])
    assert margin_at(0, 1, 1.2) == pytest.approx(0.04)


def test_nothing_is_left_of_nothing() -> None:
    assert staying([], 3, 0.1) == []


def test_each_first_part_of_a_spread_lies_along_the_range_of_cost() -> None:
    standings = [Standing(f"s{i}", 0.0, float(i), ("distill", "direct")) for i in range(9)]
    assert spread(standings)[:3] == ["s4", "s2", "s6"]
    assert sorted(spread(standings)) == [f"s{i}" for i in range(9)]
    assert spread([]) == []
    assert spread(standings[:1]) == ["s0"]
