"""`ohr pull`: from a name to an image in the cache, every step verified by the one before.

Index (TUF) -> digest -> signature -> attestations -> manifest -> configuration and layers. A digest that
somebody locked needs no index: the signature alone says whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import IO, Any

from openhands_recipes.errors import RegistryError, UsageError, VerificationError
from openhands_recipes.flows.find import Resolution
from openhands_recipes.model.digest import Digest, parse
from openhands_recipes.model.image import Image, Layer
from openhands_recipes.model.index import Pinned
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.release_record import EvidenceKind
from openhands_recipes.ports import Blobs, Progress
from openhands_recipes.ports.image_source import ImageSource
from openhands_recipes.ports.signer import PublicKey
from openhands_recipes.publish.referrers import fallback_tag
from openhands_recipes.publish.verify import verify_evidence

BAD_SIGNATURE, BAD_ATTESTATION, NOT_AN_IMAGE, NO_KEY = "OHR450", "OHR451", "OHR452", "OHR446"
KINDS: Mapping[str, EvidenceKind] = {
    "signature": "signature", "provenance": "provenance", "sbom": "spdx", "tests": "tests"
}  # fmt: skip
"""What the index calls a piece of evidence -> what it must be."""
OpenLayer = Callable[[Layer], AbstractContextManager[IO[bytes]]]
_READ = 1 << 20
_CODECS = {"zstd": "zstd", "gzip": "gzip", "tar": "none"}


@dataclass(frozen=True)
class PullDoors:
    """What a pull needs of the world."""

    registry: ImageSource
    repository: str
    blobs: Blobs
    keys: tuple[PublicKey, ...]
    progress: Progress


@dataclass(frozen=True)
class Pulled:
    """An image in the cache, and what proved it."""

    image: Image
    index: Digest
    proven: tuple[str, ...]
    downloaded: int


def pull(doors: PullDoors, resolution: Resolution, *, platform: Platform) -> Pulled:
    """A release of the index.

    Raises:
        VerificationError: any link of the chain is broken; nothing can be used then.
        RegistryError: the registry lacks something, or broke off.
        UsageError: the release is not for this platform.
    """
    entry = resolution.entry
    if platform not in entry.platforms:
        raise UsageError(
            f"{resolution.name} {entry.label} is not for {platform}",
            hint=f"it is for {', '.join(entry.platforms)}",
        )
    with doors.progress.stage("verify"):
        proven = [
            _prove(doors, _bundle(doors, manifest), subject=entry.index, kind=kind)
            for kind, manifest in sorted(entry.evidence.items(), key=lambda item: item[0] != "signature")
        ]
    found = _platform_manifest(doors, entry.index, platform)
    if found != entry.platforms[platform].digest:
        raise VerificationError(
            "the image index names another image than the signed index", where=found, code=NOT_AN_IMAGE
        )
    return _fetched(doors, resolution.name, entry.version, platform, (entry.index, tuple(proven)))


def pull_digest(doors: PullDoors, name: str, digest: Digest, *, platform: Platform) -> Pulled:
    """What somebody locked, believed for its signature alone: no index is asked.

    Raises:
        VerificationError: it is not signed by a trusted key.
        RegistryError: the registry lacks it, or broke off.
    """
    with doors.progress.stage("verify"):
        bundles = [_bundle(doors, manifest) for manifest in _referrers(doors, digest)]
        proven = _proven_by_any(doors, bundles, digest)
    return _fetched(doors, name, "", platform, (digest, (proven,)))


def measured(image: Image, open_layer: OpenLayer) -> Image:
    """The same image, its layers unpacked once: how large they are, and that the configuration is true.

    Raises:
        VerificationError: a layer unpacks to something else than the configuration says.
    """
    layers = []
    for layer in image.layers:
        with open_layer(layer) as tar:
            size = sum(len(piece) for piece in iter(lambda: tar.read(_READ), b""))
        layers.append(replace(layer, uncompressed_size=size))
    return replace(image, layers=tuple(layers))


def _prove(doors: PullDoors, bundle: bytes, *, subject: Digest, kind: str) -> str:
    try:
        verify_evidence(bundle, keys=doors.keys, subject=subject, kind=KINDS.get(kind, "signature"))
    except VerificationError as error:
        code = BAD_SIGNATURE if kind == "signature" else BAD_ATTESTATION
        raise VerificationError(
            f"the {kind} of this release is not believed: {error.message}",
            where=f"{doors.repository}@{subject}", hint=error.hint, code=code,
        ) from error  # fmt: skip
    return kind


def _proven_by_any(doors: PullDoors, bundles: Sequence[bytes], digest: Digest) -> str:
    fault: VerificationError | None = None
    for bundle in bundles:
        try:
            return _prove(doors, bundle, subject=digest, kind="signature")
        except VerificationError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    raise VerificationError(
        "nobody has signed this image", where=f"{doors.repository}@{digest}", code=BAD_SIGNATURE,
        hint="ask its publisher; an image that was only pushed, not released, has no signature",
    )  # fmt: skip


def _bundle(doors: PullDoors, manifest: Digest) -> bytes:
    """The only layer of a manifest of evidence."""
    value = _manifest(doors, manifest)
    try:
        (layer,) = value["layers"]
        digest = parse(layer["digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError("evidence has no bundle", where=manifest, code=NOT_AN_IMAGE) from error
    content = doors.registry.blob(doors.repository, digest)
    if content is None:
        raise RegistryError("the registry lacks evidence of this release", where=digest)
    return content


def _referrers(doors: PullDoors, subject: Digest) -> Iterator[Digest]:
    listed: Sequence[Mapping[str, Any]] | None = doors.registry.referrers(doors.repository, subject)
    if listed is None:
        stored = doors.registry.manifest(doors.repository, fallback_tag(subject))
        listed = json.loads(stored.content).get("manifests", []) if stored else []
    for descriptor in listed:
        if "sigstore.bundle" in str(descriptor.get("artifactType", "")):
            yield parse(str(descriptor["digest"]))


def _manifest(doors: PullDoors, digest: Digest) -> dict[str, Any]:
    stored = doors.registry.manifest(doors.repository, digest)
    if stored is None:
        raise RegistryError(
            "the registry lacks a manifest of this release", where=f"{doors.repository}@{digest}",
            hint="was it deleted there? try a mirror: --from HOST/NAMESPACE",
        )  # fmt: skip
    value = json.loads(stored.content)
    if not isinstance(value, dict):
        raise VerificationError("a manifest is no JSON object", where=digest, code=NOT_AN_IMAGE)
    return value


def _platform_manifest(doors: PullDoors, index: Digest, platform: Platform) -> Digest:
    """The manifest that an image index names for a platform; an image without index is its own."""
    value = _manifest(doors, index)
    if "manifests" not in value:
        return index
    for descriptor in value["manifests"]:
        named = descriptor.get("platform", {})
        if f"{named.get('os')}/{named.get('architecture')}" == platform:
            return parse(descriptor["digest"])
    raise UsageError(f"this image is not for {platform}", where=index)


def _fetched(
    doors: PullDoors, name: str, version: str, platform: Platform, proof: tuple[Digest, tuple[str, ...]]
) -> Pulled:
    manifest = _platform_manifest(doors, proof[0], platform)
    stored = doors.registry.manifest(doors.repository, manifest)
    value = _manifest(doors, manifest)
    wanted = [_pinned(one, manifest) for one in (value.get("config", {}), *value.get("layers", ()))]
    total = sum(one.size for one in wanted)
    with doors.progress.stage("pull", total=total, unit="bytes") as stage:
        downloaded = doors.registry.fetch(doors.repository, wanted, stage)
    config = _content(doors, wanted[0].digest)
    diff_ids = json.loads(config).get("rootfs", {}).get("diff_ids", [])
    if stored is None or len(diff_ids) != len(wanted) - 1:
        raise VerificationError(
            "the image's configuration lists other layers than its manifest",
            where=manifest,
            code=NOT_AN_IMAGE,
        )
    layers = tuple(map(_layer, value["layers"], diff_ids))
    doors.blobs.add(stored.content)
    image = Image(name, version, platform, config, stored.content, layers)
    return Pulled(image, proof[0], proof[1], downloaded)


def _pinned(descriptor: Mapping[str, Any], where: str) -> Pinned:
    try:
        return Pinned(parse(descriptor["digest"]), int(descriptor["size"]))
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError(
            "a manifest names a blob without digest or size", where=where, code=NOT_AN_IMAGE
        ) from error


def _layer(descriptor: Mapping[str, Any], diff_id: str) -> Layer:
    kind = str(descriptor.get("mediaType", "")).rpartition("+")[2].rpartition(".")[2]
    annotations = descriptor.get("annotations") or {}
    return Layer(
        digest=parse(descriptor["digest"]),
        size=int(descriptor["size"]),
        uncompressed_size=0,
        diff_id=parse(diff_id),
        compression=_CODECS.get(kind, "none"),  # type: ignore[arg-type]  # one of its literals
        group=str(annotations.get("dev.openhands.recipes.group", "")),
    )


def _content(doors: PullDoors, digest: Digest) -> bytes:
    path = doors.blobs.path(digest)
    if path is None:
        raise RegistryError("a blob is not in the cache any more", where=digest, hint="pull again")
    return path.read_bytes()
