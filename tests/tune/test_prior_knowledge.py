"""What is known of students before any is trained: it orders lists, and never leaves out a whole range of cost."""

from __future__ import annotations

import numpy as np
import pytest

from autokd.tune.prior_knowledge import (
    FEWEST,
    Promising,
    agreement,
    features_of,
    most_promising_first,
    prior_knowledge,
    promises,
    published_top1,
)
from autokd.tune.short_list import SAME_COST
from autokd.zoo.catalogue import Count, lookup


def count(name: str) -> Count:
    found = lookup(name, 10, 32)
    assert isinstance(found, Count)
    return found


def test_the_fit_that_comes_with_autokd_ranks_data_sets_that_it_has_not_seen() -> None:
    known = prior_knowledge()
    assert len({name.split(",")[0] for name in known.data}) > 1
    assert min(known.rank_correlation.values()) > 0.4
    assert set(known.features) == {"parameters", "macs", "activations", "layers", "top1"}


def test_a_promise_is_the_sum_of_what_each_feature_and_the_family_add() -> None:
    known, resnet = prior_knowledge(), count("resnet10t")
    seen = features_of(resnet, 68.0)
    by_hand = known.families["resnet"] + sum(
        each.weight * (seen[name] - each.mean) / each.deviation for name, each in known.features.items()
    )
    assert known.promise(resnet, 68.0) == pytest.approx(by_hand)
    without = (
        by_hand
        - known.features["top1"].weight * (68.0 - known.features["top1"].mean) / known.features["top1"].deviation
    )
    assert known.promise(resnet, None) == pytest.approx(without)


def test_a_family_that_was_never_recorded_adds_nothing() -> None:
    known, levit = prior_knowledge(), count("levit_128s")
    assert levit.family not in known.families
    assert known.promise(levit, None) != 0


def test_published_weights_come_first_and_by_their_accuracy() -> None:
    counts = {name: count(name) for name in ("resnet10t", "resnet18", "mobilenetv3_small_050")}
    promised = promises(counts, published=("resnet18", "mobilenetv3_small_050"))
    assert published_top1("resnet18") > published_top1("mobilenetv3_small_050")
    assert sorted(promised, key=promised.__getitem__) == ["resnet10t", "mobilenetv3_small_050", "resnet18"]
    assert published_top1("resnet18@width=0.5") is None


def test_of_three_that_come_first_two_are_promising_and_one_lies_along_the_costs() -> None:
    students = [Promising(f"s{i}", 1.0 if i in (0, 8) else 0.0, float(i + 1)) for i in range(9)]
    order = most_promising_first(students)
    assert sorted(order) == [f"s{i}" for i in range(9)]
    assert order[0] == "s0"  # nothing as cheap promises more; s8 is no better, and dearer
    assert order[1] == "s8"
    assert order[2] == "s4"  # the middle of the costs
    assert most_promising_first([]) == []


def test_a_cheap_student_that_promises_little_is_on_the_front_all_the_same() -> None:
    students = [Promising("dear", 3.0, 10.0), Promising("cheap", -3.0, 1.0), Promising("bad", -4.0, 5.0)]
    assert most_promising_first(students)[:2] == ["cheap", "dear"]


def test_the_promising_come_in_the_order_of_comparing_each_with_each() -> None:
    rng = np.random.default_rng(0)
    students = [Promising(f"s{i}", float(rng.normal()), float(rng.lognormal())) for i in range(300)]

    def shortfall(one: Promising) -> float:
        return max(other.promise for other in students if other.cost <= SAME_COST * one.cost) - one.promise

    order = most_promising_first(students)
    place = {student: i for i, student in enumerate(order)}
    front = [student for student in students if shortfall(student) == 0]
    assert 2 < len(front) < 50
    assert max(place[student.student] for student in front) < 1.5 * len(front)  # two of three places are theirs
    assert sorted(order) == sorted(place)


def test_agreement_is_told_of_enough_students_only() -> None:
    rising = [float(i) for i in range(FEWEST)]
    assert agreement(rising, rising) == pytest.approx(1)
    assert agreement(rising, rising[::-1]) == pytest.approx(-1)
    assert agreement(rising[1:], rising[1:]) is None
    assert agreement([0.0] * FEWEST, rising) is None
