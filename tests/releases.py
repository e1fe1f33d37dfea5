"""Releases for tests: small real images with locks and proofs, keys, a ledger and a registry in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from openhands_recipes.adapters.keys import FileSigningKey, read_signing_key
from openhands_recipes.errors import LedgerConflictError
from openhands_recipes.flows.candidate import Candidate
from openhands_recipes.flows.release import ReleaseDoors
from openhands_recipes.flows.release_signer import KeySigner
from openhands_recipes.model.digest import Digest, canonical_json, digest_of, hex_of
from openhands_recipes.model.image import CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE, Descriptor, Image
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.model.release_record import About, ReleaseRecord, StateChange
from openhands_recipes.ports import PushOrder, PushReport, SignedChange, Stage
from openhands_recipes.ports.artifacts import StoredManifest
from openhands_recipes.publish.provenance import Origin
from openhands_recipes.publish.test_result import Proof
from tests.fakes import FixedClock, QuietProgress
from tests.integration.sample_image import make_sample, tree_layer

CREATED = "2026-11-22T02:09:05Z"
ADDRESS = RegistryAddress("registry.example.com", "team")
COMMIT = "c" * 40
LOCK = {
    "schema": 1,
    "recipe": "sample",
    "version": "1.0.0",
    "recipe_digest": "sha256:" + "1" * 64,
    "inputs": {},
    "parents": [],
    "rules": {"layers": 1, "configure": 1, "codec": {"name": "zstd", "library": "1.5.7", "level": 3}},
    "debian": {"suites": ["trixie"], "release_date": CREATED, "release": "sha256:" + "2" * 64},
    "platforms": {
        "linux/amd64": {
            "debs": [
                {
                    "name": "libstdc++6", "version": "1:14.2.0-19", "architecture": "amd64",
                    "suite": "trixie",
                    "path": "pool/main/g/gcc-14/libstdc++6_14.2.0-19_amd64.deb", "size": 7,
                    "installed_size": 9, "source": "gcc-14", "sha256": "a" * 64,
                }
            ],
            "wheels": [
                {
                    "name": "numpy", "version": "2.2.1", "file": "numpy-2.2.1-cp313-cp313-linux_x86_64.whl",
                    "size": 3, "sha256": "b" * 64, "into": "python",
                },
                {
                    "name": "func-timeout", "version": "4.3.5", "file": "func_timeout-4.3.5-py3-none-any.whl",
                    "size": 3, "sha256": "c" * 64, "into": "python",
                    "built_from": {
                        "file": "func_timeout-4.3.5.tar.gz", "size": 4, "sha256": "d" * 64,
                        "requirements": [],
                    },
                },
            ],
            "tarballs": [
                {
                    "name": "@types/node", "version": "22.1.0", "file": "node-22.1.0.tgz",
                    "integrity": "sha512-" + "A" * 86 + "==", "size": 5, "sha256": "e" * 64,
                }
            ],
        },
        "linux/arm64": {
            "debs": [
                {
                    "name": "libstdc++6", "version": "1:14.2.0-19", "architecture": "arm64",
                    "suite": "trixie",
                    "path": "pool/main/g/gcc-14/libstdc++6_14.2.0-19_arm64.deb", "size": 7,
                    "installed_size": 9, "source": "gcc-14", "sha256": "f" * 64,
                }
            ]
        },
    },
}  # fmt: skip


# --- keys ----------------------------------------------------------------------------------------------


def key_file(folder: Path, *, kind: str = "ecdsa", password: str = "") -> tuple[Path, Path]:
    """A new private key and its public half, PEM."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else ed25519.Ed25519PrivateKey.generate()
    folder.mkdir(parents=True, exist_ok=True)
    private, public = folder / f"{kind}.key", folder / f"{kind}.pub"
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    )
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def new_key() -> FileSigningKey:
    return FileSigningKey(ec.generate_private_key(ec.SECP256R1()))


def signer_of(private: Path) -> KeySigner:
    return KeySigner(read_signing_key(private, password=lambda: ""))


# --- what is released ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """A candidate and where its layers lie."""

    candidate: Candidate
    folder: Path

    def blob(self, digest: Digest) -> Path:
        return self.folder / "blobs" / "sha256" / hex_of(digest)


def sample(
    folder: Path,
    content: bytes = b"hello",
    *,
    name: str = "sample",
    version: str = "1.0.0",
    platforms: Sequence[Platform] = ("linux/amd64",),
    tested: bool = True,
) -> Sample:
    """A small release; other content, other digests."""
    layers = [("sample/files", tree_layer({"usr/bin/sample": content}))]
    made = make_sample(folder, layers, name=name, version=version).image
    images = tuple(on_platform(made, platform) for platform in platforms)
    lock = Lock.model_validate(LOCK | {"recipe": name, "version": version})
    proofs = {i.platform: Proof(i.digest, i.platform, ("contract: has bash", "tests: runs")) for i in images}
    return Sample(
        Candidate(
            about=About(summary="An example", license="MIT", tags=("example",), created=CREATED),
            images=images,
            locks=((lock, digest_of(content)),),
            permissions=digest_of(b"permissions"),
            proofs=proofs if tested else {},
            licenses={"b" * 64: "BSD-3-Clause"},
        ),
        folder,
    )


def on_platform(image: Image, platform: Platform) -> Image:
    """The same layers under the config of another platform."""
    config = canonical_json(json.loads(image.config) | {"architecture": platform.partition("/")[2]})
    described = Descriptor(CONFIG_TYPE, digest_of(config), len(config)).to_json()
    manifest = canonical_json(json.loads(image.manifest) | {"config": described})
    return replace(image, platform=platform, config=config, manifest=manifest)


