"""`ohr pull`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.index_options import IndexChoice, index_options
from openhands_recipes.cli.output import format_option, human_size, print_json
from openhands_recipes.cli.platforms import platform_option
from openhands_recipes.cli.pulling import Puller

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.pull import Pulled
    from openhands_recipes.model.platform import Platform

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Pull a released image, every step verified.")
@click.argument("places", metavar="NAME[@VERSION|@sha256:...]...", nargs=-1, required=True)
@platform_option
@click.option("--layout", type=click.Path(path_type=Path, file_okay=False), help="Write an OCI layout here.")
@click.option("--load", is_flag=True, help="Load it into the local Docker daemon.")
@click.option("--from", "source", metavar="HOST[:PORT]/NAMESPACE", help="A mirror of the images.")
@click.option(
    "--trust", type=FILE, multiple=True, help="Public key of releases; else those of registry.yaml."
)
@index_options
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    places: tuple[str, ...],
    platform: Platform,
    layout: Path | None,
    load: bool,
    source: str | None,
    trust: tuple[Path, ...],
    index: IndexChoice,
    output: str,
) -> None:
    """Pull released images: index, digest, signature, attestations and layers are verified, in that order.

    A digest is what somebody locked: with --offline it is believed for its signature alone. What was yanked
    is only pulled by digest, with a warning; what was blocked is refused.
    """
    results = []
    for place in places:
        puller = Puller(world, index, source, trust)
        pulled = puller.pull(place, platform)
        image = pulled.image
        if layout is not None:
            world.image_store.write_layout(layout, image)
        if load:
            _load(world, pulled)
        results.append({
            "name": image.name, "version": image.version, "platform": image.platform, "index": pulled.index,
            "digest": image.digest, "proven": list(pulled.proven), "downloaded_bytes": pulled.downloaded,
        })  # fmt: skip
        if output == "text":
            click.echo(
                f"{image.name} {image.version} {image.platform}: {human_size(image.size)}, "
                f"{human_size(pulled.downloaded)} downloaded; proven by {', '.join(pulled.proven)}\n"
                f"{image.digest}"
            )
    if output == "json":
        print_json(results[0] if len(results) == 1 else results)


def _load(world: World, pulled: Pulled) -> None:
    from openhands_recipes.flows.pull import measured  # noqa: PLC0415 - start-up time

    image = measured(pulled.image, world.image_store.open_layer)
    with world.progress.stage("load"):
        world.docker_images.load(lambda sink: world.image_store.write_docker_archive(image, sink), tag=None)
