"""From layers and settings to an image: canonical config and manifest bytes.

Source: OCI image-spec 1.1, config.md and manifest.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openhands_recipes.model.digest import canonical_json, digest_of
from openhands_recipes.model.image import CONFIG_TYPE, MANIFEST_TYPE, Descriptor, Image, Layer
from openhands_recipes.model.platform import Platform

TOOL = "openhands-recipes"


@dataclass(frozen=True)
class ImageSettings:
    """What an image says about how it wants to be run."""

    created: str
    """The lock's release date, ISO 8601 UTC; never the time of the build."""
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    workdir: str = "/"
    user: str = ""
    ports: tuple[str, ...] = ()
    """`8000/tcp`"""
    labels: dict[str, str] = field(default_factory=dict)
    """In the config; manifests carry the same as annotations."""


def assemble(
    name: str, version: str, platform: Platform, layers: Sequence[Layer], settings: ImageSettings
) -> Image:
    """One platform's image over its layers, lowest first.

    The config holds diff ids only, so the same layers in another compression have the same config.
    """
    config = canonical_json(_config(platform, layers, settings))
    manifest = canonical_json(_manifest(config, layers, settings))
    return Image(
        name=name, version=version, platform=platform, config=config, manifest=manifest, layers=tuple(layers)
    )


def _config(platform: Platform, layers: Sequence[Layer], settings: ImageSettings) -> dict[str, Any]:
    system, _, architecture = platform.partition("/")
    run: dict[str, Any] = {
        "Env": [f"{key}={value}" for key, value in sorted(settings.environment.items())],
        "Entrypoint": list(settings.entrypoint),
        "Cmd": list(settings.command),
        "WorkingDir": settings.workdir,
        "User": settings.user,
        "ExposedPorts": {port: {} for port in settings.ports},
        "Labels": settings.labels,
    }
    return {
        "created": settings.created,
        "os": system,
        "architecture": architecture,
        "config": {key: value for key, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [
            {"created": settings.created, "created_by": f"{TOOL}: {layer.group}"} for layer in layers
        ],
    }


def _manifest(config: bytes, layers: Sequence[Layer], settings: ImageSettings) -> dict[str, Any]:
    descriptor = Descriptor(media_type=CONFIG_TYPE, digest=digest_of(config), size=len(config))
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor.to_json(),
        "layers": [layer.descriptor().to_json() for layer in layers],
    }
    if settings.labels:
        manifest["annotations"] = settings.labels
    return manifest
