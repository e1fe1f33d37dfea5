"""Shards: what the index says of one recipe.

The file of a recipe holds its newest 32 to 47 releases; older ones move, 16 at a time, into archives, which
never change unless a release in them does. Releases are ordered by the moment they were released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.index import (
    SCHEMA,
    WITHDRAWN,
    IndexEntry,
    Pinned,
    ReleaseState,
    Shard,
    entry_of,
    malformed,
)
from openhands_recipes.publish.index.codec import json_of, packed_json, unpacked

if TYPE_CHECKING:  # pydantic takes memory, and readers need none of it
    from openhands_recipes.model.release_history import Released
    from openhands_recipes.model.release_record import ReleaseRecord, State

NEWEST = 32
ARCHIVE = 16


class ShardFiles(NamedTuple):
    """A shard and the bytes it is kept as."""

    shard: Shard
    content: bytes
    archives: tuple[bytes, ...]
    """Oldest first."""
    entries: tuple[IndexEntry, ...]
    """All of them, archived ones included, newest first."""


def shard_path(name: str) -> str:
    """The target a recipe's shard is."""
    return f"shards/{name[:2]}/{name}.json.zst"


def shard_files(
    name: str, releases: Iterable[Released], kept: Mapping[str, Pinned] | None = None
) -> ShardFiles:
    """A recipe's shard and archives; the order of `releases` does not matter.

    `kept` says by label where recipe and lock of a release are, for others to extend.
    """
    ordered = sorted(releases, key=_released_at)
    known = kept or {}
    labels = [f"{one.record.version}-r{one.record.revision}" for one in ordered]
    entries = [entry_from(one, known.get(label)) for one, label in zip(ordered, labels, strict=True)]
    old = max(0, (len(entries) - NEWEST) // ARCHIVE * ARCHIVE)
    archives: list[bytes] = []
    older: Pinned | None = None
    for first in range(0, old, ARCHIVE):
        archives.append(_archive(name, entries[first : first + ARCHIVE][::-1], older))
        older = Pinned(digest_of(archives[-1]), len(archives[-1]))
    shard = Shard(
        name=name,
        about=_about(ordered[-1].record),
        entries=tuple(reversed(entries[old:])),
        older=older,
        archived=archived_labels(entries[:old][::-1]),
    )
    return ShardFiles(shard, _written(shard), tuple(archives), tuple(reversed(entries)))


def entry_from(released: Released, kept: Pinned | None = None) -> IndexEntry:
    """What the index keeps of a release."""
    record = released.record
    evidence = {
        "signature": record.evidence.signature, "provenance": record.evidence.provenance,
        "sbom": record.evidence.sbom, "tests": record.evidence.tests,
    }  # fmt: skip
    return IndexEntry(
        version=record.version,
        revision=record.revision,
        index=Digest(record.index),
        lock=Digest(record.lock),
        platforms={k: Pinned(Digest(p.manifest), p.size) for k, p in sorted(record.platforms.items())},
        evidence={kind: Digest(digest) for kind, digest in evidence.items() if digest},
        permissions=Digest(record.permissions),
        commit=record.commit,
        state=state_from(record.state),
        recipe=kept,
    )


def state_from(state: State) -> ReleaseState:
    """A state as the index says it."""
    return ReleaseState(state.name, state.since, state.reason, state.successor, state.by)


def read_shard(content: bytes, name: str) -> Shard:
    """A shard from its file; entries of a newer schema are counted, not read.

    Raises:
        VerificationError: it is no shard of this recipe.
    """
    value = json_of(unpacked(content, where=name), where=name)
    if value.get("name") != name:
        raise malformed(f"the shard of '{name}' speaks of {value.get('name')!r}")
    entries, skipped = _entries(value, name)
    try:
        archived, about = tuple(map(str, value.get("archived", ()))), dict(value["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(f"the shard of '{name}' is not understood ({error})") from error
    return Shard(name, about, entries, _older(value, name), archived, skipped)


def read_archive(content: bytes, name: str) -> tuple[tuple[IndexEntry, ...], Pinned | None]:
    """An archive's releases, newest first, and the archive before it."""
    value = json_of(unpacked(content, where=name), where=name)
    if value.get("name") != name:
        raise malformed(f"an archive of '{name}' speaks of {value.get('name')!r}")
    return _entries(value, name)[0], _older(value, name)


def _released_at(released: Released) -> tuple[str, str, int]:
    record = released.record
    return record.released, record.version, record.revision


def _about(record: ReleaseRecord) -> dict[str, Any]:
    return {key: value for key, value in record.about.model_dump(mode="json").items() if value}


def archived_labels(entries: Iterable[IndexEntry]) -> tuple[str, ...]:
    """Archived releases as their shard lists them."""
    return tuple(entry.label + ("!" if entry.state.name in WITHDRAWN else "") for entry in entries)


def _archive(name: str, entries: Sequence[IndexEntry], older: Pinned | None) -> bytes:
    value = {"schema": SCHEMA, "name": name, "entries": [entry.to_json() for entry in entries]}
    return packed_json(value | _pinned(older))


def _written(shard: Shard) -> bytes:
    value: dict[str, Any] = {
        "schema": SCHEMA, "name": shard.name, "about": shard.about,
        "entries": [entry.to_json() for entry in shard.entries],
    }  # fmt: skip
    archived = {"archived": list(shard.archived)} if shard.archived else {}
    return packed_json(value | archived | _pinned(shard.older))


def _pinned(older: Pinned | None) -> dict[str, Any]:
    return {"older": {"digest": older.digest, "size": older.size}} if older else {}


def pinned_of(value: Any, where: str) -> Pinned | None:  # noqa: ANN401 - a value from JSON
    """A pin as it stands in a file, or None where there is none.

    Raises:
        VerificationError: it is something else.
    """
    if value is None:
        return None
    try:
        return Pinned(Digest(str(value["digest"])), int(value["size"]))
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(f"a pin is not understood ({error})", where=where) from error


def _older(value: dict[str, Any], name: str) -> Pinned | None:
    return pinned_of(value.get("older"), name)


def _entries(value: dict[str, Any], name: str) -> tuple[tuple[IndexEntry, ...], int]:
    listed = value.get("entries")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise malformed(f"the shard of '{name}' has no entries")
    known = [one for one in listed if one.get("schema") == SCHEMA]
    return tuple(map(entry_of, known)), len(listed) - len(known)
