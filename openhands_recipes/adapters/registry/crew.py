"""Several transfers at once, by threads that an interrupted process leaves behind.

Threads of `concurrent.futures` are waited for when Python ends, up to the last byte they read; these are not.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def begin(action: Callable[[T], R], items: Iterable[T], *, parallel: int) -> list[Future[R]]:
    """Do something for every item, so many at a time; futures in the items' order."""
    todo: queue.SimpleQueue[tuple[Future[R], T]] = queue.SimpleQueue()
    futures: list[Future[R]] = []
    for item in items:
        futures.append(Future())
        todo.put((futures[-1], item))

    def work() -> None:
        while True:
            try:
                future, item = todo.get_nowait()
            except queue.Empty:
                return
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(action(item))
                except BaseException as error:  # noqa: BLE001 - told to whoever asks for the result
                    future.set_exception(error)

    for number in range(min(parallel, len(futures))):
        threading.Thread(target=work, name=f"transfer-{number}", daemon=True).start()
    return futures
