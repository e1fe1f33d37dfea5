"""`ohr search` and `ohr info`: what the signed index says, and which release is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openhands_recipes.compile.recipe.ranges import HINT, allows, parse_range
from openhands_recipes.errors import ResolutionError, UsageError, VerificationError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.index import WITHDRAWN, IndexEntry, ReleaseState, Shard, Tombstone
from openhands_recipes.ports.index_site import IndexReader
from openhands_recipes.publish.index.choose import Asked, best_of, matching, parse_asked, state_note
from openhands_recipes.publish.index.find import Bundle, Found, Query
from openhands_recipes.publish.index.lists import (
    BUNDLE,
    CATALOGUE,
    NAMES,
    TOMBSTONES,
    read_bundle,
    read_catalogue,
    read_names,
    read_tombstones,
)
from openhands_recipes.publish.index.shard import read_archive, read_shard, shard_path

__all__ = [
    "Asked",
    "Query",
    "Resolution",
    "image_places",
    "known_state",
    "parse_asked",
    "resolve",
    "search",
    "shard_of",
    "tombstones",
]

FRESH = 3600.0
"""Seconds for which a search bundle need not be asked for again."""
UNKNOWN, NONE_FITS, YANKED, BLOCKED = "OHR440", "OHR441", "OHR442", "OHR443"


@dataclass(frozen=True)
class Resolution:
    """A release of the index, and what its user must know."""

    shard: Shard
    entry: IndexEntry
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.shard.name


def search(reader: IndexReader, query: Query, *, limit: int = 20, fresh: bool = False) -> Found:
    """The best recipes for some words.

    Raises:
        VerificationError, DownloadError: the index cannot be trusted, or not be reached.
    """
    content = None if fresh else reader.cached_target(BUNDLE, seconds=FRESH)
    content = content or reader.target(BUNDLE)
    if content is None:
        raise _lacks(BUNDLE)
    return Bundle(read_bundle(content)).find(query, limit=limit)


def shard_of(reader: IndexReader, name: str) -> Shard:
    """Everything the index says of one recipe.

    Raises:
        ResolutionError: it knows no such recipe.
        VerificationError, DownloadError: the index cannot be trusted, or not be reached.
    """
    content = reader.target(shard_path(name))
    if content is None:
        raise ResolutionError(
            f"the index knows no recipe '{name}'", hint=f"look for it: `ohr search {name}`", code=UNKNOWN
        )
    return read_shard(content, name)


def resolve(reader: IndexReader, asked: Asked) -> Resolution:
    """The release somebody asks for.

    A digest finds its release whatever became of it, unless that was blocked; all else is new
    resolution, which withdrawn releases do not take part in.

    Raises:
        ResolutionError: there is none that fits, or it was withdrawn.
        VerificationError: the digest's release was blocked; or as for `shard_of`.
        UsageError: the range is none.
    """
    if asked.range:
        _check_range(asked.range)
    shard = shard_of(reader, asked.name)
    entry = _by_digest(reader, shard, asked) if asked.digest else _chosen(reader, shard, asked)
    notes = [state_note(shard.name, entry.label, entry.state)] if entry.state.name != "active" else []
    if shard.skipped:
        notes.append(f"{shard.skipped} releases of {shard.name} need a newer version of this tool")
    return Resolution(shard, entry, tuple(notes))


def known_state(reader: IndexReader, shard: Shard, label: str) -> ReleaseState:
    """What became of a release that a lock names.

    Raises:
        VerificationError: the index does not know it any more; nothing is ever taken out of one.
        DownloadError: it is in an archive that is not to be had.
    """
    return _entry(reader, shard, label).state


def image_places(reader: IndexReader) -> tuple[str, ...]:
    """Where the index says that images are: HOST/NAMESPACE, best first."""
    content = reader.target(CATALOGUE)
    if content is None:
        raise _lacks(CATALOGUE)
    return read_catalogue(content).images


def names(reader: IndexReader) -> tuple[str, ...]:
    """Every recipe that has a release which may be chosen."""
    content = reader.target(NAMES)
    if content is None:
        raise _lacks(NAMES)
    return tuple(name for name, (_, state) in read_names(content).items() if state not in WITHDRAWN)


def tombstones(reader: IndexReader) -> tuple[Tombstone, ...]:
    """Everything that was withdrawn."""
    content = reader.target(TOMBSTONES)
    if content is None:
        raise _lacks(TOMBSTONES)
    return read_tombstones(content)


def _check_range(text: str) -> None:
    try:
        parse_range(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is neither a version nor a range", hint=HINT) from error


def _chosen(reader: IndexReader, shard: Shard, asked: Asked) -> IndexEntry:
    states = _states(shard)
    label = best_of(states, asked, allows)
    if label is None:
        raise _nothing_fits(reader, shard, asked, states)
    return _entry(reader, shard, label)


def _by_digest(reader: IndexReader, shard: Shard, asked: Asked) -> IndexEntry:
    entry = _search(reader, shard, lambda one: asked.digest in _digests(one))
    if entry is None:
        raise ResolutionError(
            f"the index knows no release of '{shard.name}' with this digest", where=asked.digest,
            hint=f"see `ohr info {shard.name}`", code=NONE_FITS,
        )  # fmt: skip
    if entry.state.name == "blocked":
        raise VerificationError(
            state_note(shard.name, entry.label, entry.state), where=asked.digest,
            hint="blocked releases are never used again", code=BLOCKED,
        )  # fmt: skip
    return entry


def _digests(entry: IndexEntry) -> set[Digest]:
    return {entry.index, *(image.digest for image in entry.platforms.values())}


def _states(shard: Shard) -> dict[str, str]:
    """Label -> state of every release, archived ones as far as the shard says."""
    states = {entry.label: entry.state.name for entry in shard.entries}
    for label in shard.archived:
        states.setdefault(label.removesuffix("!"), "yanked" if label.endswith("!") else "active")
    return states


def _entry(reader: IndexReader, shard: Shard, label: str) -> IndexEntry:
    entry = _search(reader, shard, lambda one: one.label == label)
    if entry is None:
        raise VerificationError(
            f"the index lists {shard.name} {label}, but has no entry of it", code="OHR439"
        )
    return entry


def _search(reader: IndexReader, shard: Shard, wanted: Callable[[IndexEntry], bool]) -> IndexEntry | None:
    """The newest entry that is wanted; archives are read only as far as needed."""
    entries, older = shard.entries, shard.older
    while True:
        found = next(filter(wanted, entries), None)
        if found is not None or older is None:
            return found
        entries, older = read_archive(reader.blob(older), shard.name)


def _nothing_fits(
    reader: IndexReader, shard: Shard, asked: Asked, states: Mapping[str, str]
) -> ResolutionError:
    withdrawn = [label for label in matching(states, asked, allows) if states[label] in WITHDRAWN]
    if not withdrawn:
        known = ", ".join(list(states)[:5])
        return ResolutionError(f"no release fits '{asked}'", hint=f"newest releases: {known}", code=NONE_FITS)
    entry = _entry(reader, shard, withdrawn[0])
    blocked = entry.state.name == "blocked"
    return ResolutionError(
        state_note(shard.name, entry.label, entry.state),
        hint=None if blocked else f"locked digests still pull: `ohr pull {shard.name}@{entry.index}`",
        code=BLOCKED if blocked else YANKED,
    )


def _lacks(path: str) -> VerificationError:
    return VerificationError("the index lacks one of its lists", where=path, code="OHR439")
