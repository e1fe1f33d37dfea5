"""What may stand in a part's archive: clean paths, no way out of the root, nothing below a link.

Does not look at content, and knows nothing of other parts: what two parts do to each other is the
business of whoever stacks them.
"""

from __future__ import annotations

import re

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Kind

_ODD_COMPONENT = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")
_WHITEOUT = "/.wh."
MAX_PATH = 4096
"""PATH_MAX of Linux, limits.h."""


def clean_path(raw: str) -> str:
    """A path of an archive as entries write it: relative to the root, without `.` and double slashes.

    A leading slash means the root of the image, as it does for dpkg.

    Raises:
        VerificationError: it climbs with `..`, holds a NUL, or is longer than Linux allows.
    """
    path = raw.removeprefix("./").strip("/")
    if path and _ODD_COMPONENT.search(path):
        parts = [part for part in path.split("/") if part not in {"", "."}]
        if ".." in parts:
            raise VerificationError(f"an entry climbs out of its folder: {raw!r}")
        path = "/".join(parts)
    if "\0" in path or len(path) > MAX_PATH:
        raise VerificationError(f"an entry has a path no file can have: {raw[:100]!r}")
    return path


def refuse_whiteout(path: str) -> None:
    """Names that OCI readers take as orders to delete (image-spec, layer.md) must not come from parts.

    Raises:
        VerificationError: a component starts with `.wh.`.
    """
    if _WHITEOUT in "/" + path:
        raise VerificationError(f"an entry has a name reserved for layer whiteouts: {path!r}")


class Tree:
    """The paths of one archive so far."""

    def __init__(self) -> None:
        self._kinds = {"": Kind.DIRECTORY}

    def kind(self, path: str) -> Kind | None:
        """What was listed at a path."""
        return self._kinds.get(path)

    def missing_parents(self, path: str) -> list[str]:
        """Folders above a path not listed yet, outermost first.

        Raises:
            VerificationError: something above it is listed and no folder.
        """
        missing = []
        parent = path.rpartition("/")[0]
        while (kind := self._kinds.get(parent)) is not Kind.DIRECTORY:
            if kind is Kind.SYMLINK:
                raise VerificationError(f"an entry goes through a symbolic link: {path!r} below {parent!r}")
            if kind is not None:
                raise VerificationError(f"an entry is below something that is no folder: {path!r}")
            missing.append(parent)
            parent = parent.rpartition("/")[0]
        return missing[::-1]

    def add(self, path: str, kind: Kind) -> bool:
        """List a path whose parents are listed; False for a folder listed before.

        Raises:
            VerificationError: the path is taken.
        """
        known = self._kinds.get(path)
        if known is None:
            self._kinds[path] = kind
            return True
        if known is kind is Kind.DIRECTORY:
            return False
        raise VerificationError(f"an archive names a path twice: {path!r}")
