"""Where flakes and exports are written."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from openhands_recipes.cli.world.build import BuildDoors

if TYPE_CHECKING:
    from openhands_recipes import ports


class FlakeDoors(BuildDoors):
    """Folders that commands make for people."""

    @cached_property
    def made_folders(self) -> ports.MadeFolders:
        """Writes folders as a whole, and spares what others put there."""
        from openhands_recipes.adapters.made_folder import MadeFoldersOnDisk

        return MadeFoldersOnDisk()
