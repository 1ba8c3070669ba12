import pytest

from autokd.errors import ConfigError, UsageError
from autokd.zoo.listing import Row, sorted_rows, students

NAMES = ["resnet50", "mobilenetv3_small_050", "regnety_004", "inception_v3", "resnet18"]


def listed(**options):
    return students("resnet50", 10, 32, 5, 20, names=NAMES, **options)


def test_rows_say_what_each_model_would_be():
    rows = {row.student: row for row in listed()}
    assert rows["regnety_004"].arms == ("distill", "direct")
    assert rows["regnety_004"].reason == ""
    assert rows["resnet18"].arms == ("direct",)
    assert "below 5x" in rows["resnet18"].reason
    assert rows["resnet50"].reason == "it is the teacher itself"
    assert "above 20x" in rows["mobilenetv3_small_050"].reason
    assert rows["inception_v3"].parameters is None
    assert "forward pass fails" in rows["inception_v3"].reason


def test_rows_are_sorted_by_the_column_with_unusable_models_last():
    assert [row.student for row in listed(sort="parameters")] == [
        "mobilenetv3_small_050",
        "regnety_004",
        "resnet18",
        "resnet50",
        "inception_v3",
    ]


def test_one_family():
    assert [row.student for row in listed(family="resnet")] == ["resnet50", "resnet18"]


def test_unknown_names_families_and_columns_are_refused():
    with pytest.raises(ConfigError, match=r"families are .*regnet"):
        listed(family="resnets")
    with pytest.raises(ConfigError, match="choose one of student"):
        listed(sort="speed")
    with pytest.raises(UsageError, match="did you mean"):
        students("resnet50", 10, 32, 5, 20, names=["resnet125"])


def test_equal_values_are_sorted_by_name():
    rows = [Row(name, "resnet", 1, 2.0, 3, (), "") for name in ("b", "a")]
    assert [row.student for row in sorted_rows(rows, "macs")] == ["a", "b"]


def test_all_of_timm_where_no_names_are_given():
    rows = students("resnet18", 10, 32, 5, 20, family="lcnetv2")
    assert {row.student for row in rows} >= {"lcnetv2_small", "lcnetv2_base"}
