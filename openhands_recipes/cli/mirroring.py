"""Copying an index to where a command says: shared by `ohr index mirror` and `ohr mirror`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhands_recipes.cli.index_options import IndexChoice
    from openhands_recipes.cli.world import World

OCI = "oci://"


@dataclass(frozen=True)
class Copied:
    """What a copy of an index took."""

    files: int
    bytes: int
    bins: int
    bins_sent: int
    """Only of a copy into a registry."""


def mirror_index(world: World, index: IndexChoice, target: str) -> Copied:
    """Bring a copy up to date, in a folder or by way of the cache in a registry.

    Raises:
        VerificationError: the original cannot be trusted.
        DownloadError, RegistryError: it, or the registry, cannot be reached.
    """
    in_registry = target.startswith(OCI)
    with world.index_reader(index) as reader:
        folder = world.index_copy_folder(reader) if in_registry else Path(target)
        report = world.copy_index(reader, folder)
    sent = world.push_index(folder, target, plain_http=index.plain_http) if in_registry else 0
    return Copied(report.files, report.bytes, report.bins, sent)
