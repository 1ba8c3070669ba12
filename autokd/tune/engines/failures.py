"""What ended a training: the training itself, its worker, or trouble of the machine that would end any other too."""

from __future__ import annotations

import traceback
from typing import Literal

from autokd.errors import AutokdError, ChangedData, MachineError, TrainingError
from autokd.files import is_full
from autokd.memory import asked, is_machine_memory, is_memory
from autokd.naming import named, set_to
from autokd.records import Record


class Failure(Record):
    """Why a training has no outcome, in one line.

    cause: "training" (it diverged, or needs more memory than the device has), "worker" (its process died), "memory" (of
    the machine), "machine" (disk, permissions, lost files), "data" (an image that changed), or "other" (an error that
    nobody expected).
    """

    cause: Literal["training", "worker", "memory", "machine", "data", "other"]
    text: str

    def check_machine(self) -> None:
        """Raises MachineError or ChangedData for what would hit any other training too; the controller calls it."""
        again = f"go on with {set_to('resume', True)}"
        if self.cause == "memory":
            raise MachineError(
                f"there is not enough memory for a training{asked(self.text)}; {again} and fewer {named('workers')}, "
                f"or on a machine with more (a new search with a smaller {named('batch_size')} or "
                f"{named('image_size')} needs less)"
            )
        if self.cause == "data":
            raise ChangedData(self.text)
        if self.cause == "machine":
            raise MachineError(f"a training had to stop: {self.text}; mend that, and {again}")


def failure_of(error: Exception) -> Failure:
    """What an error that a training raised says of it."""
    if is_machine_memory(error):
        return Failure(cause="memory", text=str(error))
    if isinstance(error, TrainingError) or is_memory(error):
        return Failure(cause="training", text=describe(error))
    if isinstance(error, ChangedData):
        return Failure(cause="data", text=str(error))
    if is_full(error):
        return Failure(cause="machine", text="the disk is full")
    if isinstance(error, RuntimeError) and "CUDA error" in str(error):  # nothing works on that device any more
        return Failure(cause="machine", text=f"the GPU failed ({describe(error)})")
    if isinstance(error, OSError):
        return Failure(cause="machine", text=f"its files could not be read or written ({describe(error)})")
    if isinstance(error, AutokdError):
        return Failure(cause="machine", text=str(error))
    return Failure(cause="other", text=describe(error))


def describe(error: BaseException) -> str:
    """An error in one line, and where it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({last[0].name}, line {last[0].lineno})" if last else ""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}{place}"
