"""`ohr export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.output import format_option, print_json

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World

FOLDER = click.Path(path_type=Path, file_okay=False)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options every export has."""
    command = click.pass_obj(format_option()(command))
    return click.option(
        "--force", is_flag=True, help="Take over a folder that holds other things, and keep those."
    )(command)


@click.group(short_help="Write recipes as files of other tools.")
def command() -> None:
    """Write recipes as files of other tools, which then need nothing of ohr."""


@command.command("dockerfile", short_help="A Dockerfile with the locked packages.")
@click.argument("name")
@click.option("-o", "--output", "folder", type=FOLDER, help="Folder to write.  [default: docker/NAME]")
@_shared
def dockerfile(world: World, *, name: str, folder: Path | None, force: bool, output: str) -> None:
    """Write a Dockerfile that makes the same environment: the locked versions, hashes, files and user.

    It starts from Debian's own image; --build-arg BASE=... takes another one.
    """
    from openhands_recipes.flows.export import export_dockerfile  # noqa: PLC0415 - start-up time

    recipe = world.store.name_of(name)
    files = export_dockerfile(world.store, recipe)
    place = folder or Path("docker") / recipe
    _write(world, recipe, place, files, force=force, output=output)
    world.say(f"next: `docker build --tag {recipe} {place}`")


@command.command("devcontainer", short_help="A devcontainer.json for editors.")
@click.argument("name")
@click.option("-o", "--output", "folder", type=FOLDER, help="Folder to write.  [default: .devcontainer]")
@click.option("--image", metavar="REFERENCE", help="Use this image, HOST/NAME@sha256:..., and build nothing.")
@_shared
def devcontainer(  # noqa: PLR0913 - one parameter an option
    world: World, *, name: str, folder: Path | None, image: str | None, force: bool, output: str
) -> None:
    """Write a devcontainer.json (containers.dev) that editors open the recipe's sandbox with.

    Without --image a Dockerfile is written beside it, as `ohr export dockerfile` does.
    """
    from openhands_recipes.flows.export import export_devcontainer  # noqa: PLC0415 - start-up time

    recipe = world.store.name_of(name)
    files = export_devcontainer(world.store, recipe, image=image)
    _write(world, recipe, folder or Path(".devcontainer"), files, force=force, output=output)


def _write(  # noqa: PLR0913 - the command's own parameters
    world: World, recipe: str, folder: Path, files: dict[str, bytes], *, force: bool, output: str
) -> None:
    with world.about(recipe) as subject:
        subject.bytes = {"files": sum(map(len, files.values()))}
        changed = world.made_folders.put(folder, files, force=force)
    if output == "json":
        print_json({"recipe": recipe, "folder": str(folder), "changed": changed, "files": sorted(files)})
    else:
        click.echo(f"{folder}" + ("" if changed else " (unchanged)"))
