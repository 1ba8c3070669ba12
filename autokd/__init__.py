"""Distill a smaller model, train a small one directly, or keep the teacher: a compression search with a verdict.

The public API, loaded when first used:

    result = autokd.search(teacher="resnet152", max_cost=0.01)
    result = autokd.load_run("reports/...")
    result = autokd.confirm("reports/...", seeds=5)
    table = autokd.compare(["reports/...", "reports/..."])
    plan = autokd.estimate(teacher="resnet152", max_cost=0.01)
    costs = autokd.measure(["resnet152", "resnet18"], classes=10, output="costs.json")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autokd.api import confirm, estimate, measure, search
    from autokd.config import SearchConfig
    from autokd.result import SearchResult, compare, load_run

__all__ = [
    "SearchConfig",
    "SearchResult",
    "__version__",
    "compare",
    "confirm",
    "estimate",
    "load_run",
    "measure",
    "search",
]

_HOMES = {
    "SearchConfig": "autokd.config",
    "SearchResult": "autokd.result",
    "compare": "autokd.result",
    "confirm": "autokd.api",
    "estimate": "autokd.api",
    "load_run": "autokd.result",
    "measure": "autokd.api",
    "search": "autokd.api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("autokd")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'autokd' has no attribute {name!r}")
