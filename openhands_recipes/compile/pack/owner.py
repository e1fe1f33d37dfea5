"""Where parts that are no Debian packages go, and to whom they belong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from openhands_recipes.compile.pack.build import root_folder
from openhands_recipes.errors import UsageError
from openhands_recipes.model.fragment import Entry, Kind

FIXED_TIME = 315532800
"""1980-01-01, the first second zip archives can tell; their own times are the builder's local ones."""

_PREFIX = re.compile(r"^/[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*$")
_OWNER = re.compile(r"^([0-9]+):([0-9]+)$")


class Home(NamedTuple):
    """A prefix and its owner."""

    prefix: str
    """Without the leading slash: `opt/agent-server`."""
    uid: int
    gid: int

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """From a conversion's options `prefix` and `owner` (uid:gid, root's when missing).

        Raises:
            UsageError: either cannot be used; the prefix must also be fit for a `#!` line.
        """
        prefix = options.get("prefix", "")
        owner = _OWNER.match(options.get("owner", "0:0"))
        if not _PREFIX.match(prefix) or "/." in prefix or len(prefix) > 100:
            raise UsageError(f"not a prefix to install into: {prefix!r}")
        if owner is None:
            raise UsageError(f"not an owner (uid:gid): {options['owner']!r}")
        return cls(prefix[1:], int(owner[1]), int(owner[2]))

    def file(self, path: str, size: int, *, executable: bool) -> Entry:
        """A regular file of the owner, below the prefix."""
        mode = 0o755 if executable else 0o644
        return Entry(path, Kind.FILE, mode, self.uid, self.gid, size, FIXED_TIME)

    def link(self, path: str, target: str) -> Entry:
        """A symbolic link of the owner."""
        return Entry(path, Kind.SYMLINK, 0o777, self.uid, self.gid, mtime=FIXED_TIME, link=target)

    def folder(self, path: str) -> Entry:
        """A folder: the owner's from the prefix on, root's above it."""
        if path == self.prefix or path.startswith(self.prefix + "/"):
            return Entry(path, Kind.DIRECTORY, 0o755, self.uid, self.gid, 0, FIXED_TIME)
        return root_folder(path)
