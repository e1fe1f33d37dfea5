"""The doors that locking, building, testing and running share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import (
    Blobs,
    BoxFile,
    Clock,
    DebianArchive,
    Downloads,
    Fragments,
    ImageStore,
    Packer,
    Progress,
    PythonIndex,
    RecipeStore,
    Records,
    SandboxEngine,
)

Offer = Callable[[Callable[[str], bytes | None]], tuple[tuple[BoxFile, ...], dict[str, str]]]
"""Reader of an image's files -> files and variables for a box with network."""


@dataclass(frozen=True)
class Workshop:
    """Everything a build may touch; doors that a verb does not use are never opened."""

    store: RecipeStore
    blobs: Blobs
    downloads: Callable[[], Downloads]
    archive: Callable[[], DebianArchive]
    python_index: Callable[[], PythonIndex]
    fragments: Fragments
    packer: Packer
    images: ImageStore
    records: Records
    engine: SandboxEngine
    progress: Progress
    clock: Clock
    offer: Offer
    """What a networked sandbox is lent: certificates, proxies, mirrors; asks for files of its image."""
    cores: int
    """How much may be done at once; never decides bytes."""
    host: Platform | None
    """The platform whose programs run here; None where no image is built for this kind of machine."""
    runs: Callable[[Platform], bool] = lambda _platform: True
    """Whether a platform's programs run here, by emulation if need be."""
