"""The default recipe of an arm, which is confirmed next to the arm's own best ones."""

from __future__ import annotations

from typing import Any

from autokd.records import Arm
from autokd.training.presets import preset
from autokd.tune.space.space import RATES, Space, as_read, at_its_rate

USUAL = {"temperature": 4.0, "alpha": 0.9}


def default_rates(space: Space, arm: Arm, family: str = "") -> dict[str, float]:
    """The learning rates of the arm's default recipe for a timm family, by their names in the space."""
    return {name: value for name, value in _values(space, arm, family).items() if name in RATES.values()}


def default_recipe(space: Space, arm: Arm, fine_tuning: bool = False, family: str = "") -> dict[str, Any]:
    """Fields of the arm's default recipe: from [default], else what is fixed, else the usual values.

    fine_tuning: for a student that starts from given weights. family: the student's timm module.
    """
    section, default, values = space.recipe.of(arm), space.default, _values(space, arm, family)
    named: dict[str, Any] = {name: values[name] for name in type(section).model_fields if name in values}
    fields = at_its_rate(named, fine_tuning)
    schedules = section.schedules
    fields["schedule"] = default.schedule or ("cosine" if "cosine" in schedules else schedules[0])
    if arm == "direct":
        return fields
    losses = space.recipe.distill.losses
    return as_read({**fields, "loss": default.loss or ("kl" if "kl" in losses else losses[0])})


def _values(space: Space, arm: Arm, family: str) -> dict[str, float]:
    usual = {**USUAL, **{name: preset(fine_tuning, family).rate for fine_tuning, name in RATES.items()}}
    fixed = {name: bounds.low for name, bounds in space.recipe.of(arm).given().items() if bounds.is_fixed}
    return {**usual, **fixed, **space.default.values}
