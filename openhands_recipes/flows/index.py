"""`ohr index`: bring the signed index up to date with the ledger, and look it over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from openhands_recipes.compile.recipe.ranges import allows
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.index import (
    Catalogue,
    Change,
    IndexEntry,
    Listed,
    Pinned,
    ReleaseState,
    Shard,
    Tombstone,
    malformed,
)
from openhands_recipes.model.kept import KeptLevel
from openhands_recipes.model.release_history import Released
from openhands_recipes.model.release_record import ReleaseRecord, StateChange
from openhands_recipes.ports import Ledger, Progress, SignedChange
from openhands_recipes.ports.index_site import IndexEdit, IndexRepository, Published
from openhands_recipes.publish.index.changes import changes_of, extended, news, read_segment
from openhands_recipes.publish.index.choose import Asked, best_of
from openhands_recipes.publish.index.kept import lineage_to_keep, read_kept, write_kept
from openhands_recipes.publish.index.lists import (
    BUNDLE,
    CATALOGUE,
    NAMES,
    TOMBSTONES,
    bundle_of,
    listed,
    names_of,
    packed_list,
    read_bundle,
    read_catalogue,
    read_tombstones,
    tombstones_of,
    write_catalogue,
    write_tombstones,
)
from openhands_recipes.publish.index.shard import (
    archived_labels,
    read_archive,
    read_shard,
    shard_files,
    shard_path,
)

Verify = Callable[[ReleaseRecord, SignedChange], StateChange]
"""A change of state that may be believed, else VerificationError."""


ReleasedTexts = Callable[[str, str, Digest], KeptLevel | None]
"""Commit, recipe and the digest of its lock -> its texts; None when they are not to be had."""


@dataclass(frozen=True)
class AddReport:
    """What an `add` did."""

    changed: tuple[str, ...]
    catalogue: Catalogue
    published: Published


def add(
    ledger: Ledger,
    repository: IndexRepository,
    *,
    verify: Verify,
    progress: Progress,
    texts: ReleasedTexts | None = None,
) -> AddReport:
    """Bring the index up to date with the ledger; with nothing new it is signed as still the newest.

    Where `texts` has recipe and lock of a release with its whole lineage, they are kept for others to extend.

    Raises:
        LedgerError: the ledger cannot be read.
        VerificationError: the index is damaged, or a change of state is not signed by a trusted key.
        UsageError: a key is missing.
    """
    with repository.edit() as edit:
        old = _catalogue(edit)
        head = ledger.head() or ""
        names = ledger.names_changed(old.position or None) if head != old.position else ()
        if not names:
            return AddReport((), old, edit.publish())
        update = _Update(edit, old, texts)
        with progress.stage("shards", total=len(names)) as stage:
            for name in names:
                update.recipe(name, _released(ledger, name, verify))
                stage.advance()
        with progress.stage("lists"):
            catalogue = update.lists(position=head)
        with progress.stage("sign"):
            return AddReport(tuple(names), catalogue, edit.publish())


def name_index(repository: IndexRepository, *, name: str, images: tuple[str, ...]) -> Published:
    """Give an index its name and the places of its images; everything else stays."""
    with repository.edit() as edit:
        edit.put(CATALOGUE, write_catalogue(_catalogue(edit)._replace(name=name, images=images)))
        if edit.read(BUNDLE) is None:
            _put_lists(edit, bundle_of(b"", ()), write_tombstones((), {}))
        return edit.publish()


@dataclass(frozen=True)
class VerifyReport:
    """What a look at every byte found."""

    targets: int
    blobs: int
    recipes: int
    releases: int
    changes: int
    stray: tuple[str, ...]


def verify(repository: IndexRepository, *, progress: Progress) -> VerifyReport:
    """Read every byte of an index, and see that its parts say the same.

    Raises:
        VerificationError: anything is missing, damaged, unsigned or contradictory.
    """
    survey = _Survey(repository)
    with progress.stage("verify") as stage:
        for path, content in repository.walk():
            survey.target(path, content)
            stage.advance()
    return survey.report()


def _released(ledger: Ledger, name: str, verify: Verify) -> list[Released]:
    records = {(r.version, r.revision): r for r in ledger.releases(name)}
    changes: dict[tuple[str, int], list[StateChange]] = {}
    for signed in ledger.changes(name):
        place = (signed.change.version, signed.change.revision)
        if place in records:
            changes.setdefault(place, []).append(verify(records[place], signed))
    return [Released(record, tuple(changes.get(place, ()))) for place, record in records.items()]


def _catalogue(edit: IndexEdit) -> Catalogue:
    content = edit.read(CATALOGUE)
    return read_catalogue(content) if content is not None else Catalogue("", (), "")


def _put_lists(edit: IndexEdit, bundle: bytes, tombstones: bytes) -> None:
    edit.put(BUNDLE, packed_list(bundle))
    edit.put(NAMES, packed_list(names_of(bundle)))
    edit.put(TOMBSTONES, tombstones)


@dataclass
class _Update:
    """What is gathered while shards are written."""

    edit: IndexEdit
    old: Catalogue
    texts: ReleasedTexts | None = None
    listed: list[Listed] = field(default_factory=list)
    tombstones: dict[str, list[Tombstone]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    _kept: dict[tuple[str, str], Pinned] = field(default_factory=dict)
    new_recipes: int = 0
    new_releases: int = 0

    def recipe(self, name: str, releases: list[Released]) -> None:
        """A recipe's shard and archives; what it means for the lists is noted."""
        before = self._known(name)
        kept = {_label(r.record): k for r in releases if (k := self._keep(r.record)) is not None}
        files = shard_files(name, releases, kept)
        for archive in files.archives:
            self.edit.keep(archive)
        self.edit.put(shard_path(name), files.content)
        self.listed.append(listed(files.shard, _best(files.entries)))
        self.tombstones[name] = list(tombstones_of(name, files.entries))
        self.changes += news(changes_of(releases), before)
        self.new_recipes += not before
        self.new_releases += len(releases) - len(before)

    def lists(self, *, position: str) -> Catalogue:
        """The lists of all recipes, the change log, and the catalogue."""
        old_bundle, old_tombstones = self.edit.read(BUNDLE), self.edit.read(TOMBSTONES)
        bundle = bundle_of(read_bundle(old_bundle) if old_bundle else b"", self.listed)
        buried = read_tombstones(old_tombstones) if old_tombstones else ()
        _put_lists(self.edit, bundle, write_tombstones(buried, self.tombstones))
        log = extended(self.old.changes, self.changes, self.edit.blob)
        for segment in log.segments:
            self.edit.keep(segment)
        catalogue = self.old._replace(
            position=position,
            recipes=self.old.recipes + self.new_recipes,
            releases=self.old.releases + self.new_releases,
            changes=log.head,
        )
        self.edit.put(CATALOGUE, write_catalogue(catalogue))
        return catalogue

    def _known(self, name: str) -> dict[str, ReleaseState]:
        """What the index says of a recipe so far."""
        content = self.edit.read(shard_path(name))
        if content is None:
            return {}
        entries = _all_entries(read_shard(content, name), self.edit.blob)
        self._kept |= {(name, entry.label): entry.recipe for entry in entries if entry.recipe}
        return {entry.label: entry.state for entry in entries}

    def _keep(self, record: ReleaseRecord) -> Pinned | None:
        """Where the texts of a release are; what was kept once stays."""
        known = self._kept.get((record.name, _label(record)))
        if known is not None or self.texts is None or not record.commit:
            return known
        texts, commit = self.texts, record.commit
        levels = lineage_to_keep(
            record.name, Digest(record.lock), lambda name, lock: texts(commit, name, lock)
        )
        return self.edit.keep(write_kept(levels)) if levels is not None else None


