"""Looking at the cache and clearing it. Everything in it can be had again; running builds notice and redo.

Does not touch a folder that is not ours: one strange name at its top and nothing is removed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.adapters.nix.area import clear as clear_nix
from openhands_recipes.errors import OutsideError, UsageError

AREAS = {
    "blobs": "downloads, packed layers",
    "fragments": "parts ready to be packed",
    "layers": "which parts are which layer",
    "images": "which locks are which image",
    "records": "facts about parts and levels",
    "sandbox": "unpacked trees for sandboxes",
    "docker": "trees for sandboxes that are containers",
    "nix": "the store of our own Nix, compiled flakes",
    "uv": "metadata of Python packages",
    "partial": "unfinished downloads",
}
NIX = "nix"
DAY = 86400.0


@dataclass(frozen=True)
class Area:
    """One part of the cache and what it takes; of other users' files in it only what can be seen."""

    name: str
    holds: str
    files: int
    size: int


def areas(root: Path) -> tuple[Area, ...]:
    """Every part of the cache that is there."""
    found = []
    for name, holds in AREAS.items():
        if (root / name).is_dir():
            sizes = [_size(entry) for entry in _files(root / name)]
            found.append(Area(name, holds, len(sizes), sum(sizes)))
    return tuple(found)


def clean(root: Path, *, clear_sandboxes: Callable[[], None]) -> None:
    """Remove everything.

    Raises:
        UsageError: something lies there that we did not put there.
        OutsideError: something could not be removed.
    """
    _refuse_strangers(root)
    if (root / "sandbox").is_dir():
        clear_sandboxes()
    for name in AREAS:
        try:
            (clear_nix if name == NIX else shutil.rmtree)(root / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            if name == "sandbox":  # trees in use stay, with what belongs to them
                continue
            raise OutsideError(f"the cache could not be cleared ({error})", where=str(root / name)) from error


def clean_unused(root: Path, days: float) -> None:
    """Remove downloads, fragments, layers and records that nobody has read or written for so many days.

    Sandbox trees stay: what is in use cannot be told from when it was read. Stores of Nix go as a whole.

    Raises:
        UsageError: something lies there that we did not put there.
    """
    _refuse_strangers(root)
    limit = time.time() - days * DAY
    if (root / NIX).is_dir():
        clear_nix(root / NIX, unused_since=limit)
    for name in set(AREAS) - {"sandbox", NIX}:
        for entry in _files(root / name):
            status = entry.stat(follow_symlinks=False)
            if max(status.st_atime, status.st_mtime) < limit:
                Path(entry.path).unlink(missing_ok=True)


def _refuse_strangers(root: Path) -> None:
    strangers = (
        sorted(path.name for path in root.iterdir() if path.name not in AREAS) if root.is_dir() else []
    )
    if strangers:
        raise UsageError(
            f"{root} holds what no cache of ours holds: {', '.join(strangers[:5])}",
            where=str(root),
            hint="is it the right folder? Move those away, or remove the cache by hand",
        )


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below, without following links; what cannot be read is left out."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry
        except OSError:
            continue


def _size(entry: os.DirEntry[str]) -> int:
    """Bytes on the disk (`st_blocks` counts units of 512, stat(2))."""
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0
