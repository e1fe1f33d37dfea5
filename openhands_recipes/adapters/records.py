"""Small facts in the cache, one file each."""

from __future__ import annotations

from pathlib import Path

from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.model.digest import Digest, hex_of


class FileRecords:
    """`<folder>/<kind>/ab/<hex>`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, kind: str, key: Digest) -> Path:
        digits = hex_of(key)
        return self._folder / kind / digits[:2] / digits

    def get(self, kind: str, key: Digest) -> bytes | None:
        """What was kept, or None."""
        try:
            return self._path(kind, key).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, kind: str, key: Digest, content: bytes) -> None:
        """Keep a fact, whole or not at all."""
        path = self._path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
