"""From layers and settings to an image: canonical config and manifest bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openhands_recipes.model.image import Image, Layer
from openhands_recipes.model.platform import Platform


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


def assemble(
    name: str, version: str, platform: Platform, layers: Sequence[Layer], settings: ImageSettings
) -> Image:
    """One platform's image over its layers, lowest first."""
    raise NotImplementedError
