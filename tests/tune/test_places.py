"""Students as places that a sampler can learn from."""

from __future__ import annotations

import optuna
import pytest

from autokd.tune.places import Places, Student

STUDENTS = [
    Student("small conv", "conv", 1e6),
    Student("large conv", "conv", 1e7),
    Student("large conv too", "conv", 1e7),
    Student("vit", "vit", 3e6),
]


def test_every_student_is_found_again_at_its_place() -> None:
    places = Places(STUDENTS)
    for student in STUDENTS:
        assert places.at(places.place(student.name)) == student.name


def test_sizes_run_from_nought_to_one_by_their_logarithm() -> None:
    sizes = {student.name: Places(STUDENTS).place(student.name)["size"] for student in STUDENTS}
    assert sizes["small conv"] == 0
    assert sizes["large conv"] == pytest.approx(1)
    assert sizes["vit"] == pytest.approx(0.477, abs=1e-3)


def test_the_nearest_of_the_family_is_taken() -> None:
    places = Places(STUDENTS)
    assert places.at({"family": "conv", "size": 0.45}) == "small conv"
    assert places.at({"family": "conv", "size": 0.55}) == "large conv"
    assert places.at({"family": "vit", "size": 1.0}) == "vit"


def test_two_of_one_size_are_both_drawn() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    twins = Places([*STUDENTS[1:], Student("huge conv", "conv", 1e9)])
    assert {twins.draw(study.ask()) for _ in range(60)} == {s.name for s in STUDENTS[1:]} | {"huge conv"}


def test_one_student_alone_is_always_drawn() -> None:
    places = Places(STUDENTS[:1])
    study = optuna.create_study()
    assert [places.draw(study.ask()) for _ in range(3)] == ["small conv"] * 3
