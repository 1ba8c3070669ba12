import pytest

from autokd.zoo.catalogue import Count
from autokd.zoo.ratio_filter import out_of_range, sift

TEACHER = 100_000


def sifted(*parameters, teacher=None):
    counts = {f"m{p}": Count(p, 1, 1, 1, "resnet") for p in parameters}
    return sift(counts, TEACHER, 5, 20, teacher)


@pytest.mark.parametrize(
    ("parameters", "arms"),
    [
        (4_999, ()),
        (5_000, ("distill", "direct")),
        (20_000, ("distill", "direct")),
        (20_001, ("direct",)),
        (100_000, ("direct",)),
        (100_001, ()),
    ],
)
def test_ends_of_the_range_are_included(parameters, arms):
    allowed, _ = sifted(parameters)
    assert allowed.get(f"m{parameters}", ()) == arms


def test_reasons_carry_numbers():
    _, left_out = sifted(2_000, 40_000, 200_000)
    assert [entry.reason for entry in left_out] == [
        "50.0x smaller than the teacher: above 20x the gap is too large to bridge",
        "only 2.5x smaller than the teacher: below 5x the smaller model is trained directly, without distilling",
        "2.0x larger than the teacher: a student may not be larger",
    ]
    assert [entry.ratio for entry in left_out] == [50, 2.5, 0.5]


def test_a_reason_just_below_the_limit_does_not_round_up_to_it():
    _, (entry,) = sifted(20_001)
    assert "only 4.9998x smaller" in entry.reason


@pytest.mark.parametrize("teacher", ["m100000", "m100000.some_weights"])
def test_the_teacher_is_never_its_own_student(teacher):
    allowed, (entry,) = sifted(100_000, teacher=teacher)
    assert not allowed
    assert entry.reason == "it is the teacher itself"


def test_students_of_both_arms_are_not_left_out():
    allowed, left_out = sifted(10_000)
    assert allowed == {"m10000": ("distill", "direct")}
    assert left_out == ()


def test_a_scaled_version_of_the_teacher_is_another_model():
    counts = {"resnet18": Count(10_000, 1, 1, 1, "resnet"), "resnet18@width=0.35": Count(1_200, 1, 1, 1, "resnet")}
    arms, left_out = sift(counts, 10_000, 5, 20, "resnet18")
    assert arms == {"resnet18@width=0.35": ("distill", "direct")}
    assert left_out[0].reason == "it is the teacher itself"


def test_students_that_no_arm_would_take_need_no_counting_at_a_size_not_tried():
    small, large = ["lcnet_050"], ["resnet152", "vit_large_patch16_384"]
    others = ["resnet18", "vit_small_patch16_384", "resnet18@width=0.5"]
    found = out_of_range([*small, *large, *others], 10, 50, 25_000_000, 12)
    assert list(found) == [*small, *large]
    assert "above 12x" in found["lcnet_050"].reason
    assert found["resnet152"].parameters == 58_164_298
    assert found["vit_large_patch16_384"].reason.startswith("at its own 384 px 12.1x larger than the teacher")


def test_a_size_that_was_tried_needs_no_guess():
    assert out_of_range(["lcnet_050", "resnet152"], 10, 32, 25_000_000, 12) == {}
