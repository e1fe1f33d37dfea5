"""What the gate's stages G to I ask the outside world: rooms to build in, advisories, secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from openhands_recipes.model.digest import Digest
    from openhands_recipes.model.release_record import ReleaseRecord


@dataclass(frozen=True)
class SecretHit:
    """Something that is, or may be, a secret. Never holds the secret itself."""

    line: int
    kind: str
    sure: bool
    """Whether it has the form some service gives its secrets."""


class SecretScan(Protocol):
    """Finds secrets in texts."""

    def __call__(self, text: str, *, guess: bool) -> Iterator[SecretHit]:
        """Secrets of a text by line; `guess`: also what only looks like one."""


class Advisories(Protocol):
    """An offline database of known vulnerabilities in OSV format."""

    def about(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """File and content of every advisory that names one of some packages, and perhaps of others.

        Raises:
            UsageError: there is no such database.
        """


class Releases(Protocol):
    """What was released so far."""

    def releases(self, name: str) -> Sequence[ReleaseRecord]:
        """The releases of one recipe, oldest version first."""


class Downloaded(Protocol):
    """Parts that are here already."""

    def lend(self, digests: Iterable[Digest]) -> None:
        """Give a room what is here of some files, each verified."""


Surroundings = Mapping[str, str]
"""The environment of this process."""
