"""Folders that a command makes for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class MadeFolders(Protocol):
    """Keeps folders of files, each there whole or not at all, and knows which of them it made itself.

    A folder it made has a note of its files. Anything else in it, and what was changed by hand, is never
    touched unless that is forced; links that `nix build` leaves (`result`) stay.
    """

    def put(self, folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> bool:
        """Make the folder hold these files, by path below it; False: it did so already.

        `force` takes over a folder made by others, and keeps what else is in it.

        Raises:
            UsageError: the folder is somebody else's, or was changed by hand.
            OutsideError: the system refuses.
        """

    def differences(self, folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Paths of files that are missing, differ or should not be there any more, sorted."""
