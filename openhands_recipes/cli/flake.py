"""`ohr flake`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.output import format_option, print_json

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.flake import WrittenFlake

USUAL_FOLDER = Path("flakes")


@click.command(short_help="Compile recipes to flakes for people with Nix.")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the flake; with several recipes, folder of their folders.  [default: flakes/NAME]",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a folder is out of date.")
@click.option("--force", is_flag=True, help="Take over a folder that holds other things, and keep those.")
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    names: tuple[str, ...],
    folder: Path | None,
    only_check: bool,
    force: bool,
    output: str,
) -> None:
    """Compile recipes to flakes: the tools, a shell, the tests, from the nixpkgs that registry.yaml pins.

    A flake folder needs nothing but nixpkgs: no network is used here, and no Nix. The same recipe gives the
    same bytes.
    """
    from openhands_recipes.flows.flake import (  # noqa: PLC0415 - start-up time
        check_flakes,
        compile_flakes,
        write_flakes,
    )

    recipes = list(dict.fromkeys(world.store.name_of(name) for name in names))
    each = folder is None or len(recipes) > 1
    place = folder or USUAL_FOLDER
    flakes = compile_flakes(world.store, recipes)
    if only_check:
        check_flakes(flakes, world.made_folders, place, each=each)
        written: tuple[WrittenFlake, ...] = ()
    else:
        written = write_flakes(flakes, world.made_folders, place, each=each, force=force)
    for flake in flakes:
        with world.about(flake.name, flake.data.version) as subject:
            subject.bytes = {"files": sum(map(len, flake.files.values()))}
    if output == "json":
        print_json([_as_json(one) for one in written])
    else:
        _tell(world, written)


def _as_json(one: WrittenFlake) -> dict[str, Any]:
    return {
        "recipe": one.flake.name,
        "version": one.flake.data.version,
        "folder": str(one.folder),
        "changed": one.changed,
        "omitted": [thing.model_dump() for thing in one.flake.data.omitted],
    }


def _tell(world: World, written: tuple[WrittenFlake, ...]) -> None:
    for one in written:
        click.echo(f"{one.folder}" + ("" if one.changed else " (unchanged)"))
        for thing in one.flake.data.omitted if world.settings.verbosity > 0 else ():
            world.say(f"left out: {thing.kind} {thing.name}: {thing.reason}")
    if written:
        world.say(f"next: `nix develop path:{written[0].folder}`")
