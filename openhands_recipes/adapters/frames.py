"""Compresses blocks in parallel: results come in order, and only a bounded number is in memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from openhands_recipes.adapters.priority import step_back

Encoder = Callable[[memoryview], bytes]

PRIORITY_STEPS = 10
"""How far packing steps back: layers are wanted at the end of a build, other work before it."""


class Frames:
    """A pool of compressing threads that several layers share.

    Args:
        new_encoder: makes one encoder per thread.
        workers: how many blocks are compressed at once.
        waiting: how many more may be read or finished, but not yet written.
    """

    def __init__(self, new_encoder: Callable[[], Encoder], *, workers: int, waiting: int) -> None:
        self._new_encoder = new_encoder
        self._pool = ThreadPoolExecutor(
            workers, thread_name_prefix="frame", initializer=step_back, initargs=(PRIORITY_STEPS,)
        )
        self._slots = threading.Semaphore(workers + waiting)
        self._local = threading.local()

    def compress(self, blocks: Iterable[memoryview]) -> Iterator[bytes]:
        """Each block's frame, in order.

        Whoever has results of its own to take never waits for others, so layers cannot block each other.
        """
        window: deque[Future[bytes]] = deque()
        try:
            for block in blocks:
                while not self._slots.acquire(blocking=not window):
                    yield self._take(window)
                window.append(self._pool.submit(self._encode, block))
            while window:
                yield self._take(window)
        finally:
            for future in window:
                future.cancel()
                self._slots.release()

    def _take(self, window: deque[Future[bytes]]) -> bytes:
        frame = window[0].result()
        window.popleft()
        self._slots.release()
        return frame

    def _encode(self, block: memoryview) -> bytes:
        encode: Encoder | None = getattr(self._local, "encode", None)
        if encode is None:
            encode = self._local.encode = self._new_encoder()
        return encode(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
