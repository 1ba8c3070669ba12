"""The smallest complete search: resnet18 on the embedded digits, with little work for each step.

    python examples/01_search_digits.py

The settings are for a first look. With so few trials, epochs and test images, expect a weak verdict.
"""

from __future__ import annotations

from pathlib import Path

import autokd
from autokd.progress import Silent


class Printer(Silent):
    """A listener that prints stages and notes and ignores the rest."""

    def stage(self, title: str) -> None:
        """A new stage begins."""
        print(f"\n{title}")

    def note(self, text: str) -> None:
        """A sentence for the reader."""
        print(f"  {text}")


def main() -> None:
    """Search, then say what came of it."""
    result = autokd.search(
        teacher="resnet18",
        max_cost=0.01,
        space=str(Path(__file__).with_name("my_space.toml")),
        trials=4,
        epochs=4,
        seeds=2,
        finalists=1,
        listener=Printer(),
    )
    print(f"\n{result.verdict} ({result.strength}): {result.summary}")
    for name, option in (("direct", result.options.direct), ("distilled", result.options.distilled)):
        if option is not None:
            print(f"  {name}: {option.student}, {option.accuracy.mean:.1%}, ${option.cost_usd_per_1k:.3g} per 1,000")
    print(f"Report: {result.path / 'report.html'}")


if __name__ == "__main__":
    main()
