"""The part of the cache that holds our own Nix's stores, one for every range of ids sandboxes get.

    <cache>/nix/<range>/lock     shared by all who use the store, alone for who mends or removes it
    <cache>/nix/<range>/nix/     what is `/nix` inside: the store, its database, fetched sources
    <cache>/nix/roots/           what the machine's Nix must keep (links)
    <cache>/nix/flakes/          compiled flakes

Everything in a store can be made again, so a damaged one is mended by forgetting.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.adapters.cache_dir import CacheDir, cache_error

PLAIN = ("roots", "flakes")
"""Folders that are no stores."""


@dataclass(frozen=True)
class Area:
    """One store of our own Nix, as the machine sees it."""

    folder: Path

    @classmethod
    def of(cls, cache: CacheDir, range_name: str, *, owner: tuple[int, int] | None) -> Area:
        """The store of a range of ids, made when it is missing; `owner`: who root inside is outside.

        Raises:
            OutsideError: the cache cannot be written.
        """
        area = cls(cache.folder("nix", range_name))
        if not area.root.exists():
            try:
                area.folder.chmod(0o711)
                fresh = area.folder / f".new-{os.getpid()}"
                fresh.mkdir(mode=0o755)
                if owner is not None:
                    os.chown(fresh, *owner)
                with suppress(OSError):  # another run was first
                    fresh.rename(area.root)
                shutil.rmtree(fresh, ignore_errors=True)
            except OSError as error:
                raise cache_error(error, area.folder) from error
        return area

    @property
    def root(self) -> Path:
        """What is `/nix` inside."""
        return self.folder / "nix"

    @contextmanager
    def held(self, *, alone: bool = False) -> Iterator[None]:
        """Use the store together with others, or wait until one is the only one."""
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            os.utime(fd)  # when it was last used
            yield
        finally:
            os.close(fd)

    def forget_database(self) -> None:
        """Let Nix begin with an empty database; paths it does not know it replaces when it needs them."""
        _remove(self.root / "var" / "nix" / "db")


def clear(area: Path, *, unused_since: float | None = None) -> None:
    """Remove stores that nobody is using; with a time, only those not used since then.

    Raises:
        OSError: something cannot be removed.
    """
    for folder in sorted(area.iterdir()):
        if folder.name not in PLAIN:
            _clear_store(folder, unused_since)
    if unused_since is None:
        for name in PLAIN:
            shutil.rmtree(area / name, ignore_errors=True)
        with suppress(OSError):  # a store in use stays, and with it the folder
            area.rmdir()


def _clear_store(folder: Path, unused_since: float | None) -> None:
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if unused_since is not None and os.fstat(fd).st_mtime >= unused_since:
            return
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    except BlockingIOError:
        return
    finally:
        os.close(fd)


def _remove(folder: Path) -> None:
    """Remove a tree whose folders may be read-only, as those of a store are."""
    if os.geteuid() != 0:
        for place, folders, _ in os.walk(folder):
            for name in folders:
                path = Path(place) / name
                if not path.is_symlink():
                    path.chmod(stat.S_IRWXU)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
