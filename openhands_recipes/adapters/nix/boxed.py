"""Our own Nix: the program of the recipe `nix`, run in a sandbox over an area of the cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.nix.area import Area
from openhands_recipes.adapters.nix.calls import FLAKE, Answer, Call, Lines
from openhands_recipes.adapters.nix.flakes import FlakeFolders
from openhands_recipes.adapters.sandbox.ids import IdRange, find_range
from openhands_recipes.model.nix import STORE
from openhands_recipes.ports import Bind, Box, BoxFile, BoxOptions, Command, Limits

ROOT = (0, 0)
_FLAKE = "/flake"
_ENVIRONMENT = {
    "HOME": "/root",
    "USER": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "XDG_CACHE_HOME": "/nix/var/cache",
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
    "PYTHONDONTWRITEBYTECODE": "1",  # root inside could write beside the modules, into the store
}
_LIMITS = Limits(processes=32768, open_files=1 << 20)
"""Compilers run in here: only a runaway is stopped."""


def stands_for() -> tuple[int, int] | None:
    """Whom the caller stands for inside: root, so that the store's files are theirs; root needs no such."""
    return None if os.geteuid() == 0 else ROOT


@dataclass(frozen=True)
class NixImage:
    """The image our own Nix comes from."""

    version: str
    open: Callable[[BoxOptions], AbstractContextManager[Box]]
    offer: Callable[[], tuple[tuple[BoxFile, ...], Mapping[str, str]]]
    """What a box with network is lent: certificates, proxies."""


class BoxedNix:
    """Commands of our own Nix, each in a box of its own over the same store.

    Root inside owns the store. The machine's root keeps it under the sandbox's ids; everybody else stands for
    root inside, so that the store's files are theirs to remove.
    """

    def __init__(self, image: Callable[[], NixImage], cache: CacheDir) -> None:
        """`image` is called when the first command is run: it may have to be built."""
        self._make_image = image
        self._cache = cache

    options: tuple[str, ...] = (
        *("--option", "build-users-group", ""),
        *("--option", "sandbox", "true"),
        *("--option", "sandbox-fallback", "false"),
        *("--option", "max-jobs", "auto"),
    )

    @cached_property
    def _image(self) -> NixImage:
        return self._make_image()

    @cached_property
    def _area(self) -> Area:
        ids: IdRange = find_range(stands_for())
        owner = (ids.uid, ids.gid) if os.geteuid() == 0 else None
        return Area.of(self._cache, ids.name, owner=owner)

    @cached_property
    def _offer(self) -> tuple[tuple[BoxFile, ...], Mapping[str, str]]:
        return self._image.offer()

    def description(self) -> str:
        """Version and place."""
        return (
            f"Nix of our recipe 'nix' {self._image.version}, in a sandbox, its store in {self._area.folder}"
        )

    def run(self, call: Call, on_line: Callable[[bytes], None]) -> Answer:
        """Run it in a box; others may be using the store at the same time."""
        with self._area.held():
            return self._run(call, on_line)

    def _run(self, call: Call, on_line: Callable[[bytes], None]) -> Answer:
        files, lent = self._offer if call.network else ((), {})
        binds = [Bind(self._area.root, "/nix", writable=True), *call.binds]
        if call.flake is not None:
            folder = FlakeFolders(self._cache).readable(call.flake) if os.geteuid() == 0 else call.flake
            binds.append(Bind(folder, _FLAKE))
        options = BoxOptions(
            network=call.network,
            binds=tuple(binds),
            files=files,
            hostname="nix",
            limits=_LIMITS,
            nested_namespaces=True,
        )
        arguments = [argument.replace(FLAKE, f"path:{_FLAKE}") for argument in call.arguments]
        if bundle := lent.get("NIX_SSL_CERT_FILE"):  # for builders that fetch by a program of their own
            arguments = ["--option", "extra-sandbox-paths", bundle, *arguments]
        command = Command(
            (call.program, *arguments), {**_ENVIRONMENT, **lent}, keep_capabilities=True, forward_signals=True
        )
        pieces: list[bytes] = []
        lines = Lines(on_line)
        with self._image.open(options) as box:
            done = box.run(command, stdout=pieces.append, stderr=lines.take)
        lines.end()
        return Answer(done.exit_code, b"".join(pieces).decode(errors="replace"))

    def physical(self, path: str) -> Path:
        """Its place in the cache."""
        return self._area.root / Path(path).relative_to(Path(STORE).parent)

    def show(self, path: Path, target: str) -> tuple[str, tuple[Bind, ...]]:
        """Bound where the box is told."""
        return target, (Bind(path, target),)

    def protect(self, path: str) -> None:
        """Nothing to do: this store is only ever cleared as a whole."""

    def mend(self, *, database: bool) -> bool:
        """Forget the database, or make those of its paths anew that are gone from the disk."""
        with self._area.held(alone=True):
            if database:
                self._area.forget_database()
                return True
            verify = Call(("--verify", "--repair", *self.options), network=True, program="nix-store")
            return self._run(verify, lambda _line: None).exit_code == 0

    def repair(self, paths: Sequence[str]) -> None:
        """Build or fetch them again, in place; what cannot be had stays as it is."""
        with self._area.held(alone=True):
            again = Call(("--repair-path", *self.options, *paths), network=True, program="nix-store")
            self._run(again, lambda _line: None)
