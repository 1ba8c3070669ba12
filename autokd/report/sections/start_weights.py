"""The weights that students start from, as the tables say it."""

from __future__ import annotations

import re

from autokd.records import Option, Report, StartWeights

DISTILLED = frozenset({"dist", "distilled", "ssld"})
MORE_IMAGES = re.compile(r"in\w?(12|21|22)k|jft|ig1b|yfcc|laion|webli|openai|dfn|datacomp|cc12m|lvd|m30m|m38m|merged")


def start(weights: StartWeights | None) -> str:
    """Source and licence, or that there were none."""
    return "random weights" if weights is None else weights.label


def hints(weights: StartWeights | None) -> list[str]:
    """What the name of published weights tells of their training beyond ImageNet's labels."""
    words = re.split(r"[._]", weights.source) if weights else []
    found = []
    if DISTILLED.intersection(words):
        found.append("its weights were distilled from another model already")
    if any(MORE_IMAGES.match(word) for word in words):
        found.append("its weights have seen more images than ImageNet-1k has")
    return found


def is_untrained(report: Report, option: Option | None) -> bool:
    """Whether an option is a published model that is used as it is."""
    return option is not None and any(f.role == "published" and f.number == option.finalist for f in report.finalists)
