"""Folders of files for people, replaced as a whole.

A new folder is written beside the old one and takes its name; the old one steps aside first. A kill at any
moment leaves the old folder, the new one, or (for the blink between two renames) none, never half of one.
The note `.ohr.json` holds the hashes of the files, so that changes by hand are noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from openhands_recipes.adapters.atomic import temporary_name
from openhands_recipes.errors import OutsideError, UsageError
from openhands_recipes.model.digest import digest_of

NOTE = ".ohr.json"
FORCE = "--force replaces what it is about and keeps the rest"


class MadeFoldersOnDisk:
    """Writes folders and knows its own again."""

    def put(self, folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> bool:
        """Make the folder hold these files; False: it did so already."""
        try:
            return self._put(folder, files, force=force)
        except OSError as error:
            raise OutsideError(f"cannot be written: {error.strerror}", where=str(folder)) from error

    def differences(self, folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Paths of files that are missing, differ or should not be there any more, sorted."""
        noted = self._note(folder) or {}
        gone = {path for path in noted.keys() - files.keys() if os.path.lexists(folder / path)}
        return tuple(sorted(gone | {path for path in files if _read(folder / path) != files[path]}))

    def _put(self, folder: Path, files: Mapping[str, bytes], *, force: bool) -> bool:
        if not os.path.lexists(folder):
            _replace(folder, _whole(files), keep=())
            return True
        if folder.is_symlink() or not folder.is_dir():
            raise UsageError("not a folder", where=str(folder), hint="name another one with --output")
        if self._note(folder) is not None and not self.differences(folder, files):
            return False
        others = self._others(folder, files)
        if not force:
            self._refuse(folder, others)
        _replace(folder, _whole(files), keep=others)
        return True

    def _refuse(self, folder: Path, others: tuple[str, ...]) -> None:
        """Make sure that the folder is ours as we left it.

        Raises:
            UsageError: it is not.
        """
        where = str(folder)
        noted = self._note(folder)
        if noted is None:
            if any(folder.iterdir()):
                raise UsageError("the folder holds other things", where=where, hint=FORCE)
            return
        changed = [
            path for path, digest in sorted(noted.items()) if _digest(folder / path) not in {None, digest}
        ]
        if changed:
            raise UsageError(f"changed by hand: {_listed(changed)}", where=where, hint=FORCE)
        strange = [name for name in others if not _is_result(folder / name)]
        if strange:
            raise UsageError(f"not from here: {_listed(strange)}", where=where, hint=FORCE)

    def _others(self, folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Paths in the folder that neither were nor will be ours: whole folders where nothing in them is."""
        ours = {NOTE, *files, *(self._note(folder) or {})}
        above = {str(parent) for path in ours for parent in Path(path).parents}
        return tuple(sorted(_foreign(folder, "", ours, above)))

    @staticmethod
    def _note(folder: Path) -> dict[str, str] | None:
        content = _read(folder / NOTE)
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            return {str(path): str(digest) for path, digest in json.loads(content or b"")["files"].items()}
        return None


def _foreign(folder: Path, below: str, ours: set[str], above: set[str]) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder / below))  # noqa: PTH208 - names are wanted
    except NotADirectoryError:
        return
    for name in names:
        path = f"{below}/{name}" if below else name
        if path in above and not (folder / path).is_symlink():
            yield from _foreign(folder, path, ours, above)
        elif path not in ours:
            yield path


def _whole(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with their note."""
    note = {"schema": 1, "files": {path: digest_of(content) for path, content in sorted(files.items())}}
    return {**files, NOTE: (json.dumps(note, indent=1) + "\n").encode()}


def _replace(folder: Path, files: Mapping[str, bytes], *, keep: tuple[str, ...]) -> None:
    """Give the folder this content, and of the old one what is to be kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, aside = (temporary_name(folder.parent, folder.name) for _ in range(2))
    try:
        for path, content in files.items():
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for path in keep:
            if (folder / path).is_symlink():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                (fresh / path).symlink_to((folder / path).readlink())
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if not os.path.lexists(folder):
        fresh.rename(folder)
        return
    folder.rename(aside)
    fresh.rename(folder)
    for path in keep:
        if not (aside / path).is_symlink():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).rename(folder / path)
    shutil.rmtree(aside)


def _read(path: Path) -> bytes | None:
    """The content of a regular file; None for anything else."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if stat.S_ISREG(path.lstat().st_mode):
            return path.read_bytes()
    return None


def _digest(path: Path) -> str | None:
    content = _read(path)
    return None if content is None else digest_of(content)


def _is_result(path: Path) -> bool:
    """Whether `nix build` made it."""
    return (
        path.is_symlink()
        and path.name.startswith("result")
        and str(path.readlink()).startswith("/nix/store/")
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
