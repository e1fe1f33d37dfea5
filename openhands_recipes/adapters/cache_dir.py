"""Where this machine keeps what can be had again: downloads, fragments, layers.

`OHR_CACHE`, else `$XDG_CACHE_HOME/openhands-recipes`, else `~/.cache/openhands-recipes`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.errors import OutsideError

NAME = "openhands-recipes"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class CacheDir:
    """The root of the cache; nothing is created before it is asked for."""

    root: Path

    @classmethod
    def default(cls, environment: Mapping[str, str] | None = None) -> CacheDir:
        """The folder this user's settings name.

        A relative `XDG_CACHE_HOME` is ignored, as the XDG Base Directory specification demands.
        """
        settings = os.environ if environment is None else environment
        if chosen := settings.get("OHR_CACHE"):
            return cls(Path(chosen).expanduser().absolute())
        xdg = settings.get("XDG_CACHE_HOME", "")
        if xdg and Path(xdg).is_absolute():
            return cls(Path(xdg) / NAME)
        home = settings.get("HOME")
        return cls((Path(home) if home else Path.home()) / ".cache" / NAME)

    def folder(self, *names: str) -> Path:
        """A folder below the root, created when it is missing.

        Raises:
            OutsideError: it cannot be created or written.
        """
        path = self.root.joinpath(*names)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cache_error(error, path) from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise cache_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), path)
        return path


def cache_error(error: OSError, folder: Path, *, needed: int | None = None) -> OutsideError:
    """What to tell people when writing below `folder` failed; `needed` bytes were to be written."""
    amount = "" if needed is None else f": {needed:,} bytes are needed"
    if error.errno in FULL:
        return OutsideError(
            f"no room left for the cache{amount} ({error.strerror})",
            where=str(folder),
            hint="free some space there, or set OHR_CACHE to a folder with more room",
        )
    return OutsideError(
        f"the cache folder cannot be written ({error.strerror or error})",
        where=str(folder),
        hint="make it writable, or set OHR_CACHE to a folder that is",
    )