def _label(record: ReleaseRecord) -> str:
    return f"{record.version}-r{record.revision}"


def _all_entries(shard: Shard, blob: Callable[[Pinned], bytes]) -> list[IndexEntry]:
    entries, older = list(shard.entries), shard.older
    while older is not None:
        archived, older = read_archive(blob(older), shard.name)
        entries += archived
    return entries


def _best(entries: Iterable[IndexEntry]) -> IndexEntry | None:
    by_label = {entry.label: entry for entry in entries}
    label = best_of({k: e.state.name for k, e in by_label.items()}, Asked(""), allows)
    return by_label[label] if label else None


class _Survey:
    """Goes through an index once and compares what its parts say."""

    def __init__(self, repository: IndexRepository) -> None:
        self._repository = repository
        self._blobs: set[Digest] = set()
        self._lists: dict[str, bytes] = {}
        self._listed: dict[str, Listed] = {}
        self._tombstones: set[Tombstone] = set()
        self._states: dict[tuple[str, str], str] = {}
        self._targets = 0

    def target(self, path: str, content: bytes) -> None:
        """Look at one target."""
        self._targets += 1
        if not path.startswith("shards/"):
            self._lists[path] = content
            return
        name = path.rpartition("/")[2].removesuffix(".json.zst")
        if shard_path(name) != path:
            raise malformed("a shard lies at another place than its own", where=path)
        shard = read_shard(content, name)
        entries = _all_entries(shard, self._blob)
        if shard.archived != archived_labels(entries[len(shard.entries) :]):
            raise malformed(f"the shard of '{name}' lists other archived releases than it has", where=path)
        for entry in entries:
            if entry.recipe is not None:
                read_kept(self._blob(entry.recipe), name=name, lock=entry.lock)
        self._listed[name] = listed(shard, _best(entries))
        self._tombstones |= set(tombstones_of(name, entries))
        self._states |= {(name, entry.label): entry.state.name for entry in entries}

    def report(self) -> VerifyReport:
        """What was found, if everything agrees."""
        catalogue = read_catalogue(self._list(CATALOGUE))
        bundle = read_bundle(self._list(BUNDLE))
        self._agree(BUNDLE, bundle == bundle_of(b"", self._listed.values()))
        self._agree(NAMES, self._list(NAMES) == packed_list(names_of(bundle)))
        self._agree(TOMBSTONES, set(read_tombstones(self._list(TOMBSTONES))) == self._tombstones)
        self._agree(
            CATALOGUE, (catalogue.recipes, catalogue.releases) == (len(self._listed), len(self._states))
        )
        self._agree("change log", self._logged(catalogue) == self._states)
        stray = tuple(self._repository.stray(frozenset(self._blobs)))
        return VerifyReport(
            targets=self._targets,
            blobs=len(self._blobs),
            recipes=catalogue.recipes,
            releases=catalogue.releases,
            changes=catalogue.changes.total,
            stray=stray,
        )

    def _logged(self, catalogue: Catalogue) -> dict[tuple[str, str], str]:
        """The state of every release as the change log tells it."""
        segments, last = [], catalogue.changes.last
        while last is not None:
            segments.append(read_segment(self._blob(last)))
            last = segments[-1].previous
        changes = [change for segment in reversed(segments) for change in segment.changes]
        if changes != sorted(changes) or len(changes) != catalogue.changes.total:
            raise malformed("the change log is not in order")
        return {(c.name, c.label): c.state for c in sorted(changes, key=lambda c: c.number)}

    def _blob(self, pinned: Pinned) -> bytes:
        self._blobs.add(pinned.digest)
        return self._repository.blob(pinned)

    def _list(self, path: str) -> bytes:
        if path not in self._lists:
            raise malformed("the index lacks one of its lists", where=path)
        return self._lists[path]

    def _agree(self, path: str, same: object) -> None:
        if not same:
            raise VerificationError(
                "a list of the index says something else than its shards", where=path, code="OHR449",
                hint="build the index anew from the ledger",
            )  # fmt: skip
