"""The doors of the gate's stages G to J: rooms to build in, advisories, secrets, earlier releases."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Self

from openhands_recipes.cli.platforms import host_platform
from openhands_recipes.cli.world.build import BuildDoors
from openhands_recipes.cli.world.gate import GateDoors
from openhands_recipes.cli.world.release import ReleaseDoors

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.blobs import BlobStore
    from openhands_recipes.flows.gate_proving import Provers
    from openhands_recipes.flows.workshop import Workshop
    from openhands_recipes.model.digest import Digest

SHARED = ("debian_sources", "python_settings", "http", "clock", "progress")
"""Doors of a run that a room uses as well: they keep nothing of what is built."""


class FolderRooms:
    """Rooms as folders of the cache, removed in the end."""

    def __init__(self, world: ProvingDoors, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._rooms: list[ProvingDoors] = []

    def room(self, name: str, files: Mapping[str, bytes], lent: Iterable[Digest]) -> Workshop:
        """A workshop over a project of these files, with a cache of its own that has what is lent."""
        project = self._folder / name / "project"
        for path, content in files.items():
            target = project / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        made = self._world.elsewhere(project, self._folder / name / "cache")
        lenders = [self._world.blobs, *(room.blobs for room in self._rooms)]
        for digest in lent:
            _lend(digest, lenders, made.blobs)
        self._rooms.append(made)
        return made.workshop

    def base(self, store: ports.RecipeStore) -> Workshop:
        """The usual workshop over what was merged long ago."""
        return replace(self._world.workshop, store=store)

    def clear(self) -> None:
        """Remove everything; trees of sandboxes may belong to other accounts."""
        for room in self._rooms:
            room.engine.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


def _lend(digest: Digest, lenders: Iterable[BlobStore], to: BlobStore) -> None:
    """Link a file into another cache if it is here and still what its name says."""
    path = next((found for one in lenders if (found := one.path(digest)) is not None), None)
    if path is None or to.path(digest) is not None:
        return
    temporary = to.temporary(path.name)
    with suppress(OSError):  # what cannot be lent is downloaded
        os.link(path, temporary)
        with temporary.open("rb") as stream:
            whole = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest == f"sha256:{whole}":
            to.adopt(temporary, digest)
    temporary.unlink(missing_ok=True)


class ProvingDoors(GateDoors, ReleaseDoors, BuildDoors):
    """What executes, and what looks for danger."""

    @contextmanager
    def provers(self, advisories: Path | None, ledger: str | None) -> Iterator[Provers]:
        """Everything stages G to J need; rooms are gone afterwards."""
        from openhands_recipes.adapters.advisories import AdvisoryFolder
        from openhands_recipes.adapters.secret_scan import find_secrets
        from openhands_recipes.flows.gate_proving import Provers

        opened: list[FolderRooms] = []
        try:
            yield Provers(
                history=self.history,
                rooms=self._opener(opened),
                host=host_platform(),
                scan=find_secrets,
                advisories=AdvisoryFolder(advisories) if advisories else None,
                releases=self._opened_ledger(ledger) if ledger else None,
            )
        finally:
            for rooms in opened:
                rooms.clear()

    def _opener(self, opened: list[FolderRooms]) -> Callable[[], FolderRooms]:
        def rooms() -> FolderRooms:
            if not opened:
                folder = Path(mkdtemp(prefix="rooms-", dir=self.cache.folder("gate")))
                opened.append(FolderRooms(self, folder))
            return opened[0]

        return rooms

    def _opened_ledger(self, place: str) -> ports.ledger.Ledger:
        ledger = self.ledger(place)
        ledger.head()
        return ledger

    def elsewhere(self, project: Path, cache: Path) -> Self:
        """The same world over another project, with another cache."""
        other = type(self)(replace(self.settings, root=project, cache=cache))
        known = vars(self)
        vars(other).update({name: known[name] for name in SHARED if name in known})
        vars(other)["store"] = self._store_of(project)
        return other

    def _store_of(self, project: Path) -> ports.RecipeStore:
        """A project's recipes; the toolkit's own only where the repository does not hold them itself."""
        from openhands_recipes.adapters.recipe_store import FolderStore, built_in_library

        library = built_in_library()
        return FolderStore(project, library=project if self.history.holds(library) else library, here=project)

    @cached_property
    def surroundings(self) -> Mapping[str, str]:
        """The environment of this process."""
        return dict(os.environ)
