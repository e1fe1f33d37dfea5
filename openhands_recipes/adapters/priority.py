"""Threads that step back: what nobody waits for yet must not slow down what everybody waits for.

dpkg configures on one core, in a row of some thousand short processes; compressing and converting threads
fill whatever is left, and no more.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress


def step_back(steps: int) -> None:
    """Lower this thread's priority for good; where a thread has none of its own, nothing happens.

    On Linux a "process" of setpriority(2) is a thread.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + steps)
