"""What the index says of all recipes at once: the search bundle, names with versions, tombstones, itself.

The bundle is a text, one recipe a line, sorted; it is searched as it is (`find.py`), so that nobody has to
build a database first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from openhands_recipes.model.digest import Digest, canonical_json
from openhands_recipes.model.index import (
    SCHEMA,
    WITHDRAWN,
    Catalogue,
    ChangeHead,
    IndexEntry,
    Listed,
    ReleaseState,
    Shard,
    Tombstone,
    malformed,
)
from openhands_recipes.publish.index.changes import head_json
from openhands_recipes.publish.index.codec import json_of, packed, unpacked
from openhands_recipes.publish.index.shard import pinned_of

CATALOGUE = "index.json"
BUNDLE = "search.txt.zst"
NAMES = "names.txt.zst"
TOMBSTONES = "tombstones.json"
SEPARATOR = "\t"
ACTIVE = "active"
_HEADER = f"openhands-recipes search {SCHEMA}\n".encode()


def listed(shard: Shard, best: IndexEntry | None) -> Listed:
    """A recipe's line: what its best release offers, or its newest if none may be chosen."""
    entry = best or shard.entries[0]
    return Listed(
        name=shard.name,
        label=entry.label,
        state=entry.state.name,
        platforms=" ".join(sorted(entry.platforms)),
        tags=" ".join(shard.about.get("tags", ())),
        tools=" ".join(shard.about.get("tools", ())),
        summary=str(shard.about.get("summary", "")),
    )


def bundle_of(old: bytes, changed: Iterable[Listed]) -> bytes:
    """The search bundle with some recipes changed; `old` is the unpacked one, or empty."""
    lines = {line.partition(b"\t")[0]: line for line in _lines(old)}
    for one in changed:
        lines[one.name.encode()] = _line(one)
    return _HEADER + b"".join(lines[name] + b"\n" for name in sorted(lines))


def _line(one: Listed) -> bytes:
    """What goes without saying is left out: every byte of the bundle is unpacked and looked at."""
    short = one._replace(
        state="" if one.state == ACTIVE else one.state, platforms=one.platforms.replace("linux/", "")
    )
    return SEPARATOR.join(field.replace(SEPARATOR, " ").replace("\n", " ") for field in short).encode()


def read_line(line: bytes) -> Listed:
    """A recipe from its line of the bundle.

    Raises:
        VerificationError: it is none.
    """
    fields = line.decode(errors="replace").split(SEPARATOR)
    if len(fields) != len(Listed._fields):
        raise malformed("a line of the search bundle is not understood", where=BUNDLE)
    short = Listed(*fields)
    platforms = " ".join(f"linux/{word}" for word in short.platforms.split())
    return short._replace(state=short.state or ACTIVE, platforms=platforms)


def names_of(bundle: bytes) -> bytes:
    """The list of names with their best versions: the first three words of every line of the bundle."""
    words = (line.split(b"\t", 3)[:3] for line in _lines(bundle))
    return b"".join(b"%s %s %s\n" % (name, label, state or ACTIVE.encode()) for name, label, state in words)


def read_bundle(content: bytes) -> bytes:
    """The text of a packed bundle.

    Raises:
        VerificationError: it is none, or of a newer schema.
    """
    text = unpacked(content, where=BUNDLE)
    if not text.startswith(_HEADER):
        raise malformed("the search bundle is not of a known schema", where=BUNDLE)
    return text


def _lines(text: bytes) -> list[bytes]:
    return text.removeprefix(_HEADER).split(b"\n")[:-1]


def packed_list(text: bytes) -> bytes:
    """A list as it is kept."""
    return packed(text, is_list=True)


def read_names(content: bytes) -> dict[str, tuple[str, str]]:
    """Name -> label and state of its best release."""
    words = (line.split(" ") for line in unpacked(content, where=NAMES).decode().splitlines())
    return {name: (label, state) for name, label, state in words}


def tombstones_of(name: str, entries: Iterable[IndexEntry]) -> Iterator[Tombstone]:
    """The releases of a recipe that must not be chosen any more."""
    for entry in entries:
        if entry.state.name in WITHDRAWN:
            yield Tombstone(name, entry.label, entry.index, entry.state)


def write_tombstones(old: Iterable[Tombstone], changed: Mapping[str, Iterable[Tombstone]]) -> bytes:
    """The list of tombstones with those of some recipes replaced."""
    kept = [one for one in old if one.name not in changed]
    kept += [one for ones in changed.values() for one in ones]
    written = [
        {"name": one.name, "release": one.label, "index": one.image, "state": one.state.to_json()}
        for one in sorted(kept, key=lambda one: (one.name, one.label))
    ]
    return canonical_json({"schema": SCHEMA, "tombstones": written})


def read_tombstones(content: bytes) -> tuple[Tombstone, ...]:
    """The list from its file.

    Raises:
        VerificationError: it is no such list.
    """
    value = json_of(content, where=TOMBSTONES)
    try:
        return tuple(
            Tombstone(one["name"], one["release"], Digest(one["index"]), ReleaseState(**one["state"]))
            for one in value["tombstones"]
        )
    except (KeyError, TypeError) as error:
        raise malformed(f"the list of tombstones is not understood ({error})", where=TOMBSTONES) from error


def write_catalogue(catalogue: Catalogue) -> bytes:
    """What the index says of itself, as it is kept."""
    value = catalogue._asdict() | {"images": list(catalogue.images), "changes": head_json(catalogue.changes)}
    return canonical_json({"schema": SCHEMA, **value})


def read_catalogue(content: bytes) -> Catalogue:
    """The catalogue from its file.

    Raises:
        VerificationError: it is none.
    """
    value: dict[str, Any] = json_of(content, where=CATALOGUE)
    try:
        changes = ChangeHead(
            int(value["changes"]["total"]), pinned_of(value["changes"].get("last"), CATALOGUE)
        )
        return Catalogue(
            name=str(value["name"]),
            images=tuple(map(str, value["images"])),
            position=str(value["position"]),
            recipes=int(value["recipes"]),
            releases=int(value["releases"]),
            changes=changes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(f"the catalogue is not understood ({error})", where=CATALOGUE) from error
