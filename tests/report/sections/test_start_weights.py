"""What the page and the tables say of the weights that students start from."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from believable_run import make_decision, make_finalists, make_policy, make_run, student_option, summarise

from autokd.records import FinalistRecord, FinalistSummary, Options, StartWeights
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.sections.finalists_and_trials import finalists_table, recipes_table
from autokd.report.sections.start_weights import hints, start
from autokd.runs.tables import write_finalists


def weights(source: str, licence: str | None = None, as_is: bool = False) -> StartWeights:
    return StartWeights(source=source, licence=licence, fingerprint="0123456789abcdef", key="k", as_is=as_is)


MORE, DISTILLED = (
    "its weights have seen more images than ImageNet-1k has",
    "its weights were distilled from another model",
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a1_in1k", []),
        ("lcnet_050.pth", []),
        ("dist_in1k", [DISTILLED]),
        ("bd_ssld_6m_in1k", [DISTILLED]),
        ("augreg_in21k_ft_in1k", [MORE]),
        ("sw_in12k_ft_in1k", [MORE]),
        ("fb_inw21k", [MORE]),
        ("ns_jft_in1k", [MORE]),
        ("fb_swsl_ig1b_ft_in1k", [MORE]),
        ("dist_in22k_ft_in1k", [DISTILLED, MORE]),
        ("tiny_vit_5m.dist_in22k.safetensors", [DISTILLED, MORE]),
    ],
)
def test_what_a_tag_tells(source: str, expected: list[str]) -> None:
    found = hints(weights(source))
    assert len(found) == len(expected)
    assert all(hint.startswith(start) for hint, start in zip(found, expected, strict=True))


def test_without_weights_there_is_nothing_to_tell() -> None:
    assert hints(None) == []
    assert start(None) == "random weights"
    assert start(weights("a1_in1k", "apache-2.0")) == "a1_in1k, apache-2.0"
    assert start(weights("mine.pth")) == "mine.pth"


@pytest.fixture
def finalists() -> list[FinalistRecord]:
    """The last one is a published model."""
    *trained, last = make_finalists()
    recipe = last.recipe.model_copy(update={"epochs": 0, "learning_rate": 0.0})
    changes = {"role": "published", "recipe": recipe, "seeds": last.seeds[:1], "trial": None}
    published = last.model_copy(update={**changes, "weights": weights("dist_in22k_ft_in1k", "mit", as_is=True)})
    return [trained[0].model_copy(update={"weights": weights("ra_in1k", "apache-2.0")}), *trained[1:], published]


def summaries(finalists: list[FinalistRecord]) -> tuple[FinalistSummary, ...]:
    return tuple(summarise(f).model_copy(update={"weights": f.weights}) for f in finalists)


def test_the_tables_name_weights_and_licence(finalists: list[FinalistRecord], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", finalists=finalists)
    decision = make_decision("use_small_model", finalists=summaries(finalists))
    report = assemble(run, decision, make_policy())
    table = recipes_table(report, finalists)
    place = [column.label for column in table.columns].index("Starts from")
    assert [row[place] for row in table.rows] == [
        "ra_in1k, apache-2.0", *["random weights"] * 3, "dist_in22k_ft_in1k, mit",
    ]  # fmt: skip
    results = finalists_table(report)
    assert results.rows[-1][2] == "published weights as they are"
    assert DISTILLED in results.notes[-1]
    assert MORE in results.notes[-1]
    write_finalists(tmp_path, finalists)
    rows = list(csv.DictReader((tmp_path / "finalists.csv").open()))
    assert rows[0]["weights"] == "ra_in1k, apache-2.0"
    assert rows[0]["weights_fingerprint"] == "0123456789abcdef"
    assert rows[3]["weights"] == rows[3]["weights_fingerprint"] == ""
    assert [row["epochs"] for row in rows if row["role"] == "published"] == ["0"]


@pytest.mark.parametrize("untrained", [True, False])
def test_the_page_does_not_say_train_where_nothing_is_trained(
    finalists: list[FinalistRecord], tmp_path: Path, untrained: bool
) -> None:
    run = make_run(tmp_path / "run", finalists=finalists)
    known = summaries(finalists)
    decision = make_decision("use_small_model", finalists=known)
    pick = student_option(known[-1] if untrained else known[3])
    decision = decision.model_copy(update={"options": Options(**{**dict(decision.options), "direct": pick})})
    page = render_html(assemble(run, decision, make_policy()), finalists=finalists)
    assert ("Use the small model as it is" in page) is untrained
    assert ("Use the small model directly" in page) is not untrained
    assert "1 of them published models, evaluated as they are" in page
