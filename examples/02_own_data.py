"""A search on an image folder with a teacher whose weights lie in a file.

    python examples/02_own_data.py IMAGES WEIGHTS --teacher resnet50 --max-cost 0.01 --plan
    python examples/02_own_data.py IMAGES WEIGHTS --teacher resnet50 --max-cost 0.01

IMAGES holds train/CLASS/IMAGE and, better than a cut from training, test/CLASS/IMAGE. WEIGHTS is a safetensors file or
a state dict of the teacher, with its classes in the order of the class folders. --plan trains nothing.
"""

from __future__ import annotations

import argparse
from typing import Any

import autokd
from autokd.errors import AutokdError


def main() -> None:
    """Read the command line, then plan or search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", help="image folder")
    parser.add_argument("weights", help="weights of the teacher on these classes")
    parser.add_argument("--teacher", default="resnet50", help="timm name of the teacher")
    parser.add_argument("--max-cost", type=float, default=0.01, help="US dollars per 1,000 requests")
    parser.add_argument("--teacher-size", type=int, help="pixels a side that the teacher is served at")
    parser.add_argument("--image-size", type=int, help="pixels a side of the students' images")
    parser.add_argument("--plan", action="store_true", help="say what a search would do and cost, and train nothing")
    arguments = parser.parse_args()
    settings: dict[str, Any] = {
        "teacher": arguments.teacher,
        "max_cost": arguments.max_cost,
        "data": arguments.images,
        "teacher_weights": arguments.weights,
        "teacher_size": arguments.teacher_size,
        "image_size": arguments.image_size,
    }
    try:
        if arguments.plan:
            show(autokd.estimate(**settings))
        else:
            result = autokd.search(**settings)
            print(f"{result.verdict} ({result.strength}): {result.summary}")
            print(f"Report: {result.path / 'report.html'}")
    except AutokdError as error:
        parser.exit(error.exit_code, f"{error}\n")


def show(plan: Any) -> None:
    """Print a plan in a few lines."""
    print(f"{len(plan.candidates)} candidates, {len(plan.left_out)} students left out for an arm or for both")
    for stage in plan.stages:
        print(f"  {stage.name}: {stage.work}, about {stage.seconds:.0f} s, ${stage.usd:.4f}")
    print(f"In all about {plan.seconds:.0f} s of device time, ${plan.usd:.4f}")


if __name__ == "__main__":
    main()
