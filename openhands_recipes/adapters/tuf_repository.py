"""The index as a TUF repository (specification 1.0, succinct hash bins of TAP 15), kept in a folder.

Root and targets are signed by keys that stay offline; bins and the snapshot by whoever publishes releases;
the timestamp by a key of its own, which may live in another job. python-tuf makes and checks all of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    Targets,
    Timestamp,
)

from openhands_recipes.adapters.index_folder import TIMESTAMP, IndexFolder, blob_path, metadata_path
from openhands_recipes.adapters.index_keys import KEYS_MISSING, KeyFolders
from openhands_recipes.adapters.tuf_edit import TufEdit, read_blob
from openhands_recipes.adapters.tuf_rotation import rotate
from openhands_recipes.adapters.tuf_state import (
    BINS,
    TufState,
    check,
    damaged,
    expiry,
    load,
    load_state,
    newest_root,
    signed_by,
    target_content,
)
from openhands_recipes.errors import UsageError, VerificationError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.index import Pinned
from openhands_recipes.ports import Clock
from openhands_recipes.ports.index_site import Expiry, IndexEdit, IndexRole, NewIndex, Published


class TufRepository:
    """`ports.IndexRepository` in a folder."""

    def __init__(self, site: IndexFolder, keys: KeyFolders, clock: Clock) -> None:
        self._site = site
        self._keys = keys
        self._clock = clock

    def create(self, new: NewIndex) -> None:
        """Begin an empty index with new keys: the public half goes into the folder."""
        with self._site.locked():
            if self._site.read(metadata_path("root", 1)) is not None:
                hint = "a begun one without metadata/timestamp.json was cut off: remove it and its keys"
                raise UsageError("there is an index already", where=str(self._site.folder), hint=hint)
            roots = [self._keys.create("root")[0] for _ in range(new.root_keys)]
            online = {role: self._keys.create(role)[0] for role in ("targets", BINS, "snapshot", "timestamp")}
            self._write_first(new, roots, online)

    @contextlib.contextmanager
    def edit(self) -> Iterator[IndexEdit]:
        """Change it; others wait meanwhile."""
        with self._site.locked():
            yield TufEdit(self._site, self._keys, load_state(self._site), self._clock.now())

    def sign_timestamp(self) -> Published:
        """Say that the index is still the newest, and make a finished edit visible."""
        with self._site.locked():
            state = load_state(self._site)
            self._adopt_finished(state)
            edit = TufEdit(self._site, self._keys, state, self._clock.now())
            published = edit.publish_timestamp()
        if not published.visible:
            raise UsageError(
                "the timestamp key is not here", hint="name its folder with --keys", code=KEYS_MISSING
            )
        return published

    def rotate(self, role: IndexRole) -> tuple[str, ...]:
        """Replace a role's keys; returns the new key files."""
        with self._site.locked():
            return rotate(self._site, self._keys, role, self._clock.now())

    def walk(self) -> Iterator[tuple[str, bytes]]:
        """Every target, verified."""
        state = load_state(self._site)
        self._check_expiry(state)
        for name in state.bins:
            metadata = self._bin(state, name)
            for path in sorted(metadata.signed.targets):
                if state.bin_of(path) != name:
                    raise damaged(f"{name} lists a file that is not its own", path)
                yield path, target_content(self._site, metadata.signed.targets[path])

    def stray(self, known: frozenset[Digest]) -> Sequence[str]:
        """Blobs that nothing names."""
        expected = {blob_path(digest) for digest in known}
        return [path for path in self._site.files("blobs") if path not in expected]

    def blob(self, pinned: Pinned) -> bytes:
        """Bytes the index keeps by digest, verified."""
        return read_blob(self._site, pinned)

    def expiries(self) -> tuple[Expiry, ...]:
        """Until when each role is good, of the bins the first that ends."""
        state = load_state(self._site)
        parts = (state.root, state.targets, state.snapshot, state.timestamp)
        found = [Expiry(part.signed.type, part.signed.version, part.signed.expires) for part in parts]
        bins = (self._bin(state, name).signed for name in state.bins)
        first = min(bins, key=lambda signed: signed.expires)
        return (*found, Expiry(BINS, first.version, first.expires))

    def _bin(self, state: TufState, name: str) -> Metadata[Targets]:
        version = state.snapshot.signed.meta[f"{name}.json"].version
        metadata = load(self._site, metadata_path(name, version), Targets)
        check(state.targets.signed, name, metadata)
        if metadata.signed.version != version:
            raise damaged(f"{name} has version {metadata.signed.version}, not {version}")
        return metadata

    def _check_expiry(self, state: TufState) -> None:
        now = self._clock.now()
        for part in (state.root, state.timestamp, state.snapshot, state.targets):
            if part.signed.is_expired(now):
                raise VerificationError(
                    f"the {part.signed.type} of the index expired on {part.signed.expires:%F %H:%M} UTC",
                    where=str(self._site.folder), hint="sign it again: `ohr index sign-timestamp` or `add`",
                    code="OHR431",
                )  # fmt: skip

    def _adopt_finished(self, state: TufState) -> None:
        """An edit whose publisher has no timestamp key, or was killed just before: complete and signed."""
        path = metadata_path("snapshot", state.snapshot.signed.version + 1)
        if self._site.read(path) is None:
            return
        following = load(self._site, path, Snapshot)
        check(state.root.signed, "snapshot", following)
        version = following.signed.meta["targets.json"].version
        targets = load(self._site, metadata_path("targets", version), Targets)
        check(state.root.signed, "targets", targets)
        finished = TufState(state.root, state.timestamp, following, targets)
        for name in finished.bins:
            if following.signed.meta.get(f"{name}.json") != state.snapshot.signed.meta.get(f"{name}.json"):
                self._bin(finished, name)
        state.snapshot, state.targets = following, targets

    def _write_first(
        self, new: NewIndex, roots: Sequence[CryptoSigner], online: dict[str, CryptoSigner]
    ) -> None:
        now = self._clock.now()
        root = Root(consistent_snapshot=True, expires=expiry("root", now))
        for signer in roots:
            root.add_key(signer.public_key, "root")
        root.roles["root"].threshold = new.root_threshold
        for role in ("targets", "snapshot", "timestamp"):
            root.add_key(online[role].public_key, role)
        key = online[BINS].public_key
        succinct = SuccinctRoles([key.keyid], 1, new.bins.bit_length() - 1, BINS)
        timestamp = Timestamp(expires=expiry("timestamp", now))
        targets = Targets(
            expires=expiry("targets", now), delegations=Delegations({key.keyid: key}, succinct_roles=succinct)
        )
        snapshot = Snapshot(expires=expiry("snapshot", now))
        for name in succinct.get_roles():
            content = signed_by(
                Metadata(Targets(expires=expiry(name, now))), [online[BINS]], role=name, needed=1
            )
            self._site.write(metadata_path(name, 1), content)
            snapshot.meta[f"{name}.json"] = MetaFile(1)
        first: list[tuple[str, str, Metadata, Sequence[CryptoSigner]]] = [  # type: ignore[type-arg]  # any role
            ("targets", metadata_path("targets", 1), Metadata(targets), [online["targets"]]),
            ("snapshot", metadata_path("snapshot", 1), Metadata(snapshot), [online["snapshot"]]),
            ("root", metadata_path("root", 1), Metadata(root), roots),
            ("timestamp", TIMESTAMP, Metadata(timestamp), [online["timestamp"]]),
        ]  # fmt: skip
        for role, path, metadata, signers in first:
            content = signed_by(metadata, signers, role=role, needed=root.roles[role].threshold)
            self._site.write(path, content, durable=True)

    def trusted_root(self) -> bytes:
        """The newest root's file: what readers are given once, by a way they trust.

        Raises:
            UsageError: there is no index.
        """
        root = newest_root(self._site)
        return self._site.read(metadata_path("root", root.signed.version)) or b""