# --- the world in memory -----------------------------------------------------------------------------------


@dataclass
class MemoryLedger:
    """`ports.Ledger` as a list; `before_append` is where tests let others be faster."""

    kept: list[ReleaseRecord] = field(default_factory=list)
    signed: list[SignedChange] = field(default_factory=list)
    before_append: Callable[[], None] = lambda: None

    def head(self) -> str | None:
        return str(len(self.kept) + len(self.signed)) if self.kept else None

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({record.name for record in self.kept}))

    def records(self) -> Iterator[ReleaseRecord]:
        for record in self.kept:
            states = [one.change.state for one in self.signed if _same_release(one.change, record)]
            yield record.with_state(states[-1]) if states else record

    def releases(self, name: str) -> tuple[ReleaseRecord, ...]:
        return tuple(record for record in self.records() if record.name == name)

    def record(self, name: str, version: str, revision: int) -> ReleaseRecord | None:
        known = (r for r in self.releases(name) if (r.version, r.revision) == (version, revision))
        return next(known, None)

    def changes(self, name: str) -> tuple[SignedChange, ...]:
        return tuple(one for one in self.signed if one.change.name == name)

    def names_changed(self, since: str | None) -> tuple[str, ...]:  # noqa: ARG002 - the port's signature
        return self.names()

    def append(
        self,
        records: Sequence[ReleaseRecord],
        changes: Sequence[SignedChange] = (),
        *,
        expected: str | None,
        reason: str,  # noqa: ARG002
    ) -> str:
        self.before_append()
        if self.head() != expected:
            raise LedgerConflictError("somebody else wrote")
        self.kept += records
        self.signed += changes
        return str(self.head())


def _same_release(change: StateChange, record: ReleaseRecord) -> bool:
    told = (change.name, change.version, change.revision)
    return told == (record.name, record.version, record.revision)


@dataclass
class MemoryRegistry:
    """`ports.ArtifactRegistry` as three dicts; `native` ones list referrers themselves."""

    native: bool = False
    manifests: dict[tuple[str, str], StoredManifest] = field(default_factory=dict)
    """By digest and by tag."""
    blobs: dict[tuple[str, Digest], bytes] = field(default_factory=dict)

    def push(
        self, order: PushOrder, *, blobs: Callable[[Digest], Path], stage: Stage | None = None
    ) -> PushReport:
        where, index = order.repository, order.index or b""
        sent = 0
        for image in order.images:
            for content in (image.config, *(blobs(layer.digest).read_bytes() for layer in image.layers)):
                sent += len(content) if (where, digest_of(content)) not in self.blobs else 0
                self.put_blob(where, content)
            self.put_manifest(where, StoredManifest(image.manifest, MANIFEST_TYPE))
        self.put_manifest(where, StoredManifest(index, INDEX_TYPE))
        if stage:
            stage.advance(sent)
        return PushReport(f"registry.example.com/{where}@{digest_of(index)}", digest_of(index), sent, 0, 0, 1)

    def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        return self.manifests.get((repository, reference))

    def put_manifest(self, repository: str, manifest: StoredManifest, *, tag: str = "") -> bool:
        value = json.loads(manifest.content)
        named = [value["config"], *value["layers"]] if "layers" in value else []
        assert all((repository, blob["digest"]) in self.blobs for blob in named), "a blob is missing"
        if "layers" not in value and not tag.startswith("sha256-"):
            assert all((repository, one["digest"]) in self.manifests for one in value["manifests"])
        self.manifests[repository, manifest.digest] = manifest
        if tag:
            self.manifests[repository, tag] = manifest
        return self.native and "subject" in value

    def blob(self, repository: str, digest: Digest) -> bytes | None:
        return self.blobs.get((repository, digest))

    def put_blob(self, repository: str, content: bytes) -> Digest:
        self.blobs[repository, digest_of(content)] = content
        return digest_of(content)

    def referrers(self, repository: str, subject: Digest) -> tuple[dict[str, Any], ...] | None:
        if not self.native:
            return None
        found = [
            Descriptor(MANIFEST_TYPE, manifest.digest, len(manifest.content)).to_json()
            for (where, reference), manifest in self.manifests.items()
            if where == repository
            and reference.startswith("sha256:")
            and json.loads(manifest.content).get("subject", {}).get("digest") == subject
        ]
        return tuple(found)

    def tags(self, repository: str) -> Mapping[str, Digest]:
        return {
            reference: manifest.digest
            for (where, reference), manifest in self.manifests.items()
            if where == repository and not reference.startswith("sha256")
        }

    def listed(self, repository: str, subject: Digest) -> set[str]:
        """What a client finds that asks what refers to a manifest."""
        found = self.referrers(repository, subject)
        if found is None:
            stored = self.manifest(repository, subject.replace(":", "-"))
            found = tuple(json.loads(stored.content)["manifests"]) if stored else ()
        return {str(entry["digest"]) for entry in found}


def doors(
    made: Sample,
    *,
    ledger: MemoryLedger | None = None,
    registry: MemoryRegistry | None = None,
    key: FileSigningKey | None = None,
) -> ReleaseDoors:
    """A world in memory."""
    return ReleaseDoors(
        ledger=ledger if ledger is not None else MemoryLedger(),
        registry=registry if registry is not None else MemoryRegistry(),
        blobs=made.blob,
        signer=KeySigner(key or new_key()),
        origin=Origin(commit=COMMIT),
        actor=7,
        progress=QuietProgress(),
        clock=FixedClock(),
    )
