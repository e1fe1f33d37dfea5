from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from openhands_recipes.adapters.priority import step_back


@pytest.mark.skipif(sys.platform != "linux", reason="this machine lacks threads with a priority of their own")
def test_only_the_thread_itself_steps_back() -> None:
    def own() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = own()
    with ThreadPoolExecutor(1, initializer=step_back, initargs=(3,)) as pool:
        assert pool.submit(own).result() == min(before + 3, 19)
    assert own() == before
