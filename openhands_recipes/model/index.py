"""Index: what the signed catalogue of releases says (schema 1).

Plain dataclasses: looking up a recipe loads no pydantic. Readers skip entries of a schema they do not
know and report how many; everything else that is not as written here is a fault of the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest, parse

SCHEMA = 1
STATES = ("active", "deprecated", "yanked", "blocked")
WITHDRAWN = frozenset({"yanked", "blocked"})
"""No new resolution ever chooses these."""
MALFORMED = "OHR439"


class Pinned(NamedTuple):
    """Bytes known by digest and length."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """Whether a release may be used: since when, why, what to use instead, who said so."""

    name: str
    since: str
    reason: str | None = None
    successor: str | None = None
    by: int | str | None = None

    def to_json(self) -> dict[str, Any]:
        """As an entry holds it; what is not said is left out."""
        written: dict[str, Any] = {"name": self.name, "since": self.since}
        said = (("reason", self.reason), ("successor", self.successor), ("by", self.by))
        return written | {key: value for key, value in said if value is not None}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One release: which bytes it is, what proves it, and whether it may be used."""

    version: str
    revision: int
    index: Digest
    lock: Digest
    platforms: Mapping[str, Pinned]
    """Platform -> its image manifest and the bytes a registry stores for it."""
    evidence: Mapping[str, Digest]
    permissions: Digest
    commit: str
    state: ReleaseState
    recipe: Pinned | None = None
    """Recipe text and lock in one file among the index's blobs; None: not kept for others to extend."""

    @property
    def label(self) -> str:
        """`1.2.0-r3`."""
        return f"{self.version}-r{self.revision}"

    def to_json(self) -> dict[str, Any]:
        """As a shard holds it."""
        written: dict[str, Any] = {
            "schema": SCHEMA, "version": self.version, "revision": self.revision,
            "index": self.index, "lock": self.lock,
            "platforms": {k: {"manifest": v.digest, "size": v.size} for k, v in self.platforms.items()},
            "evidence": dict(self.evidence), "permissions": self.permissions, "commit": self.commit,
            "state": self.state.to_json(),
        }  # fmt: skip
        return written | ({"recipe": list(self.recipe)} if self.recipe else {})


@dataclass(frozen=True)
class Shard:
    """All releases of one recipe, newest first; older ones are in archives, a chain of blobs."""

    name: str
    about: Mapping[str, Any]
    """What the newest release says for people: summary, license, tags, tools, ..."""
    entries: tuple[IndexEntry, ...]
    older: Pinned | None = None
    archived: tuple[str, ...] = ()
    """Labels of the releases in archives, newest first; withdrawn ones end in `!`."""
    skipped: int = field(default=0, compare=False)
    """Entries of a schema newer than this reader."""


class Tombstone(NamedTuple):
    """A release that must not be chosen any more: what clusters read before they admit an image."""

    name: str
    label: str
    image: Digest
    state: ReleaseState


class Change(NamedTuple):
    """One line of the change log: what became of a release, and when."""

    since: str
    name: str
    label: str
    number: int
    """0: released; n: its nth change of state."""
    state: str


class ChangeHead(NamedTuple):
    """Where the change log ends: how many changes there are, and its newest segment."""

    total: int = 0
    last: Pinned | None = None


class Segment(NamedTuple):
    """A piece of the change log; `previous` is the one before it."""

    first: int
    """How many changes come before."""
    changes: tuple[Change, ...]
    previous: Pinned | None


class Catalogue(NamedTuple):
    """What the index says of itself."""

    name: str
    """The registry's, as in registry/recipe."""
    images: tuple[str, ...]
    """Where images are: HOST/NAMESPACE, best first."""
    position: str
    """The ledger's commit it was made from; empty before the first."""
    recipes: int = 0
    releases: int = 0
    changes: ChangeHead = ChangeHead()


class Listed(NamedTuple):
    """One recipe as search sees it."""

    name: str
    label: str
    state: str
    platforms: str
    """Separated by spaces, as are tags and tools."""
    tags: str
    tools: str
    summary: str


def entry_of(value: Mapping[str, Any]) -> IndexEntry:
    """An entry from a shard.

    Raises:
        VerificationError: it is no such entry.
    """
    try:
        state = ReleaseState(**value["state"])
        if state.name not in STATES:
            raise ValueError(f"unknown state {state.name!r}")  # noqa: TRY301 - told with all the others
        recipe = value.get("recipe")
        return IndexEntry(
            version=str(value["version"]),
            revision=int(value["revision"]),
            index=parse(value["index"]),
            lock=parse(value["lock"]),
            platforms={
                k: Pinned(parse(v["manifest"]), int(v["size"])) for k, v in value["platforms"].items()
            },
            evidence={k: parse(v) for k, v in value["evidence"].items()},
            permissions=parse(value["permissions"]),
            commit=str(value["commit"]),
            state=state,
            recipe=Pinned(parse(recipe[0]), int(recipe[1])) if recipe else None,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise malformed(f"an entry of the index is not understood ({error})") from error


def malformed(message: str, *, where: str | None = None) -> VerificationError:
    """What to say of signed bytes that make no sense."""
    hint = "upgrade, or tell the registry's maintainers: they signed it so"
    return VerificationError(message, where=where, hint=hint, code=MALFORMED)
