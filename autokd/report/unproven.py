"""A teacher that is kept beside a worthwhile distilled student, because no gain from distilling is shown."""

from __future__ import annotations

from autokd.records import Report

WHY_NOT = "no gain from distilling is shown, and the teacher can be kept"


def is_unproven(report: Report) -> bool:
    """Whether that is so; a worthwhile direct student would have been recommended."""
    distilled = report.options.distilled
    return report.verdict == "keep_teacher" and distilled is not None and distilled.worthwhile
