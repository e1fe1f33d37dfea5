"""New keys for a role of the index, without a moment in which any reader is turned away.

What the new key signs is signed by the old one as well and published first; only then comes the root that
names the new key alone. Where the old key is gone, the root comes first: readers are refused until the rest
is there, moments later.
"""

from __future__ import annotations

from datetime import datetime

from tuf.api.metadata import Metadata, MetaFile, Root
from tuf.api.serialization.json import JSONSerializer

from openhands_recipes.adapters.index_folder import IndexFolder, metadata_path
from openhands_recipes.adapters.index_keys import KEYS_MISSING, KeyFolders
from openhands_recipes.adapters.tuf_edit import TufEdit
from openhands_recipes.adapters.tuf_state import (
    BINS,
    TufState,
    damaged,
    expiry,
    load_state,
    signed_by,
)
from openhands_recipes.errors import UsageError
from openhands_recipes.ports.index_site import IndexRole


def rotate(site: IndexFolder, keys: KeyFolders, role: IndexRole, now: datetime) -> tuple[str, ...]:
    """Replace all keys of a role by as many new ones; returns the new key files.

    Raises:
        UsageError: a key that must sign is not here; nothing was changed then.
    """
    rotation = _Rotation(site, keys, now)
    match role:
        case "root":
            return rotation.root()
        case "bins":
            return rotation.bins()
        case _:
            return rotation.top_level(role)


class _Rotation:
    def __init__(self, site: IndexFolder, keys: KeyFolders, now: datetime) -> None:
        self._site = site
        self._keys = keys
        self._now = now
        self._state: TufState = load_state(site)
        self._edit = TufEdit(site, keys, self._state, now)
        self._root: Root = self._state.root.signed
        self._old_root = keys.signers("root", self._root.roles["root"].keyids)

    def root(self) -> tuple[str, ...]:
        """Signed by the old threshold and by all new keys."""
        self._need("root")
        old = list(self._root.roles["root"].keyids)
        made = [self._keys.create("root") for _ in old]
        for signer, _ in made:
            self._root.add_key(signer.public_key, "root")
        for keyid in old:
            self._root.revoke_key(keyid, "root")
        self._write_root()
        return tuple(str(path) for _, path in made)

    def top_level(self, role: IndexRole) -> tuple[str, ...]:
        """Targets, snapshot or timestamp: one key each."""
        needed = ["root", "snapshot", "timestamp"] if role == "targets" else ["root", "timestamp"]
        for other in needed:
            if other != role:
                self._need(other)
        old = list(self._root.roles[role].keyids)
        lost = not self._keys.signers(role, old)
        signer, path = self._keys.create(role)
        self._root.add_key(signer.public_key, role)
        if not lost:
            self._sign_anew(role)
        for keyid in old:
            self._root.revoke_key(keyid, role)
        self._write_root()
        if lost:
            self._sign_anew(role)
        return (str(path),)

    def bins(self) -> tuple[str, ...]:
        """All bins signed anew, and the targets that say by whom: visible at once with one snapshot."""
        for other in ("targets", "snapshot", "timestamp"):
            self._need(other)
        delegations = self._state.targets.signed.delegations
        if delegations is None or delegations.succinct_roles is None:
            raise damaged("the index has no bins")
        names = self._state.bins
        for name in names:
            self._edit.touch(name)
        signer, path = self._keys.create(BINS)
        delegations.keys = {signer.public_key.keyid: signer.public_key}
        delegations.succinct_roles.keyids = [signer.public_key.keyid]
        self._edit.publish_bins()
        self._sign_anew("targets")
        return (str(path),)

    def _sign_anew(self, role: IndexRole) -> None:
        """What the role signs, and everything above it, published."""
        if role == "targets":
            targets = self._state.targets
            targets.signed.version += 1
            targets.signed.expires = expiry("targets", self._now)
            signers = self._keys.signers("targets", self._root.roles["targets"].keyids)
            content = signed_by(targets, signers, role="targets", needed=1)
            self._site.write(metadata_path("targets", targets.signed.version), content)
            self._state.snapshot.signed.meta["targets.json"] = MetaFile(targets.signed.version)
        if role in ("targets", "snapshot"):
            self._edit.publish_snapshot()
        self._edit.publish_timestamp()

    def _write_root(self) -> None:
        """Version N + 1, signed by the threshold of N and by that of N + 1."""
        following = Metadata(self._root)
        self._root.version += 1
        self._root.expires = expiry("root", self._now)
        role = self._root.roles["root"]
        signers = {signer.public_key.keyid: signer for signer in self._old_root}
        signers |= {signer.public_key.keyid: signer for signer in self._keys.signers("root", role.keyids)}
        for signer in signers.values():
            following.sign(signer, append=True)
        content = following.to_bytes(JSONSerializer(compact=True))
        self._site.settle()
        self._site.write(metadata_path("root", self._root.version), content, durable=True)

    def _need(self, role: str) -> None:
        """Refuse to begin what cannot be finished."""
        wanted = self._root.roles[role]
        here = len(self._keys.signers(role, wanted.keyids))
        if here < wanted.threshold:
            raise UsageError(
                f"{here} of the {wanted.threshold} keys that must sign '{role}' are here",
                hint=f"name the folder of {role} keys with --keys", code=KEYS_MISSING,
            )  # fmt: skip
