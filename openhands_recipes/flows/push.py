"""From built images to a registry: which repository, which tag, and where layers may be mounted from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhands_recipes.compile.oci.config import start_settings
from openhands_recipes.compile.oci.labels import LABEL
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.image import Image, index_of
from openhands_recipes.model.reference import RegistryAddress, tag_for
from openhands_recipes.ports import Clock, Progress, PushOrder, PushReport, Registry

MOUNT_SOURCES = 3
"""Repositories asked for one layer; each that does not have it costs a request."""


@dataclass(frozen=True)
class PushDoors:
    """What a push needs of the world."""

    build: Callable[[str], tuple[Image, ...]]
    """A recipe's images, one per platform; built if they are not in the cache."""
    blobs: Callable[[Digest], Path]
    registry: Registry
    progress: Progress
    clock: Clock


@dataclass(frozen=True)
class Pushed:
    """One recipe in a registry, and what bringing it there took."""

    images: tuple[Image, ...]
    report: PushReport
    seconds: float

    @property
    def unchanged(self) -> bool:
        """Nothing had to be sent, not even a name."""
        return self.report.uploaded_bytes + self.report.mounted_bytes == 0

    def to_json(self) -> dict[str, Any]:
        """The record `ohr push --format json` prints."""
        return {
            "name": self.images[0].name,
            "version": self.images[0].version,
            "reference": self.report.reference,
            "digest": self.report.digest,
            "platforms": {image.platform: image.digest for image in self.images},
            **{f"{what}_bytes": size for what, size in self.report.bytes.items()},
            "requests": self.report.requests,
            "seconds": round(self.seconds, 3),
        }


def push(doors: PushDoors, name: str, *, to: RegistryAddress) -> Pushed:
    """Build a recipe if needed and push it as `HOST/NAMESPACE/<name>:<version>`.

    Raises:
        RegistryError: the registry refused or broke off.
        VerificationError: the registry reports other digests than were sent.
    """
    images = doors.build(name)
    order = order_of(images, to)
    began = doors.clock.monotonic()
    total = sum(image.size for image in images) + len(order.index or b"")
    with doors.progress.stage("push", total=total, unit="bytes") as stage:
        report = doors.registry.push(order, blobs=doors.blobs, stage=stage)
    return Pushed(images, report, doors.clock.monotonic() - began)


def order_of(images: tuple[Image, ...], to: RegistryAddress) -> PushOrder:
    """What is to be pushed: the images of one recipe, one per platform, under their index."""
    first = images[0]
    annotations = {
        "org.opencontainers.image.title": first.name,
        "org.opencontainers.image.version": first.version,
    }
    return PushOrder(
        repository=to.repository(first.name),
        images=images,
        tags=(tag_of(first),),
        index=index_of(images, annotations=annotations),
        mount_from={
            digest: tuple(map(to.repository, owners))
            for image in images
            for digest, owners in mount_candidates(image).items()
        },
    )


def tag_of(image: Image) -> str:
    """The version; other kinds of the same recipe stand beside it: `<version>-nixpkgs`, `<version>-gzip`."""
    twin = any(layer.compression == "gzip" for layer in image.layers)
    return tag_for(image.version) + kind_of(image) + ("-gzip" if twin else "")


def kind_of(image: Image) -> str:
    """What the tag of an image over a closure says besides; nothing for Debian's."""
    labels = start_settings(image).labels
    if labels.get(f"{LABEL}.source") != "nixpkgs":
        return ""
    return "-nixpkgs-pure" if labels.get(f"{LABEL}.shape") == "pure" else "-nixpkgs"


def mount_candidates(image: Image) -> dict[Digest, tuple[str, ...]]:
    """Per layer, the recipes whose repositories probably hold it, likeliest first.

    A layer's group begins with the recipe that added it; recipes further up contain it as well. What
    the image's own recipe added is nowhere else.
    """
    owners = [layer.group.partition("/")[0] for layer in image.layers]
    lineage = [owner for owner in dict.fromkeys(owners) if owner != image.name]
    candidates: dict[Digest, tuple[str, ...]] = {}
    for layer, owner in zip(image.layers, owners, strict=True):
        if owner in lineage:
            above = lineage[: lineage.index(owner) : -1]
            candidates[layer.digest] = (owner, *above)[:MOUNT_SOURCES]
    return candidates
