"""Search spaces: what loads, which students that is, and what is refused, on which line and with which remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from autokd.errors import SpaceError
from autokd.training.losses import soft_loss
from autokd.tune.space.default_recipe import default_recipe
from autokd.tune.space.files import examine, read_space, shipped_spaces
from autokd.tune.space.space import Space, as_read

ONE = '[students]\ninclude = ["resnet18"]\n'


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "space.toml"
    path.write_text(text)
    return str(path)


# ---- students --------------------------------------------------------------------------------------------------


def names(tmp_path: Path, text: str) -> list[str]:
    return read_space(write(tmp_path, text)).names()


def test_patterns_and_exclusions(tmp_path: Path) -> None:
    text = '[students]\ninclude = ["test_conv*", "resnet18"]\nexclude = ["*3", "*convnext3"]'
    assert names(tmp_path, text) == ["test_convnext", "test_convnext2", "resnet18"]


def test_families_are_added_and_taken_out_whole(tmp_path: Path) -> None:
    levits = names(tmp_path, '[students]\nfamilies = ["levit"]')
    assert {"levit_128", "levit_384"} <= set(levits)
    assert all(name.startswith("levit") for name in levits)
    without = '[students]\ninclude = ["resnet18", "levit_128"]\nexclude_families = ["levit"]'
    assert names(tmp_path, without) == ["resnet18"]


def test_every_combination_of_factors_is_a_student(tmp_path: Path) -> None:
    text = '[[students.scaled]]\nmodel = "resnet18"\nwidth = [0.5, 1]\ndepth = [1.0, 0.5]'
    assert names(tmp_path, text) == [
        "resnet18@width=0.5",
        "resnet18",
        "resnet18@width=0.5+depth=0.5",
        "resnet18@depth=0.5",
    ]
    assert names(tmp_path, text + '\n[students]\nexclude = ["*width*"]') == ["resnet18", "resnet18@depth=0.5"]


def test_students_with_settings_and_tags_are_named_as_they_are(tmp_path: Path) -> None:
    given = ["resnet18@output_stride=8", "resnet18.a1_in1k"]
    assert names(tmp_path, f"[students]\ninclude = {given}") == given


# ---- recipes ---------------------------------------------------------------------------------------------------


def test_temperatures_follow_the_number_of_classes(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, ONE))
    assert (space.temperature(10).low, space.temperature(10).high) == (1.0, 20.0)
    assert (space.temperature(1000).low, space.temperature(1000).high) == (0.5, 4.0)


def test_every_parameter_takes_a_range_or_a_number(tmp_path: Path) -> None:
    both = "learning_rate = 0.002\nweight_decay = { low = 0.01, high = 0.1, log = true }\nmixup = 0.2\ncutmix = 0\n"
    text = f"{ONE}[recipe.direct]\n{both}[recipe.distill]\n{both}temperature = 4\nalpha = {{ low = 0.5, high = 0.9 }}\n"
    space = read_space(write(tmp_path, text))
    direct, distill = space.ranges("direct", 10), space.ranges("distill", 10)
    assert list(direct) == ["learning_rate", "fine_tuning_rate", "weight_decay", "mixup", "cutmix"]
    assert list(distill) == [*direct, "temperature", "alpha"]
    assert {name for name, bounds in distill.items() if not bounds.is_fixed} == {
        "fine_tuning_rate",
        "weight_decay",
        "alpha",
    }
    assert [distill[name].low for name in ("learning_rate", "mixup", "cutmix", "temperature")] == [0.002, 0.2, 0, 4]
    assert str(distill["weight_decay"]) == "0.01 to 0.1, logarithmic"


def test_only_rates_of_starts_that_there_are_are_searched() -> None:
    space = Space.model_validate({"students": {"include": ["a"]}})
    assert space.ranges("direct", 10, {False}).keys() == {"learning_rate"}
    assert space.ranges("direct", 10, {True}).keys() == {"fine_tuning_rate"}
    assert space.ranges("direct", 10, {True, False}).keys() == {"learning_rate", "fine_tuning_rate"}


def test_beta_is_searched_with_dkd_alone() -> None:
    space = Space.model_validate({"students": {"include": ["a"]}, "recipe": {"distill": {"losses": ["kl", "dkd"]}}})
    assert "beta" in space.ranges("distill", 10)
    assert "beta" not in Space.model_validate({"students": {"include": ["a"]}}).ranges("distill", 10)


# ---- problems --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[students]\ninclude = lcnet", "line 2: this is not valid TOML: Invalid value"),
        ("[students]\ninclude = []", "line 2: `include` in [students] is empty; add to it, or remove it"),
        ("[students]\n", "line 1: [students]: it names no students; write for example include"),
        ("[recipe.direct]\n", ": [students] is missing; add it"),
        (ONE + "[recipes]\n", "line 3: [recipes] is not a known key; did you mean recipe?"),
        (
            ONE + "[recipe.distill]\ntemprature = 4",
            "line 4: `temprature` in [recipe.distill] is not a known key; did you mean temperature?",
        ),
        (
            ONE + "[recipe.direct]\ntemperature = 4",
            "line 4: `temperature` in [recipe.direct] is for distilling alone; move it to [recipe.distill]",
        ),
        (
            ONE + "[recipe.direct]\nlearning_rate = { lo = 1, low = 1, high = 2 }",
            "line 4: `lo` of learning_rate in [recipe.direct] is not a known key; did you mean low?",
        ),
        (
            ONE + "[recipe.distill]\nalpha = { low = 0.9, high = 0.5 }",
            "line 4: `alpha` in [recipe.distill]: the range is empty, low 0.9 is above high 0.5; swap them",
        ),
        (
            ONE + "[recipe.distill]\nalpha = { low = 0.1, high = 0.5 }",
            "line 4: `alpha` in [recipe.distill]: it must lie in 0.3 to 1; below 0.3 the teacher has so little",
        ),
        (ONE + "[recipe.distill]\nalpha = 1.5", "it must lie in 0.3 to 1"),
        (
            ONE + "[recipe.direct]\nlearning_rate = { low = 0, high = 1, log = true }",
            "line 4: `learning_rate` in [recipe.direct]: low 0 has no logarithm; raise it above 0",
        ),
        (ONE + "[recipe.direct]\nlabel_smoothing = 1", "`label_smoothing` in [recipe.direct]: it must be below 1"),
        (ONE + "[recipe.distill]\nlabel_smoothing = -0.1", "`label_smoothing` in [recipe.distill]: it must be 0 or"),
        (
            ONE + '[recipe.direct]\nschedules = ["cosine", "step"]',
            "line 4: `schedules` in [recipe.direct] should be 'cosine', 'linear' or 'constant', not 'step'",
        ),
        (ONE + '[recipe.direct]\nschedule = "linear"', "is not a known key; did you mean schedules?"),
        (ONE + "[recipe.direct]\nschedules = []", "line 4: `schedules` in [recipe.direct] is empty; add to it"),
        (
            ONE + '[recipe.distill]\nschedules = ["linear", "linear"]',
            "line 4: `schedules` in [recipe.distill] names one of them twice",
        ),
        (
            ONE + '[[first]]\narm = "direct"\nschedule = "linear"',
            "line 5: `schedule` in [[first]]: linear is not searched; add it to schedules in [recipe.direct] (cosine)",
        ),
        (
            ONE + "[recipe.direct]\nlabel_smoothing = { low = 0, high = 0.2 }\n"
            '[[first]]\narm = "direct"\nlabel_smoothing = 0.3',
            "0.3 is outside of what is searched (0 to 0.2)",
        ),
        (ONE + '[default]\nschedule = "fast"', "`schedule` in [default] should be 'cosine', 'linear' or 'constant'"),
        (ONE + "[recipe.direct]\nlearning_rate = 0", "`learning_rate` in [recipe.direct]: it must be above 0"),
        (ONE + "[recipe.direct]\ncutmix = { low = -1, high = 1 }", "it must be 0 or above"),
        (ONE + '[recipe.direct]\nweight_decay = "0.1"', "line 4: `weight_decay` in [recipe.direct]: it takes a number"),
        (ONE + "[recipe.direct]\nweight_decay = true", "it takes a number, or a range such as { low = 0.1"),
        (ONE + '[recipe.direct]\nweight_decay = { low = "0", high = 1 }', "`low` of weight_decay in [recipe.direct]"),
        (ONE + "[recipe.direct]\nlearning_rate = { low = nan, high = 1 }", "should be a finite number"),
        (
            ONE + '[recipe.distill]\nlosses = [\n  "kl",\n  "kd",\n]',
            "line 6: `losses` in [recipe.distill] should be 'kl', 'kl_zscore', 'dist', 'dkd' or 'hard', not 'kd'",
        ),
        (
            ONE + '[recipe.distill]\nlosses = ["kl", "kl"]',
            "line 4: `losses` in [recipe.distill] names one of them twice",
        ),
        (
            ONE + '[recipe.distill]\nlosses = ["dkd"]\nmixup = { low = 0, high = 1 }',
            "line 4: `losses` in [recipe.distill]: dkd needs one label an image; leave out dkd, or mixup and cutmix",
        ),
        (
            ONE + '[[first]]\nalpha = 0.5\n[[first]]\nloss = "dist"',
            "line 6: `loss` in [[first]]: dist is not searched; add it to losses in [recipe.distill] (kl)",
        ),
        (ONE + '[[first]]\narm = "direct"\nloss = "kl"', "line 5: `loss` in [[first]] is for the distill arm"),
        (ONE + '[[first]]\narm = "direct"\nalpha = 0.5', "line 5: `alpha` in [[first]] is not a known key"),
        (
            ONE + '[[first]]\nstudnt = "resnet18"',
            "line 4: `studnt` in [[first]] is not a known key; did you mean student?",
        ),
        (ONE + "[[first]]\nalpha = 0.1", "line 4: `alpha` in [[first]]: it must lie in 0.3 to 1"),
        (
            ONE + "[[first]]\nlearning_rate = 0.01",
            "line 4: `learning_rate` in [[first]]: 0.01 is outside of what is searched (0.0003 to 0.006, logarithmic)",
        ),
        (ONE + "[[first]]\nweight_decay = 0.1", "is not searched without a range in [recipe.distill]; add that"),
        (ONE + "[[first]]\nbeta = 2", "is not searched without the loss dkd"),
        (
            ONE + '[[first]]\nstudent = "resnet34"',
            "line 4: `student` in [[first]]: resnet34 is not one of this space's students; include it",
        ),
        (
            ONE + "[default]\ntemperatur = 4",
            "line 4: `temperatur` in [default] is not a known key; did you mean temper",
        ),
        (ONE + "[default]\nlearning_rate = 0", "line 4: `learning_rate` in [default]: it must be above 0"),
        (ONE + '[default]\nloss = "dkd"\nmixup = 0.2', "line 3: [default]: dkd needs one label an image"),
        ('[students]\ninclude = [\n  "lcnet_050",\n  "resnet1888",\n]', "line 4: resnet1888 is not a timm model; did"),
        ("[students]\ninclude = [\n  'nosuch*']", "line 3: 'nosuch*' matches no timm model; correct or remove it"),
        ('[students]\nfamilies = ["resnets"]', "line 2: 'resnets' is not a family of timm models; did you mean resnet"),
        (ONE + 'exclude = ["resnet19"]', "line 3: 'resnet19' in exclude excludes no student; correct or remove it"),
        (ONE + 'exclude_families = ["levit"]', "line 3: 'levit' in exclude_families excludes no student"),
        (ONE + 'exclude = ["resnet18"]', "line 1: [students]: every included student is excluded"),
        ('[[students.scaled]]\nmodel = "lcnet_050"\nwidth = [0.5]', "line 2: lcnet_050 cannot be scaled"),
        ('[[students.scaled]]\nmodel = "resnet1"', "line 2: resnet1 is not a timm model; did you mean"),
        ('[[students.scaled]]\nmodel = "resnet18@patch_size=2"', "leave out what follows @"),
        (
            '[[students.scaled]]\nmodel = "resnet18"\nwidth = [0]',
            "line 3: `width` in [[students.scaled]] should be great",
        ),
        ("[[students.scaled]]\nwidth = [0.5]", "line 1: `model` in [[students.scaled]] is missing; add it"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_the_remedy(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SpaceError) as error:
        read_space(path)
    assert str(error.value).startswith(path)
    assert says in str(error.value)


def test_all_problems_are_listed_by_line_and_a_search_names_the_first(tmp_path: Path) -> None:
    text = '[students]\ninclude = ["resnet1888"]\n[recipe.distill]\nalpha = "high"\nlosses = ["kd"]\n'
    path = write(tmp_path, text)
    space, problems = examine(Path(path))
    assert space is None
    assert [problem.partition(": ")[0] for problem in problems] == [f"{path}, line {n}" for n in (2, 4, 5)]
    with pytest.raises(SpaceError, match=r"resnet1888 .* \(and 2 more: autokd spaces validate"):
        read_space(path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="neither a file nor one of"):
        read_space("nowhere")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(SpaceError, match="save it as UTF-8"):
        read_space(str(tmp_path / "latin.toml"))


# ---- shipped ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_is_sound_and_searches_the_same_recipes(name: str) -> None:
    space = read_space(name)
    assert len(space.names()) >= 12
    assert space.ranges("direct", 10).keys() == {"learning_rate", "fine_tuning_rate", "label_smoothing", "mixup"}
    assert (space.recipe.direct.schedules, space.recipe.distill.schedules) == (("cosine", "linear"), ("cosine",))
    assert space.ranges("distill", 10).keys() == {"temperature", "alpha", "learning_rate", "fine_tuning_rate"}
    assert space.firsts("distill") == [
        {"loss": "kl", "temperature": 4.0, "alpha": 0.9},
        {"loss": "kl", "temperature": 1.0, "alpha": 0.5},
        {"loss": "kl", "temperature": 2.0, "alpha": 1.0},
        {"loss": "dist", "temperature": 1.0, "alpha": 0.67},
    ]
    assert space.firsts("direct") == [
        {"schedule": "cosine", "label_smoothing": 0.0, "mixup": 0.0},
        {"schedule": "cosine", "label_smoothing": 0.1, "mixup": 0.0},
        {"schedule": "linear", "label_smoothing": 0.0, "mixup": 0.0},
        {"schedule": "cosine", "label_smoothing": 0.1, "mixup": 0.2},
    ]


def test_the_example_is_sound() -> None:
    space = read_space(str(Path(__file__).parents[2] / "examples" / "my_space.toml"))
    assert len(space.names()) >= 5


@pytest.mark.parametrize("page", ["README.md", "docs/search-spaces.md", "docs/how-to.md"])
def test_examples_in_the_documents_are_sound(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        assert read_space(write(tmp_path, block)).names()


# ---- two classes -----------------------------------------------------------------------------------------------

TWO = """[recipe.distill]
losses = ["kl_zscore", "dist", "hard"]
[[first]]
loss = "dist"
alpha = 1.0
[[first]]
loss = "hard"
[default]
loss = "kl_zscore"
"""


def test_losses_without_gradient_over_two_classes_are_replaced(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, ONE + TWO))
    assert space.suited(3) == (space, None)
    suited, remark = space.suited(2)
    assert remark is not None
    assert remark.startswith("kl_zscore and dist compare how classes correlate, which says nothing with two of them")
    assert suited.recipe.distill.losses == ("kl", "hard")
    assert [first["loss"] for first in suited.firsts("distill")] == ["kl", "hard"]
    assert default_recipe(suited, "distill")["loss"] == "kl"
    assert read_space(write(tmp_path, ONE)).suited(2)[1] is None


def gradient(over_classes: Callable[[Tensor, Tensor], Tensor], classes: int) -> float:
    student = torch.randn(16, classes, generator=torch.manual_seed(0), requires_grad=True)
    over_classes(student, torch.randn(16, classes, generator=torch.manual_seed(1))).backward()
    assert student.grad is not None
    return float(student.grad.norm())


def test_a_correlation_over_two_classes_moves_nothing() -> None:
    def zscore(student: Tensor, teacher: Tensor) -> Tensor:
        return soft_loss(student, teacher, 1.0, "kl_zscore")

    def over_classes(student: Tensor, teacher: Tensor) -> Tensor:
        """The first half of `dist`: one image at a time, so that there is nothing to correlate over images."""
        rows = zip(student, teacher, strict=True)
        return torch.stack([soft_loss(own[None], other[None], 1.0, "dist") for own, other in rows]).sum()

    for loss in (zscore, over_classes):
        assert gradient(loss, 2) < 1e-3 < 1e-2 < gradient(loss, 3)


def test_dist_keeps_a_share_of_the_labels() -> None:
    assert as_read({"loss": "dist", "alpha": 1.0, "temperature": 2.0})["alpha"] == 0.9
    assert as_read({"loss": "dist", "alpha": 0.5, "temperature": 2.0})["alpha"] == 0.5
    assert as_read({"loss": "kl", "alpha": 1.0, "temperature": 2.0})["alpha"] == 1.0
