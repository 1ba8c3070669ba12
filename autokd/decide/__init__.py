"""The verdict: statistics, economics and policy as pure functions of the records of a run."""

from autokd.decide.decision import decide, shown_finalists
from autokd.decide.evidence import Evidence, read_evidence

__all__ = ["Evidence", "decide", "read_evidence", "shown_finalists"]
