"""What a seed does to a training, estimated from all finalists together.

Two or three seeds tell little about the variance between seeds: its t quantile is 12.7 or 4.3. How much seeds differ is
much the same for all students of a task, so every finalist's own variance is moderated by that of all (Smyth, Statist.
Appl. Genet. Mol. Biol. 2004, equation 3.1):

    moderated variance = (prior degrees * common + own degrees * own) / (prior degrees + own degrees)

and carries the degrees of freedom of both. It is never less than a finalist's own: one whose seeds differ more than
those of the others is taken at its word. Variances are compared relative to p (1 - p), the variance of one image's
correctness at accuracy p, because a student that is right on 70 % of the images differs more from seed to seed than
one that is right on 98 %. The common variance counts as few degrees of freedom, two for a difference of two
finalists, one for a single one: where variances differ fourfold the intervals
then still hold the truth in 93 % or more (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum

import numpy as np

from autokd.metrics import Correct

PRIOR = 2  # of a difference, whose two finalists err independently
PRIOR_OF_ONE = 1


@dataclass(frozen=True)
class SeedVariance:
    """The variance between seeds that all finalists have in common.

    relative: of an accuracy p, divided by p (1 - p); degrees: of freedom that it was estimated with.
    """

    relative: float
    degrees: int

    def moderated(self, own: float, own_degrees: int, accuracy: float, most: int = PRIOR) -> float:
        """The variance between seeds of one finalist, of which `own` was seen with so many degrees of freedom."""
        prior = self.prior(own_degrees, most)
        if prior == 0:
            return own
        return max(own, (prior * self.relative * image_spread(accuracy) + own_degrees * own) / (prior + own_degrees))

    def prior(self, own_degrees: int, most: int = PRIOR) -> int:
        """Degrees of freedom that the other finalists add to a finalist's own."""
        return max(0, min(most, self.degrees - own_degrees))


def common_variance(finalists: Iterable[Correct]) -> SeedVariance | None:
    """Of all finalists, each [seeds, images], with two seeds or more; None where there is none."""
    seen = [correct.mean(axis=1) for correct in finalists if len(correct) > 1]
    degrees = sum(len(accuracies) - 1 for accuracies in seen)
    if not degrees:
        return None
    total = fsum((len(a) - 1) * float(a.var(ddof=1)) / image_spread(float(a.mean())) for a in seen)
    return SeedVariance(relative=total / degrees, degrees=degrees)


def image_spread(accuracy: float) -> float:
    """Variance of one image's correctness; at the ends as for an accuracy of 0.1 %, so that nothing is certain."""
    p = float(np.clip(accuracy, 0.001, 0.999))
    return p * (1 - p)
