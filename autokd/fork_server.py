"""Imported by Python's fork server alone, last of what it imports for autokd: from here on it hears signals again.

They are blocked when it starts (processes.py). Others may fork it, too, and their processes have to find signals as
they would without autokd.
"""

from __future__ import annotations

import signal

from autokd.processes import STOPPING

for each in STOPPING:  # those that came meanwhile are dropped: that is what ignoring does
    handler = signal.getsignal(each)
    signal.signal(each, signal.SIG_IGN)
    signal.signal(each, handler)
signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
