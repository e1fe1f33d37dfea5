"""`ohr mirror`: released images from where they are into another registry, proven first, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from openhands_recipes.errors import RegistryError
from openhands_recipes.flows.find import Resolution
from openhands_recipes.flows.pull import PullDoors, Pulled, pull
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from openhands_recipes.model.platform import PLATFORMS
from openhands_recipes.model.reference import RegistryAddress, tag_for
from openhands_recipes.ports import ImageStore, PushOrder, PushReport
from openhands_recipes.ports.artifacts import ArtifactRegistry, StoredManifest
from openhands_recipes.publish.referrers import EMPTY, fallback_index, fallback_tag


@dataclass(frozen=True)
class Copy:
    """One release in its new place."""

    name: str
    label: str
    report: PushReport


def pull_all(doors: PullDoors, resolution: Resolution) -> tuple[Pulled, ...]:
    """A release's images in the cache, one per platform.

    Raises:
        VerificationError, RegistryError: as for `pull`.
    """
    known = [platform for platform in PLATFORMS if platform in resolution.entry.platforms]
    return tuple(pull(doors, resolution, platform=platform) for platform in known)


def copy_release(
    source: PullDoors,
    resolution: Resolution,
    target: ArtifactRegistry,
    *,
    to: RegistryAddress,
    images: ImageStore,
) -> Copy:
    """A release with all its platforms and evidence into another registry, under the same digests and tags.

    Raises:
        VerificationError: it is not what was released; nothing of it is sent then.
        RegistryError: a registry refused or broke off; the next run goes on.
    """
    pulled = pull_all(source, resolution)
    entry, repository = resolution.entry, to.repository(resolution.name)
    index = _manifest(source, entry.index)
    tags = (tag_for(entry.label), tag_for(entry.version))
    order = PushOrder(repository, tuple(one.image for one in pulled), (), index.content)
    with source.progress.stage("push", total=sum(one.image.size for one in pulled), unit="bytes") as stage:
        report = target.push(order, blobs=images.blob, stage=stage)
    _copy_evidence(source, target, repository, entry.index, entry.evidence.values())
    for tag in tags:
        target.put_manifest(repository, index, tag=tag)
    return Copy(resolution.name, entry.label, report)


def _copy_evidence(
    source: PullDoors, target: ArtifactRegistry, repository: str, subject: Digest, evidence: Iterable[Digest]
) -> None:
    """Manifests and bundles, and the list of them where the registry keeps none itself."""
    target.put_blob(repository, EMPTY)
    listed = {}
    for digest in evidence:
        manifest = _manifest(source, digest)
        value = json.loads(manifest.content)
        for layer in value["layers"]:
            content = source.registry.blob(source.repository, Digest(layer["digest"]))
            if content is None:
                raise RegistryError("the registry lacks evidence of this release", where=layer["digest"])
            target.put_blob(repository, content)
        target.put_manifest(repository, manifest)
        descriptor = Descriptor(
            MANIFEST_TYPE, digest, len(manifest.content), annotations=value.get("annotations")
        )
        listed[digest] = descriptor.to_json() | {"artifactType": value.get("artifactType", "")}
    if target.referrers(repository, subject) is None:
        tag = fallback_tag(subject)
        present = target.manifest(repository, tag)
        content = fallback_index(listed, present.content if present else None)
        if present is None or digest_of(content) != present.digest:
            target.put_manifest(repository, StoredManifest(content, INDEX_TYPE), tag=tag)


def _manifest(doors: PullDoors, digest: Digest) -> StoredManifest:
    stored = doors.registry.manifest(doors.repository, digest)
    if stored is None:
        where = f"{doors.repository}@{digest}"
        raise RegistryError("the registry lacks a manifest of this release", where=where)
    return stored
