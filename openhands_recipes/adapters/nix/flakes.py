"""Compiled flakes where Nix can read them: folders in the cache, named by what they hold."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from openhands_recipes.adapters.cache_dir import CacheDir, cache_error


class FlakeFolders:
    """Keeps flakes; the same files always lie in the same folder."""

    def __init__(self, cache: CacheDir) -> None:
        self._cache = cache

    def readable(self, folder: Path) -> Path:
        """A flake that everybody may read: the folder itself, or a copy where its owner keeps it private.

        Whoever is inside a sandbox that root opened is nobody to this machine's files.
        """
        places = [folder, *folder.rglob("*")]
        if all(_open_to_all(place) for place in places):
            return folder
        return self.put(
            {str(path.relative_to(folder)): path.read_bytes() for path in places if path.is_file()}
        )

    def put(self, files: Mapping[str, bytes]) -> Path:
        """A folder with exactly these files, whole or not there.

        Raises:
            OutsideError: the cache cannot be written.
        """
        name = hashlib.sha256()
        for path, content in sorted(files.items()):
            name.update(f"{path}\0{len(content)}\0".encode() + content)
        home = self._cache.folder("nix", "flakes")
        folder = home / name.hexdigest()[:32]
        if folder.is_dir():
            return folder
        fresh = home / f".new-{os.getpid()}-{folder.name}"
        try:
            for path, content in files.items():
                target = fresh / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(0o644)
            for place in (fresh, *(path for path in fresh.rglob("*") if path.is_dir())):
                place.chmod(0o755)  # who is inside a sandbox is a stranger here
            with suppress(OSError):  # another run was first
                fresh.rename(folder)
        except OSError as error:
            raise cache_error(error, home) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return folder


def _open_to_all(place: Path) -> bool:
    mode = place.lstat().st_mode
    if stat.S_ISLNK(mode):
        return True
    needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & needed == needed
