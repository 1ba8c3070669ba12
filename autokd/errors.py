"""The exceptions of autokd.

AutokdError                 exit code 1: the run failed
|-- UsageError              exit code 2: the user can fix it; one sentence, with the next step
|   |-- ConfigError         an option has a value that cannot be used
|   |-- DataError           the images or their labels cannot be used
|   |   `-- ChangedData     an image changed while a search reads it; ends the whole search, not one training
|   |-- TeacherError        the teacher cannot be built, loaded or trusted
|   |-- SpaceError          a search space cannot be used
|   |-- RunError            a run folder is not what was expected
|   `-- PathError           a file or a folder cannot be made or written where it belongs
|-- CacheError              an entry of the cache is damaged or wrong
|-- MachineError            disk, memory, permissions or lost files stop the run; `--resume` goes on
|   `-- DiskError           the disk is full, or fails
|-- TrainingError           a training cannot continue (divergence, memory); ends only its trial
|   `-- TooLargeError       not even two images fit into the memory of the device
`-- InterruptedRun          exit code 130: stopped by the user; all work is saved and can be resumed
"""

from __future__ import annotations


class AutokdError(Exception):
    """Base of all errors that autokd raises on purpose."""

    exit_code = 1


class UsageError(AutokdError):
    """The user can fix this; the message is one sentence that names the thing and the next step."""

    exit_code = 2


class ConfigError(UsageError):
    """An option has a value that cannot be used."""


class DataError(UsageError):
    """The images or their labels cannot be used."""


class ChangedData(DataError):
    """An image changed, or is gone, while a search reads it; no training can go on."""


class TeacherError(UsageError):
    """The teacher cannot be built, loaded or trusted."""


class SpaceError(UsageError):
    """A search space cannot be used."""


class RunError(UsageError):
    """A run folder is not what was expected."""


class PathError(UsageError):
    """A file or a folder cannot be made or written where it belongs."""


class MachineError(AutokdError):
    """Trouble that would hit any training alike and says nothing about a student; the run stops and can be resumed."""


class DiskError(MachineError):
    """The disk is full, or fails."""


class CacheError(AutokdError):
    """An entry of the cache is damaged or wrong."""


class TrainingError(AutokdError):
    """A training cannot continue; the search records the reason and continues without it."""


class TooLargeError(TrainingError):
    """Not even two images of a batch fit into the memory of the device."""


class InterruptedRun(AutokdError):
    """The user stopped the run; finished work is saved and the run can be resumed."""

    exit_code = 130
