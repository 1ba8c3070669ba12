"""What the report says of decoding on the serving machine."""

from __future__ import annotations

from believable_run import make_decision, make_policy

from autokd.records import Decoding
from autokd.report.assemble import assemble
from autokd.report.sections.cost_assumptions import decoding
from autokd.runs.folder import Run

TOLD = Decoding(milliseconds=10.0, cores=2)  # 200 images a second


def test_the_report_says_what_is_left_of_the_factor(finished: Run) -> None:
    report = assemble(finished, make_decision(), make_policy())
    teacher = report.options.teacher.model_copy(update={"capacity_rps": 20.0, "student": "big"})
    direct = report.options.direct.model_copy(update={"capacity_rps": 200.0, "student": "small"})
    options = report.options.model_copy(update={"teacher": teacher, "direct": direct, "distilled": None})
    asked = report.model_copy(
        update={
            "options": options,
            "decoding": TOLD,
            "verdict": "use_small_model",
            "cost_model": report.cost_model.model_copy(update={"device": "cpu"}),
        }
    )
    assert decoding(asked) == (
        "Decoding and resizing one of your images takes 10 ms of one core, not counted here. With it on the same 2 "
        "cores, big would serve 18.2 instead of 20 requests a second and small 100 instead of 200: 5.5 times as many, "
        "not 10.0."
    )
    assert decoding(report) is None
