"""What a source notes of jobs that failed: which are tried again, and when it is not the students' fault any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import MAX_RETRIES

FAILURES_IN_A_ROW = 3  # that end a stage where nothing in the trainings explains them: no student is to blame


class FailuresOfJobs:
    """Of one source."""

    def __init__(self) -> None:
        self._times: Counter[Hashable] = Counter()
        self.in_a_row: dict[int, str] = {}  # without a cause of their own, since anything went well; by number

    def again(self, job: Hashable, retry: bool) -> bool:
        """Whether a job that has failed just now is tried again."""
        self._times[job] += 1
        return retry and self._times[job] <= MAX_RETRIES

    def went_well(self) -> None:
        """A training has done an epoch, or failed for a reason of its own."""
        self.in_a_row.clear()

    def too_many(self, number: int, failure: Failure) -> bool:
        """Whether this one, which is not tried again, is the last of too many in a row."""
        if failure.cause == "training":
            self.went_well()
            return False
        self.in_a_row[number] = failure.text
        return len(self.in_a_row) >= FAILURES_IN_A_ROW
