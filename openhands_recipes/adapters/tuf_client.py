"""Somebody's signed index, read with python-tuf's client: root to shard, and what shards name by digest.

What was verified is kept in the cache, by the trusted root and the place it came from, so that going back to
an older state is noticed, and the last state can be read offline until it expires.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock
from tuf.api import exceptions as tuf
from tuf.api.metadata import Snapshot, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig

from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.adapters.index_folder import TIMESTAMP, blob_path, metadata_path
from openhands_recipes.adapters.index_source import BASE, IndexFetcher, IndexSource, Pace, SourceAbsent
from openhands_recipes.adapters.tuf_faults import (
    ENDLESS,
    MISSING,
    MIXED,
    UNREACHABLE,
    WRONG_BYTES,
    translated,
)
from openhands_recipes.errors import DownloadError, OutsideError, RecipesError, VerificationError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.index import Pinned
from openhands_recipes.ports import Blobs, Clock

log = logging.getLogger(__name__)

LIMITS = UpdaterConfig(
    max_delegations=4,
    root_max_length=256_000,
    timestamp_max_length=16_000,
    snapshot_max_length=1_000_000,
    targets_max_length=4_000_000,
)
"""A host may send so much before a signature says how much it should be."""


@dataclass(frozen=True)
class ReadingRules:
    """How an index is read in this run."""

    offline: bool = False
    as_of: datetime | None = None
    """Judge dates as of then: for an index that has expired, said on every run."""
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True)
class TrustedFiles:
    """Verified metadata above the bins: what a copy needs besides them."""

    files: dict[str, bytes]
    snapshot: Snapshot
    targets: Targets

    @property
    def bins(self) -> list[str]:
        """The names of all bins, sorted."""
        delegations = self.targets.delegations
        roles = delegations.succinct_roles if delegations else None
        return sorted(roles.get_roles()) if roles else []

    def version_of(self, role: str) -> int:
        """A role's version in this snapshot.

        Raises:
            VerificationError: the snapshot does not know it.
        """
        meta = self.snapshot.meta.get(f"{role}.json")
        if meta is None:
            raise VerificationError(
                f"the files of the index do not belong together: no {role}", where="snapshot", code=MIXED
            )
        return meta.version


class TufIndexReader:
    """`ports.IndexReader`.

    Args:
        source: where files come from.
        root: the trusted root's bytes.
        folder: of the cache, for this source and root alone.
        blobs: bytes by digest, shared with all others.
        clock: says how old a cached target is.
        rules: how to read.
    """

    def __init__(  # noqa: PLR0913 - each is another door
        self,
        source: IndexSource,
        root: bytes,
        *,
        folder: Path,
        blobs: Blobs,
        clock: Clock,
        rules: ReadingRules = ReadingRules(),
    ) -> None:
        self._source = source
        self._root = root
        self._folder = folder
        self._blobs = blobs
        self._clock = clock
        self._rules = rules
        self._told: list[str] = []
        self._fetcher = IndexFetcher(source, rules.pace, self._kept)
        self._fetcher.offline = rules.offline

    @property
    def identity(self) -> str:
        """Where it is and by which root it is believed."""
        return f"{self._source.where} {digest_of(self._root)}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user must know of how it was read."""
        return tuple(self._told)

    def target(self, path: str) -> bytes | None:
        """A target, from the cache if it is still the same; None when the index has none of that name."""
        with self._translated(path), self._locked():
            found = self._updater.get_targetinfo(path)
            if found is None:
                return None
            content = self._content(found)
        self._remember(path, content)
        return content

    def cached_target(self, path: str, *, seconds: float) -> bytes | None:
        """A target verified not longer ago than that, without asking anybody; else None."""
        try:
            noted = json.loads(self._note(path).read_bytes())
            verified = datetime.fromisoformat(noted["verified"])
            content = (self._targets / quote(path, "")).read_bytes()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        age = self._clock.now() - verified
        fresh = timedelta(0) <= age <= timedelta(seconds=seconds)
        return content if fresh and noted.get("digest") == digest_of(content) else None

    def blob(self, pinned: Pinned) -> bytes:
        """Bytes the index keeps by digest, from the cache if they are there."""
        known = self._blobs.path(pinned.digest)
        if known is not None:
            content = known.read_bytes()
            if digest_of(content) == pinned.digest:
                return content
        content = self._fetched(pinned)
        self._blobs.add(content)
        return content

    def trusted_files(self) -> TrustedFiles:
        """The verified metadata above the bins, as files.

        Raises:
            VerificationError, DownloadError: as for `target`.
        """
        with self._translated("metadata"), self._locked():
            trusted = self._updater._trusted_set  # noqa: SLF001 - python-tuf has no other way to them
            versions = {"snapshot": trusted.snapshot.version, "targets": trusted.targets.version}
            named = {role: metadata_path(role, version) for role, version in versions.items()}
            files = {path: (self._metadata / f"{role}.json").read_bytes() for role, path in named.items()}
            roots = self._metadata / "root_history"
            for version in range(1, trusted.root.version + 1):
                kept = roots / f"{version}.root.json"
                if kept.exists():
                    files[metadata_path("root", version)] = kept.read_bytes()
            files[TIMESTAMP] = (self._metadata / "timestamp.json").read_bytes()
            return TrustedFiles(files, trusted.snapshot, trusted.targets)

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file of the source, bounded in its pace and verified by nobody yet."""
        return self._fetcher.pieces(path)

    def _content(self, target: TargetFile) -> bytes:
        path = self._updater.find_cached_target(target)
        if path is None:
            if self._fetcher.offline:
                raise DownloadError(
                    "this part of the index is not in the cache", where=target.path, code=UNREACHABLE,
                    hint="read it once while the index can be reached",
                )  # fmt: skip
            path = self._updater.download_target(target)
        return Path(path).read_bytes()

    def _fetched(self, pinned: Pinned) -> bytes:
        where = f"{self._source.where}/{blob_path(pinned.digest)}"
        content = bytearray()
        with self._translated(blob_path(pinned.digest)):
            if self._fetcher.offline:
                raise tuf.DownloadError("it is not in the cache")
            try:
                for piece in self._fetcher.pieces(blob_path(pinned.digest)):
                    content += piece
                    if len(content) > pinned.size:
                        raise VerificationError(
                            f"the index's host sends more than the {pinned.size} bytes that were signed",
                            where=where, code=ENDLESS,
                        )  # fmt: skip
            except SourceAbsent as error:
                raise VerificationError(
                    "the index's host lacks a file that was signed", where=where, code=MISSING
                ) from error
        if digest_of(bytes(content)) != pinned.digest:
            raise VerificationError(
                "a file of the index is not the one that was signed", where=where, code=WRONG_BYTES
            )
        return bytes(content)

    @cached_property
    def _updater(self) -> Updater:
        """Up to date as far as the rules and the network allow."""
        try:
            return self._refreshed()
        except tuf.DownloadError as error:
            if self._fetcher.offline or not _is_unreachable(error) or self._kept("timestamp") is None:
                raise
            self._told.append(f"the index cannot be reached ({error}); using what was verified before")
            self._fetcher.offline = True
            return self._refreshed()

    def _refreshed(self) -> Updater:
        for folder in (self._metadata, self._targets):
            folder.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            str(self._metadata),
            BASE + "metadata/",
            target_dir=str(self._targets),
            target_base_url=BASE + "targets/",
            fetcher=self._fetcher,
            config=LIMITS,
            bootstrap=self._root,
        )
        if self._rules.as_of is not None:
            # python-tuf has no public way to say what time it is.
            updater._trusted_set.reference_time = self._rules.as_of  # noqa: SLF001
            self._told.append(f"dates of the index are judged as of {self._rules.as_of:%F %H:%M} UTC")
        updater.refresh()
        return updater

    def _kept(self, role: str) -> bytes | None:
        try:
            return (self._metadata / f"{role}.json").read_bytes()
        except FileNotFoundError:
            return None

    @property
    def _metadata(self) -> Path:
        return self._folder / "metadata"

    @property
    def _targets(self) -> Path:
        return self._folder / "targets"

    def _note(self, path: str) -> Path:
        return self._folder / "verified" / f"{quote(path, '')}.json"

    def _remember(self, path: str, content: bytes) -> None:
        note = self._note(path)
        noted = {"digest": digest_of(content), "verified": self._clock.now().isoformat()}
        with contextlib.suppress(OSError):  # a full disk only costs the next run its time
            note.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(note, json.dumps(noted).encode())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """python-tuf wants its folders for itself."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / ".lock"):
            yield

    @contextlib.contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        where = f"{self._source.where}/{path}"
        try:
            yield
        except RecipesError:
            raise
        except (tuf.RepositoryError, tuf.DownloadError) as error:
            raise translated(error, where=where) from error
        except OSError as error:
            raise OutsideError(
                f"the cache cannot be used: {error.strerror}", where=str(self._folder)
            ) from error


def _is_unreachable(error: tuf.DownloadError) -> bool:
    """The network failed; everything else a host does wrong is told, never passed over."""
    kinds = (tuf.DownloadHTTPError, tuf.DownloadLengthMismatchError, tuf.SlowRetrievalError)
    return not isinstance(error, kinds)
