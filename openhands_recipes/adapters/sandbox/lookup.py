"""Finds a file in stacked trees from outside, as the overlay of them would: links, whiteouts and all.

For a look at one file before a box is opened; whoever wants to see more opens a box.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path

from openhands_recipes.errors import SandboxError

_MOST_LINKS = 40  # path_resolution(7)


def read_file(trees: Sequence[Path], path: str) -> bytes | None:
    """The content of a regular file; trees come highest first."""
    for _ in range(_MOST_LINKS):
        place, rest = _first_link(trees, path)
        if place is None or rest is None:
            return None if place is None else _content(place, path)
        path = rest
    return None


def _first_link(trees: Sequence[Path], path: str) -> tuple[Path | None, str | None]:
    """The place of a path, and, if a link stands on the way, the path to go on with."""
    parts = [part for part in posixpath.normpath(path).split("/") if part not in ("", ".")]
    place = None
    for depth in range(1, len(parts) + 1):
        place = _top_most(trees, parts[:depth])
        if place is None:
            break
        if place.is_symlink():
            target = posixpath.join("/", *parts[: depth - 1], str(place.readlink()), *parts[depth:])
            return place, posixpath.normpath(target)
    return place, None


def _top_most(trees: Sequence[Path], parts: Sequence[str]) -> Path | None:
    for tree in trees:
        place = tree.joinpath(*parts)
        try:
            status = place.lstat()
        except NotADirectoryError:
            return None
        except FileNotFoundError:
            if _hides_below(tree, parts[:-1]):
                return None
            continue
        return None if stat.S_ISCHR(status.st_mode) else place
    return None


def _hides_below(tree: Path, folder: Sequence[str]) -> bool:
    """Whether a folder, or one above it, is opaque or a whiteout in this tree."""
    for depth in range(1, len(folder) + 1):
        place = tree.joinpath(*folder[:depth])
        try:
            if stat.S_ISCHR(place.lstat().st_mode):
                return True
            if os.getxattr(place, "user.overlay.opaque", follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _content(place: Path, path: str) -> bytes | None:
    try:
        return place.read_bytes() if place.is_file() else None
    except PermissionError as error:
        raise SandboxError("only root inside may read this file", where=path) from error
