"""The doors of the pull-request gate."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from openhands_recipes.cli.world.index import IndexDoors

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.git_history import GitHistory
    from openhands_recipes.flows.gate import Repair
    from openhands_recipes.flows.gate_case import Gatehouse
    from openhands_recipes.flows.gate_online import Sources
    from openhands_recipes.flows.gate_store import CommitStore
    from openhands_recipes.ports.history import States
    from openhands_recipes.ports.registries import OtherRegistries


class GateDoors(IndexDoors):
    """History, the index of dependants, and the sources asked anew."""

    @cached_property
    def history(self) -> GitHistory:
        """The repository the project lies in."""
        from openhands_recipes.adapters.git_history import GitHistory

        return GitHistory(self.settings.root)

    def gatehouse(self, states: States) -> Gatehouse:
        """What the gate reads with."""
        from openhands_recipes.adapters.dependants import DependantsFile
        from openhands_recipes.compile.recipe.extends import bases_in
        from openhands_recipes.flows.gate_case import Gatehouse

        index = DependantsFile(
            self.cache.folder("gate"), self.history, bases_in=bases_in, progress=self.progress
        )
        return Gatehouse(self.history, index, states, self.progress, self._library, self._registries)

    def _registries(self, base: CommitStore) -> OtherRegistries:
        """Other registries, as a base commit trusts them."""
        from openhands_recipes.cli.world.gate_registries import AskedRegistries, TrustedByBase

        trusted = TrustedByBase(base, self.index_reader, self.cache.folder("gate", "roots"))
        return AskedRegistries(trusted.settings, trusted.index, lambda: self.blobs, self.say)

    def ledger_states(self, place: str) -> States:
        """What a ledger says of versions."""
        from openhands_recipes.flows.gate_ledger import LedgerStates

        return LedgerStates(self.ledger(place))

    @property
    def _library(self) -> ports.RecipeStore | None:
        """The built-in recipes, unless they lie in the very repository that is judged."""
        from openhands_recipes.adapters.recipe_store import FolderStore, built_in_library

        folder = built_in_library()
        return None if self.history.holds(folder) else FolderStore(folder, library=folder)

    def gate_sources(self) -> Sources:
        """The sources of bytes, asked without our cache."""
        from openhands_recipes.flows.gate_online import Sources

        return Sources(lambda: self.archive, self.fresh_downloads, self.progress)

    @contextmanager
    def fresh_downloads(self) -> Iterator[ports.Downloads]:
        """Downloads into an empty cache that is thrown away."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from openhands_recipes.adapters.blobs import BlobStore
        from openhands_recipes.adapters.cache_dir import CacheDir
        from openhands_recipes.adapters.downloads import PooledDownloads
        from openhands_recipes.adapters.npm_registry import npm_registry
        from openhands_recipes.adapters.origins import Origins

        places = Origins(
            debian=lambda: self.debian_sources,
            python=lambda: self.python_settings,
            npm=npm_registry,
            http=self.http,
        )
        with TemporaryDirectory(dir=self.cache.folder("gate")) as folder:
            yield PooledDownloads(blobs=BlobStore(CacheDir(Path(folder))), places=places, http=self.http)

    def head_is_checked_out(self, head: str) -> bool:
        """Whether the work tree is at a commit."""
        return self.history.commit("HEAD") == head

    def mend(self, repair: Repair) -> bool:
        """Write one repaired file, if it still holds what was judged."""
        from openhands_recipes.adapters.atomic import atomic_write

        path = self.history.work_tree / repair.path
        if path.is_symlink() or not path.is_file() or path.read_bytes() != repair.before:
            return False
        atomic_write(path, repair.after)
        path.chmod(0o644)
        return True
