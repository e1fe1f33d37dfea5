"""What a TUF repository in a folder says now, checked as a client would: the ground every edit stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, T, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from openhands_recipes.adapters.index_folder import (
    TIMESTAMP,
    IndexFolder,
    metadata_path,
    target_path,
)
from openhands_recipes.adapters.index_keys import KEYS_MISSING
from openhands_recipes.errors import UsageError, VerificationError
from openhands_recipes.model.digest import digest_of, hex_of

BINS = "bins"
DAMAGED = "OHR449"
LIFE = {
    "root": timedelta(days=365), "targets": timedelta(days=365), BINS: timedelta(days=365),
    "snapshot": timedelta(days=90), "timestamp": timedelta(hours=24),
}  # fmt: skip
"""How long signatures are good. Edits renew what has less than half of that left; the timestamp always."""


@dataclass
class TufState:
    """The metadata an edit starts from; bins are loaded when they are needed."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]

    def bin_of(self, path: str) -> str:
        """The bin that lists a target."""
        delegations = self.targets.signed.delegations
        assert delegations is not None  # noqa: S101 - every index of ours has them
        assert delegations.succinct_roles is not None  # noqa: S101 - the same
        return delegations.succinct_roles.get_role_for_target(path)

    @property
    def bins(self) -> list[str]:
        """The names of all bins, sorted."""
        delegations = self.targets.signed.delegations
        if delegations is None or delegations.succinct_roles is None:
            raise damaged("the index has no bins")
        return sorted(delegations.succinct_roles.get_roles())


def load_state(site: IndexFolder) -> TufState:
    """What the timestamp makes visible.

    Raises:
        UsageError: there is no index.
        VerificationError: the index is damaged.
    """
    root = newest_root(site)
    timestamp = load(site, TIMESTAMP, Timestamp)
    check(root.signed, "timestamp", timestamp)
    snapshot = load(site, metadata_path("snapshot", timestamp.signed.snapshot_meta.version), Snapshot)
    check(root.signed, "snapshot", snapshot)
    version = snapshot.signed.meta["targets.json"].version
    targets = load(site, metadata_path("targets", version), Targets)
    check(root.signed, "targets", targets)
    return TufState(root, timestamp, snapshot, targets)


def newest_root(site: IndexFolder) -> Metadata[Root]:
    """The last root of the chain, each signed by the one before and by itself.

    Raises:
        UsageError: there is none.
        VerificationError: the chain is broken.
    """
    if site.read(metadata_path("root", 1)) is None:
        raise UsageError("there is no index here", where=str(site.folder), hint="begin one: `ohr index init`")
    root = load(site, metadata_path("root", 1), Root)
    check(root.signed, "root", root)
    while site.read(path := metadata_path("root", root.signed.version + 1)) is not None:
        following = load(site, path, Root)
        check(root.signed, "root", following)
        check(following.signed, "root", following)
        root = following
    return root


def load(site: IndexFolder, path: str, kind: type[T]) -> Metadata[T]:
    """A metadata file, not yet trusted.

    Raises:
        VerificationError: it is missing or malformed.
    """
    content = site.read(path)
    if content is None:
        raise damaged("a file of the index is missing", path)
    try:
        metadata: Metadata[T] = Metadata[T].from_bytes(content)
    except RepositoryError as error:
        raise damaged(f"a file of the index is malformed ({error})", path) from error
    if not isinstance(metadata.signed, kind):
        raise damaged(f"a file of the index is a {metadata.signed.type}", path)
    return metadata


def check(delegator: Root | Targets, role: str, metadata: Metadata[T]) -> None:
    """Make sure that enough of a role's keys have signed.

    Raises:
        VerificationError: they have not.
    """
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise damaged(f"the {role} of the index is not signed as it must be ({error})") from error


def target_content(site: IndexFolder, target: TargetFile) -> bytes:
    """A target's bytes, verified.

    Raises:
        VerificationError: they are missing or damaged.
    """
    path = target_path(target.path, target.hashes["sha256"])
    content = site.read(path)
    if content is None or hex_of(digest_of(content)) != target.hashes["sha256"]:
        raise damaged(f"a file of the index is {'missing' if content is None else 'damaged'}", path)
    return content


def signed_by(metadata: Metadata[T], signers: Sequence[CryptoSigner], *, role: str, needed: int) -> bytes:
    """The file of newly signed metadata.

    Raises:
        UsageError: there are not enough keys.
    """
    if len(signers) < needed:
        raise UsageError(
            f"{len(signers)} of the {needed} keys that must sign '{role}' are here",
            hint=f"name the folder of {role} keys with --keys", code=KEYS_MISSING,
        )  # fmt: skip
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes(JSONSerializer(compact=True))


def expiry(role: str, now: datetime) -> datetime:
    """Until when something signed now is good."""
    return now.replace(microsecond=0) + LIFE[BINS if role.startswith(BINS) else role]


def half_gone(role: str, expires: datetime, now: datetime) -> bool:
    """Whether a signature should be renewed."""
    return expires - now < LIFE[BINS if role.startswith(BINS) else role] / 2


def damaged(message: str, where: str | None = None) -> VerificationError:
    """What to say of an index of our own that cannot be trusted."""
    hint = "restore the folder from a copy, or build it anew from the ledger"
    return VerificationError(message, where=where, hint=hint, code=DAMAGED)
