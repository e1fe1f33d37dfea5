"""One edit of a TUF repository: new files under new names, signed from the bins up, the timestamp last.

A kill at any moment leaves files that nothing names; the next edit takes their names again.
"""

from __future__ import annotations

import re
from datetime import datetime

from tuf.api.metadata import Metadata, MetaFile, TargetFile, Targets

from openhands_recipes.adapters.index_folder import (
    TIMESTAMP,
    IndexFolder,
    blob_path,
    metadata_path,
    target_path,
)
from openhands_recipes.adapters.index_keys import KeyFolders
from openhands_recipes.adapters.tuf_state import (
    TufState,
    check,
    damaged,
    expiry,
    half_gone,
    load,
    signed_by,
    target_content,
)
from openhands_recipes.model.digest import digest_of, hex_of
from openhands_recipes.model.index import Pinned
from openhands_recipes.ports.index_site import Published

_EXPIRES = re.compile(rb'"expires":"([0-9T:-]+)Z"')


class TufEdit:
    """`ports.IndexEdit`; lives while the repository is locked."""

    def __init__(self, site: IndexFolder, keys: KeyFolders, state: TufState, now: datetime) -> None:
        self._site = site
        self._keys = keys
        self._state = state
        self._now = now
        self._bins: dict[str, Metadata[Targets]] = {}
        self._changed: set[str] = set()
        self._written = 0

    def read(self, path: str) -> bytes | None:
        """A target as it will be."""
        target = self._bin(self._state.bin_of(path)).signed.targets.get(path)
        return None if target is None else target_content(self._site, target)

    def put(self, path: str, content: bytes) -> None:
        """Add a target or replace it; the same bytes again change nothing."""
        name = self._state.bin_of(path)
        targets = self._bin(name).signed.targets
        sha256 = hex_of(digest_of(content))
        known = targets.get(path)
        if known is not None and known.hashes["sha256"] == sha256:
            return
        targets[path] = TargetFile(len(content), {"sha256": sha256}, path)
        self._changed.add(name)
        self._write(target_path(path, sha256), content)

    def blob(self, pinned: Pinned) -> bytes:
        """Bytes the index keeps by digest."""
        return read_blob(self._site, pinned)

    def keep(self, content: bytes) -> Pinned:
        """Keep bytes by digest."""
        digest = digest_of(content)
        self._write(blob_path(digest), content)
        return Pinned(digest, len(content))

    def publish(self) -> Published:
        """Sign everything that changed, and what expires soon; the timestamp comes last."""
        snapshot = self._state.snapshot
        renewed = half_gone("snapshot", snapshot.signed.expires, self._now)
        self._renew_bins()
        if self._changed or renewed:
            self.publish_bins()
            self.publish_snapshot()
        return self.publish_timestamp()

    def publish_bins(self) -> None:
        """Sign the bins that changed, and say so in the snapshot."""
        delegations = self._state.targets.signed.delegations
        if delegations is None or delegations.succinct_roles is None:
            raise damaged("the index has no bins")
        role = delegations.succinct_roles
        signers = self._keys.signers("bins", role.keyids)
        for name in sorted(self._changed):
            metadata = self._bin(name)
            self._next(metadata, name)
            content = signed_by(metadata, signers, role="bins", needed=role.threshold)
            self._write(metadata_path(name, metadata.signed.version), content)
            self._state.snapshot.signed.meta[f"{name}.json"] = MetaFile(metadata.signed.version)
        self._changed.clear()

    def publish_snapshot(self) -> None:
        """Sign what belongs together, when all of it is on the disk."""
        snapshot = self._state.snapshot
        self._next(snapshot, "snapshot")
        role = self._state.root.signed.roles["snapshot"]
        content = signed_by(
            snapshot, self._keys.signers("snapshot", role.keyids), role="snapshot", needed=role.threshold
        )
        self._write(metadata_path("snapshot", snapshot.signed.version), content)

    def publish_timestamp(self) -> Published:
        """Make it visible, if the timestamp key is here."""
        timestamp, snapshot = self._state.timestamp, self._state.snapshot
        version = snapshot.signed.version
        role = self._state.root.signed.roles["timestamp"]
        signers = self._keys.signers("timestamp", role.keyids)
        if len(signers) < role.threshold:
            return Published(version, self._written, visible=False)
        timestamp.signed.snapshot_meta = MetaFile(version)
        self._next(timestamp, "timestamp")
        content = signed_by(timestamp, signers, role="timestamp", needed=role.threshold)
        self._site.settle()
        self._site.write(TIMESTAMP, content, durable=True)
        return Published(version, self._written + 1, visible=True)

    def touch(self, name: str) -> None:
        """Have a bin signed again though nothing in it changed."""
        self._bin(name)
        self._changed.add(name)

    def _next(self, metadata: Metadata, role: str) -> None:  # type: ignore[type-arg]  # any role
        metadata.signed.version += 1
        metadata.signed.expires = expiry(role, self._now)

    def _renew_bins(self) -> None:
        """Bins whose signature grows old. Their files are searched, not parsed: there are hundreds."""
        for name in self._state.bins:
            if name in self._changed:
                continue
            version = self._state.snapshot.signed.meta[f"{name}.json"].version
            match = _EXPIRES.search(self._site.read(metadata_path(name, version)) or b"")
            if match is None:
                raise damaged("a file of the index is missing or malformed", metadata_path(name, version))
            if half_gone(name, datetime.fromisoformat(match[1].decode() + "+00:00"), self._now):
                self.touch(name)

    def _bin(self, name: str) -> Metadata[Targets]:
        if name not in self._bins:
            version = self._state.snapshot.signed.meta[f"{name}.json"].version
            metadata = load(self._site, metadata_path(name, version), Targets)
            check(self._state.targets.signed, name, metadata)
            self._bins[name] = metadata
        return self._bins[name]

    def _write(self, path: str, content: bytes) -> None:
        """Names that carry digests may be there from an edit that was cut off; metadata is written again."""
        if path.startswith("metadata/") or not self._site.has(path, len(content)):
            self._site.write(path, content)
            self._written += 1


def read_blob(site: IndexFolder, pinned: Pinned) -> bytes:
    """Bytes the index keeps by digest, verified.

    Raises:
        VerificationError: they are missing or damaged.
    """
    path = blob_path(pinned.digest)
    content = site.read(path)
    if content is None or digest_of(content) != pinned.digest:
        raise damaged(f"a file of the index is {'missing' if content is None else 'damaged'}", path)
    return content
