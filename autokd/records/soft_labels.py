"""What came of writing soft labels: where they lie and what they cost."""

from __future__ import annotations

from autokd.records.base import Record


class SoftLabelSet(Record):
    """Where soft labels lie and what they cost, or that the teacher runs live; plain data that any worker can open."""

    folder: str  # nothing is in it where the teacher runs live
    views: int  # that are stored; with fewer than wanted, epochs see them again in turn
    wanted: int  # one for every epoch of a trial
    reused: int  # views that an earlier run has written
    seconds: float  # device seconds of what was written now
    total_seconds: float  # device seconds of all these views, whenever they were written
    live: bool = False  # the teacher runs in every distilled training, whose seconds contain its own
    remarks: tuple[str, ...] = ()  # what a reader of the report should know about them

    @property
    def cycle(self) -> int | None:
        """After how many epochs views come again to a distilled student and its twin.

        None: never, because the teacher runs live.
        """
        return None if self.live else self.views
