"""Temporary files of killed runs, removed a day later by whoever writes to the cache next.

Every file of the cache is written under a temporary name first (`atomic`), so a killed run can leave such a
file wherever one is written. Looking everywhere takes long in a big cache, so it is done once a day; a stamp
tells. Half-made trees of the sandbox are swept by their own makers.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from openhands_recipes.adapters.atomic import TEMPORARY_SUFFIX

DAY = 24 * 3600.0
SWEPT = ("partial", "fragments", "layers", "images", "records")
_STAMP = ".swept"


def sweep_once_a_day(root: Path) -> None:
    """Remove temporary files a day old or older; does nothing when that was done within the last day.

    Nothing depends on it, so what cannot be read or removed stays.
    """
    now = time.time()
    stamp = root / "records" / _STAMP
    with contextlib.suppress(OSError):
        if 0 <= now - stamp.stat().st_mtime < DAY:
            return
    with contextlib.suppress(OSError):
        stamp.mkdir(parents=True, exist_ok=True)  # a folder: the cache's files are all worth something
        os.utime(stamp)
    for area in SWEPT:
        for entry in _temporaries(root / area):
            with contextlib.suppress(OSError):
                if now - entry.stat(follow_symlinks=False).st_mtime >= DAY:
                    Path(entry.path).unlink()


def _temporaries(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.startswith(".") and entry.name.endswith(TEMPORARY_SUFFIX):
                    yield entry
