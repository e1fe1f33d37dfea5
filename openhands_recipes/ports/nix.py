"""Nix: evaluates and builds flakes, and knows what a store holds.

One Nix is used for all of a run: the machine's, or our own in a sandbox. Both take flakes as folders,
evaluate them purely, and need no configuration of the user's. The `nixpkgs` of a flake comes from where its
lock says, or from the place the machine names; its hash is checked against the lock either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from openhands_recipes.ports.talk import Stage

if TYPE_CHECKING:  # pydantic takes 0.15 s to load, and `ohr run` needs none of it
    from openhands_recipes.model.nix import StorePath


class NixWords(Protocol):
    """What a Nix said while it worked, understood."""

    @property
    def errors(self) -> Sequence[str]:
        """What Nix gave up for, in order."""

    @property
    def traces(self) -> Sequence[str]:
        """The same with the way there."""

    @property
    def warnings(self) -> Sequence[str]:
        """What it went on in spite of."""

    @property
    def plain(self) -> Sequence[str]:
        """Lines that are no log."""

    @property
    def output(self) -> Mapping[str, Sequence[str]]:
        """The last lines of each builder, by derivation."""

    def damage(self) -> str:
        """What of the store is damaged."""


class Nix(Protocol):
    """A Nix with a store.

    Every method raises:
        NixError: Nix gave up; its own words are in `messages`.
        VerificationError: something fetched is not what a hash promises, or is not signed by a trusted key.
        OutsideError: no room, a broken store, no network.
    """

    def description(self) -> str:
        """Which Nix this is, for people: version and place."""

    def evaluate(self, flake: Path, attribute: str) -> str:
        """A value of a flake as JSON text: `lib.recipe`, `packages.x86_64-linux.default.drvPath`."""

    def build(self, flake: Path, attribute: str, *, stage: Stage | None = None, foreign: bool = False) -> str:
        """Build `packages.x86_64-linux.default` or the like; its store path, kept from garbage collection.

        `foreign` says that programs of its platform do not run here: everything must come ready from a binary
        cache. The stage is told of derivations built and store paths fetched, as items.
        """

    def closure(self, path: str) -> tuple[StorePath, ...]:
        """A store path and all it needs at run time, sorted by path."""

    def folder(self, path: str) -> Path:
        """Where this machine can read the tree of a store path; for reading only.

        Raises:
            OutsideError: it is not in the store.
        """

    def verify(self, paths: Sequence[str]) -> None:
        """Make sure that the trees still are what the store says, hash by hash.

        Raises:
            VerificationError: one is not; it was repaired where the store is our own.
        """

    def run(self, arguments: Sequence[str], *, flake: Path | None = None, network: bool = False) -> str:
        """What another command of Nix prints: `("flake", "check", "--no-build")`.

        `{flake}` in an argument stands for the flake as that Nix sees it: `{flake}#default`.
        """
