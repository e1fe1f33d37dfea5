"""Builds the real doors from settings, each when it is first asked for: the one room that knows them all.

One file per field of work, each a class of doors; `World` is all of them. A command gets the world with
`@click.pass_obj` as its first argument:

    @click.command()
    @click.argument("names", nargs=-1)
    @click.pass_obj
    def command(world: World, names: tuple[str, ...]) -> None:
        for name in names:
            with world.about(name, version, platform) as subject, world.progress.stage("pack") as stage:
                subject.digest = ...
"""

from __future__ import annotations

from openhands_recipes.cli.world.closures import ClosureDoors
from openhands_recipes.cli.world.flake import FlakeDoors
from openhands_recipes.cli.world.gate import GateDoors
from openhands_recipes.cli.world.index import IndexDoors
from openhands_recipes.cli.world.machine import cores
from openhands_recipes.cli.world.nix import NixDoors
from openhands_recipes.cli.world.proving import ProvingDoors

__all__ = ["World", "cores"]


class World(ClosureDoors, NixDoors, FlakeDoors, ProvingDoors, GateDoors, IndexDoors):
    """The doors of one run, each imported when it is first asked for: a run pays for no other."""
