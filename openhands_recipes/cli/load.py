"""`ohr load`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.building import have_image
from openhands_recipes.cli.output import format_option, print_json
from openhands_recipes.cli.platforms import platform_option
from openhands_recipes.cli.source_option import source_option

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.nix_fast_path import Shape
    from openhands_recipes.model.platform import Platform


@click.command(short_help="Load images into a local Docker daemon.")
@click.argument("names", nargs=-1, required=True)
@platform_option
@source_option
@click.option(
    "--tag", metavar="NAME[:TAG]", help="Another name beside <name>:<version>; for one recipe only."
)
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World, *, names: tuple[str, ...], platform: Platform, shape: Shape, tag: str | None, output: str
) -> None:
    """Load images into a local Docker daemon as <name>:<version>, without a registry.

    Builds what is not built yet. Layers travel uncompressed, so every Docker of the last years takes them.
    """
    if tag and len(names) > 1:
        raise click.UsageError("--tag names one image; load one recipe at a time with it")
    results = [_load(world, world.store.name_of(name), platform, shape, tag) for name in names]
    if output == "json":
        print_json(results[0] if len(results) == 1 else results)
        return
    for result in results:
        click.echo(f"{result['reference']}: loaded\n{result['id']}")


def _load(world: World, name: str, platform: Platform, shape: Shape, tag: str | None) -> dict[str, str]:
    with world.about(name, platform=platform) as subject:
        image = have_image(world, name, platform=platform, shape=shape).image
        subject.version, subject.digest = image.version, image.digest
        with world.progress.stage("load"):
            loaded = world.docker_images.load(
                lambda sink: world.image_store.write_docker_archive(image, sink), tag=tag
            )
    return {
        "name": image.name,
        "version": image.version,
        "platform": image.platform,
        "reference": tag or f"{image.name}:{image.version}",
        "id": loaded,
        "digest": image.digest,
    }
