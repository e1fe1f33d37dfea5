"""`ohr build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.building import have_image
from openhands_recipes.cli.output import format_option, human_seconds, human_size, print_json, table
from openhands_recipes.cli.platforms import platform_option
from openhands_recipes.cli.source_option import source_option
from openhands_recipes.flows.nix_fast_path import NixImage

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.fast_path import Built
    from openhands_recipes.flows.nix_fast_path import Shape
    from openhands_recipes.model.image import Compression
    from openhands_recipes.model.platform import Platform

COMPRESSIONS = ("zstd", "gzip", "both")


@click.command(short_help="Build the image of a recipe from its lock.")
@click.argument("names", nargs=-1, required=True)
@platform_option
@click.option(
    "--layout", type=click.Path(path_type=Path, file_okay=False), help="Also write an OCI layout here."
)
@source_option
@click.option(
    "--compression", type=click.Choice(COMPRESSIONS), default="zstd", show_default=True, help="Of the layers."
)
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    names: tuple[str, ...],
    platform: Platform,
    layout: Path | None,
    shape: Shape,
    compression: str,
    output: str,
) -> None:
    """Build the images of recipes from their locks: same lock, same digest, on every machine.

    Needs no root, no Docker and no Nix on the machine. What was built before is recognised and not
    built again.
    """
    kinds: tuple[Compression, ...] = ("zstd", "gzip") if compression == "both" else (compression,)  # type: ignore[assignment]  # click has checked it
    results = [
        _build(
            world, NixImage(world.store.name_of(name), platform, kind, shape), layout, text=output == "text"
        )
        for name in names
        for kind in kinds
    ]
    if output == "json":
        print_json(results[0] if len(results) == 1 else results)


def _build(world: World, wanted: NixImage, layout: Path | None, *, text: bool) -> dict[str, Any]:
    before = dict(world.progress.seconds)
    began = world.clock.monotonic()
    with world.about(wanted.name, platform=wanted.platform) as subject:
        built = have_image(
            world, wanted.name, platform=wanted.platform, compression=wanted.compression, shape=wanted.shape
        )
        subject.version, subject.digest = built.image.version, built.image.digest
        subject.bytes = {"new": built.new_bytes, "reused": built.reused_bytes}
        if layout is not None:
            world.image_store.write_layout(layout, built.image)
    seconds = {k: v - before.get(k, 0.0) for k, v in world.progress.seconds.items() if v > before.get(k, 0.0)}
    seconds["total"] = world.clock.monotonic() - began
    if text:
        _tell(built, seconds, wanted.compression)
    return built.to_json(seconds)


def _tell(built: Built, seconds: dict[str, float], compression: Compression) -> None:
    image = built.image
    if not built.unchanged:
        rows = [
            [layer.group, human_size(layer.size), "reused" if layer.digest in built.reused else "new"]
            for layer in image.layers
        ]
        click.echo(table(rows, header=["layer", "size", ""], right=[1]))
        stages = ", ".join(
            f"{name} {human_seconds(value)}" for name, value in seconds.items() if name != "total"
        )
        click.echo(f"{human_size(built.new_bytes)} new, {human_size(built.reused_bytes)} reused; {stages}")
    state = "unchanged" if built.unchanged else "built"
    what = f"{image.name} {image.version} {image.platform}" + (
        f" {compression}" if compression != "zstd" else ""
    )
    click.echo(
        f"{what}: {state} in {human_seconds(seconds['total'])}, {human_size(image.size)}\n{image.digest}"
    )
