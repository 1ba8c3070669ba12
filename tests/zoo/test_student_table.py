"""What `autokd students` lists, what it leaves out, and that it needs neither torch nor timm for that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import timm

from autokd.errors import ConfigError, UsageError
from autokd.progress import Silent
from autokd.zoo import catalogue as catalogue_module
from autokd.zoo import timm_names as names_module
from autokd.zoo.catalogue import FILE, Catalogue
from autokd.zoo.served_form import build_merged_on_meta
from autokd.zoo.student_table import Row, native_size, sorted_rows, students, why_left_out

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
    assert {row.image_size for row in rows.values()} == {32}


def test_published_weights_have_their_licence_and_accuracy():
    (row,) = [row for row in listed() if row.student == "regnety_004"]
    assert row.weights == {"tv2_in1k": "bsd-3-clause", "pycls_in1k": "mit"}
    assert (row.top1_weights, row.top1) == ("tv2_in1k", 75.588)


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
    rows = [Row(name, "resnet", 1, 2.0, 3, 4, 32, (), "") for name in ("b", "a")]
    assert [row.student for row in sorted_rows(rows, "macs")] == ["a", "b"]


def test_all_of_timm_where_no_names_are_given():
    rows = students("resnet18", 10, 32, 5, 20, family="lcnetv2")
    assert {row.student for row in rows} >= {"lcnetv2_small", "lcnetv2_base"}


def test_published_accuracies_are_sorted_from_the_best_down():
    rows = [
        Row(name, "resnet", 1, 2.0, 3, 4, 32, (), "", {}, top1) for name, top1 in (("a", 70), ("b", None), ("c", 80))
    ]
    assert [row.student for row in sorted_rows(rows, "top1")] == ["c", "a", "b"]


def test_what_is_left_out_is_counted_by_reason():
    assert why_left_out(listed(), 32) == {
        "it is the teacher itself": 1,
        "below 5x the smaller model is trained directly, without distilling": 1,
        "above 20x the gap is too large to bridge": 1,
        "32 px are too small an input": 1,
    }
    others = students("resnet152", 10, 224, 5, 20, names=["halonet26t", "crossvit_9_dagger_240", "crossvit_9_240"])
    assert why_left_out(others, 224) == {
        "224 px are too small an input": 1,
        "the input size is fixed at another one than 224 px": 1,
        "works at other sizes than 224 px": 1,
    }


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("resnet18", 224),
        ("convnext_small.in12k_ft_in1k_384", 384),
        ("resnet18@width=0.5", 224),
        ("efficientnet_b3", 288),
    ],
)
def test_a_model_is_taken_at_the_size_of_its_weights(model, size):
    assert native_size(model) == size == timm.get_pretrained_cfg(model.partition("@")[0]).input_size[-1]


def test_without_a_size_every_model_is_counted_at_its_own():
    rows = students("resnet152", 10, None, 5, 20, family="efficientvit_msra")
    teacher, built = parameters("resnet152"), {row.student: parameters(row.student) for row in rows}
    assert {row.student: row.parameters for row in rows} == built
    within = {name for name, count in built.items() if 5 <= teacher / count <= 20}
    assert {row.student for row in rows if "distill" in row.arms} == within
    assert within
    assert within != set(built)


def parameters(name: str) -> int:
    return sum(p.numel() for p in build_merged_on_meta(name, 10, native_size(name)).parameters())


def test_a_size_that_was_not_tried_is_counted_for_those_alone_that_may_be_students():
    class Ear(Silent):
        def __init__(self):
            self.totals = set()

        def advance(self, what, done, total, seconds_left):
            self.totals.add(total)

    ear = Ear()
    names = ["resnet152", "lcnet_050", "mobilenetv3_small_050", "vit_large_patch16_384"]
    rows = {row.student: row for row in students("resnet50", 10, 50, 5, 20, names=names, listener=ear)}
    assert ear.totals == {1}, "the teacher, and then no student"
    assert rows["lcnet_050"].parameters == parameters("lcnet_050")
    assert "larger than the teacher" in rows["resnet152"].reason
    assert rows["vit_large_patch16_384"].reason.startswith("at its own 384 px ")
    (row,) = students("resnet50", 10, 50, 5, 20, names=["regnety_004"])
    assert row.arms == ("distill", "direct")
    assert row.macs


def test_with_another_timm_models_are_counted_and_this_is_said(monkeypatch, tmp_path):
    content = json.loads(FILE.read_text(encoding="utf-8"))
    content["families"]["mobilenetv3"] = "other"
    (tmp_path / "catalogue.json").write_text(json.dumps(content))
    other = Catalogue(tmp_path / "catalogue.json", installed="99.0")

    class Ear(Silent):
        def __init__(self):
            self.notes = []

        def note(self, text):
            self.notes.append(text)

    expected = listed()
    monkeypatch.setattr(catalogue_module, "catalogue", lambda: other)
    monkeypatch.setattr("autokd.zoo.count.catalogue", lambda: other)
    monkeypatch.setattr("autokd.zoo.student_table.catalogue", lambda: other)
    monkeypatch.setattr("autokd.zoo.timm_names.catalogue", lambda: other)
    names_module.models.cache_clear()
    names_module.family_of.cache_clear()
    ear = Ear()
    rows = {row.student: row for row in listed(listener=ear)}
    assert [rows[row.student].parameters for row in expected] == [row.parameters for row in expected]
    assert rows["regnety_004"].weights, "a family that is the same is looked up"
    assert not rows["mobilenetv3_small_050"].weights
    assert ear.notes == [
        f"Models that are counted now, and kept: 1. timm 99.0 is installed, the catalogue was made from {other.timm}."
    ]
    names_module.models.cache_clear()
    names_module.family_of.cache_clear()


def test_all_of_timm_is_listed_without_torch_and_timm(tmp_path: Path):
    code = (
        "import sys\n"
        "from autokd.cli import cli\n"
        "cli.main(['students', '--teacher', 'resnet152', '--unfiltered', '--json'], standalone_mode=False)\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'timm')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown = {row["student"]: row for row in json.loads(done.stdout)}
    known = catalogue_module.catalogue()
    bodies = {name: known.get(name) for name in known.names()}
    counts = {name: entry.body + 10 * entry.per_class[0] for name, entry in bodies.items()}
    assert set(shown) == {name for name, count in counts.items() if 5 <= counts["resnet152"] / count <= 20}
    assert all(row["parameters"] == counts[name] for name, row in shown.items())
    assert all(row["macs"] > 0 and row["activations"] > 0 for row in shown.values())
