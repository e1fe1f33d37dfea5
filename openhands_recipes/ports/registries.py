"""Registries of other organisations, whose recipes may be extended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openhands_recipes.model.index import Pinned, ReleaseState
from openhands_recipes.model.kept import OtherRelease


class OtherRegistries(Protocol):
    """Their signed indexes; everything returned is verified. Recipes are named without their registry."""

    @property
    def own(self) -> str:
        """This registry's own name."""

    def names(self) -> tuple[str, ...]:
        """The registries that are known, sorted."""

    def newest(self, registry: str, name: str, ranges: Sequence[str]) -> OtherRelease:
        """The newest release that fits and may be chosen.

        Raises:
            ResolutionError: there is none.
            VerificationError, DownloadError: the index cannot be trusted, or not be reached.
            UsageError: nothing trusted is known about the registry.
        """

    def state(self, registry: str, name: str, label: str) -> ReleaseState | None:
        """What became of a release, as far as can be known now; None when nobody can be asked.

        Raises:
            VerificationError: the index can be reached, but not be trusted.
        """

    def kept(self, registry: str, pinned: Pinned) -> bytes:
        """What an index keeps by digest, from the cache if it is there; then nobody is asked.

        Raises:
            VerificationError, DownloadError: as for `newest`.
        """

    def warn(self, text: str) -> None:
        """Tell the user something once."""
