"""What can go wrong, drawn once.

AutokdError                 exit code 1: the run failed
|-- UsageError              exit code 2: the user can mend it; one sentence, with the next step
|   |-- ConfigError         an option has a value that cannot be used
|   |-- DataError           the images or their labels cannot be used
|   |-- TeacherError        the teacher cannot be built, loaded or trusted
|   |-- SpaceError          a search space cannot be used
|   `-- RunError            a run folder is not what was expected
|-- CacheError              what the cache keeps is damaged or not what it says
|-- TrainingError           a training cannot go on (divergence, memory); ends its trial only
`-- InterruptedRun          exit code 130: stopped by the user, everything is saved, `--resume` goes on
"""

from __future__ import annotations


class AutokdError(Exception):
    """Base of all errors that autokd raises on purpose."""

    exit_code = 1


class UsageError(AutokdError):
    """The user can mend this; the message is one sentence that names the thing and the next step."""

    exit_code = 2


class ConfigError(UsageError):
    """An option has a value that cannot be used."""


class DataError(UsageError):
    """The images or their labels cannot be used."""


class TeacherError(UsageError):
    """The teacher cannot be built, loaded or trusted."""


class SpaceError(UsageError):
    """A search space cannot be used."""


class RunError(UsageError):
    """A run folder is not what was expected."""


class CacheError(AutokdError):
    """What the cache keeps is damaged, or is not what it says."""


class TrainingError(AutokdError):
    """A training cannot go on; the search records the reason and goes on without it."""


class InterruptedRun(AutokdError):
    """The user stopped the run; everything finished is saved and `--resume` goes on."""

    exit_code = 130
