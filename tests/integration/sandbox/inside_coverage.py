"""Measures the processes inside a sandbox, which end by `_exit` in a root of their own.

Run in the launcher before anything else. Results leave through a folder opened while it could still be seen;
every process writes its own just before it ends, or becomes another program.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any


def start(folder: int, source: str) -> None:
    import coverage  # noqa: PLC0415 - only found once the caller has set the path

    measured = coverage.Coverage(data_file=None, config_file=False, source=[source], messages=False)
    measured.start()
    leave, become, close_range = os._exit, os.execve, os.closerange

    def save() -> None:
        collector = (
            measured._collector
        )  # the public ways to the results import, and there is nothing to import
        lines = {name: sorted(numbers) for name, numbers in collector.data.items()}  # type: ignore[union-attr]
        out = os.open(os.urandom(8).hex(), os.O_WRONLY | os.O_CREAT, 0o666, dir_fd=folder)
        os.write(out, marshal.dumps(lines))
        os.close(out)

    def saved(action: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            with suppress(OSError):  # the disk is full, or so
                save()
            return action(*arguments)

        return wrapper

    def spare_folder(low: int, high: int) -> None:
        close_range(low, folder)
        close_range(folder + 1, high)

    os._exit = saved(leave)
    os.execve = saved(become)
    os.closerange = spare_folder


def boot(folder: int, path: Sequence[str], source: str) -> str:
    """The beginning of a launcher's code."""
    return (
        f"import sys, os; before = sys.path[:]; sys.path += {list(path)!r};"
        f"exec(compile(open({__file__!r}).read(), {__file__!r}, 'exec'), scope := {{'__name__': 'inside'}});"
        f"scope['start']({folder}, {source!r}); sys.path[:] = before;"
    )
