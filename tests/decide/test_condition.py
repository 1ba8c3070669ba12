"""The condition of a recommended student: what pays it back, and at which volumes whole machines keep the verdict."""

from __future__ import annotations

import pytest

from autokd.decide.dials import WHOLE_REPLICAS
from autokd.decide.explain.condition import _with_whole_machines
from autokd.decide.sensitivity import Change, Region


def change(near: float, *, upwards: bool = False, dial: str = "volume", billed: str = WHOLE_REPLICAS) -> Change:
    return Change(dial, Region(near, None, "keep_teacher"), 1.0, f"With so many requests a month{billed}", upwards)


ONLY = "; with whole machines of your own only"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], ""),
        ([change(1e6, dial="price")], ""),
        ([change(1e6, billed="")], ""),
        ([change(540e6)], f"{ONLY} above 540 M requests a month"),
        ([change(540e6), change(7e6)], f"{ONLY} above 540 M requests a month"),
        ([change(2e9, upwards=True)], f"{ONLY} below 2,000 M requests a month"),
        ([change(2e9, upwards=True), change(5e6)], f"{ONLY} between 5 M and 2,000 M requests a month"),
        ([change(5e6, upwards=True), change(5e6)], "; not with whole machines of your own"),
        ([change(1.0, upwards=True)], "; not with whole machines of your own"),
    ],
)
def test_the_volumes_at_which_whole_machines_keep_the_verdict(found: list[Change], words: str) -> None:
    assert _with_whole_machines(found) == words
