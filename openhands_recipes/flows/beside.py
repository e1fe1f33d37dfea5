"""Work done beside the main thread: jobs one after another, in the order they were handed in."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")

LEAVE_SECONDS = 1.0
"""How long a failed run waits for the job under way."""


class Beside:
    """One thread of its own, which dies with the process: an interrupted run waits for nobody."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._left = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Have a job done after those before it."""
        future: Future[Result] = Future()
        self._jobs.put((future, job))
        return future

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            if self._left:
                future.cancel()
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - raised again by whoever asks for the result
                future.set_exception(error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = error is not None
        self._jobs.put(None)
        self._thread.join(LEAVE_SECONDS if self._left else None)
