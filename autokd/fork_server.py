"""Imported by Python's fork server alone, last of what it imports for autokd: it is ready to be forked.

Others may fork it, too, and their processes have to find environment and signals as they would without autokd. The
server itself outlives signals that stop the whole group: it knows which of its processes live.
"""

from __future__ import annotations

import json
import os
import signal

from autokd.processes import ENVIRONMENT, STOPPING, put_back

put_back(json.loads(os.environ.pop(ENVIRONMENT, "{}")))

_server = os.getpid()
_usual = {each: signal.signal(each, signal.SIG_IGN) for each in STOPPING}  # drops those that came meanwhile
signal.signal(signal.SIGINT, _usual.pop(signal.SIGINT))  # Python's own code ignores this one from now on


def _hear_signals() -> None:
    """In a process that was forked from the server, not in those that it forks itself."""
    if os.getppid() == _server:
        for each, handler in _usual.items():
            signal.signal(each, handler)


os.register_at_fork(after_in_child=_hear_signals)
signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
