"""The page says everything that was asked for, and which numbers a limit makes count."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision, make_policy, make_run
from made_audit import make_audit
from test_page import Reading

from autokd.records import Policy
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.sections.policy import asked, policy_pairs, what_moves

OPTIONS = {  # name -> a value that is not the default, its words in the sentence and in the group
    "max_cost": (0.0123, "a budget of $0.0123 per 1,000 requests", "$0.0123 per 1,000 requests"),
    "min_retention": (0.973, "a required retention of 97.3 %", "97.3 %"),
    "min_gain": (0.01, "differences of 1.00 points to matter", "1.00 points"),
    "max_regret": (0.02, "at most 2.00 points at stake in a strong verdict", "2.00 points"),
    "prefer": ("savings", "savings before accuracy", "savings"),
    "max_latency_ms": (25.0, "a p95 latency limit of 25 ms", "25 ms"),
    "requests_per_month": (3e6, "3 M requests a month over 12 months", "3,000,000 requests a month"),
    "horizon_months": (7.0, "1 M requests a month over 7 months", "7 months"),
    "adoption_usd": (250.0, "$250.00 for adopting another model", "$250.00"),
    "max_negative_flips": (0.025, "a limit of 2.5 % on negative flips", "2.5 %"),
    "min_class_recall": (0.8, "a required recall of 80 % in every class", "80 %"),
}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_no_option_of_the_policy_is_left_out_here() -> None:
    assert set(OPTIONS) == set(Policy.model_fields)


@pytest.mark.parametrize("name", list(OPTIONS))
def test_every_option_is_said_where_it_was_asked_for(name: str) -> None:
    value, in_sentence, in_group = OPTIONS[name]
    policy = Policy.model_validate({"max_cost": 1.0, "requests_per_month": 1e6, name: value})
    assert in_sentence in plain(asked(policy))
    assert in_group in [plain(text) for _, text in policy_pairs(policy)]


def test_what_was_not_asked_for_is_a_dash_and_not_in_the_sentence() -> None:
    policy = Policy(max_cost=0.01)
    assert plain(asked(policy)) == ("Asked for: a budget of $0.01 per 1,000 requests and a required retention of 95 %.")
    assert [text for _, text in policy_pairs(policy)].count("–") == 4  # latency, flips, recall, volume


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({}, ["None of it moves the verdict."]),
        (
            {"max_negative_flips": 0.02},
            ["each by its interval over all seeds: a limit of 2 % on negative flips."],
        ),
        (
            {"min_class_recall": 0.8},
            [
                "each by its interval over all seeds: a required recall of 80 % in every class.",
                "so the lowest class there can be another one than that of the limit.",
            ],
        ),
        (
            {"max_negative_flips": 0.02, "min_class_recall": 0.8},
            ["a limit of 2 % on negative flips and a required recall of 80 % in every class."],
        ),
    ],
)
def test_the_section_of_other_metrics_says_what_moves_the_verdict(
    tmp_path: Path, limits: dict[str, float], says: list[str]
) -> None:
    policy = make_policy(**limits)
    report = assemble(make_run(tmp_path / "run", [], histories=False), make_decision(), policy, audit=make_audit())
    words = Reading(render_html(report)).words
    assert all(each in words for each in says)
    assert ("None of it moves the verdict." in words) == (not limits)
    assert ("can be another one" in what_moves(policy)) == ("min_class_recall" in limits)
