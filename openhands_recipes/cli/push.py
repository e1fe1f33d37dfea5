"""`ohr push`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.building import have_image
from openhands_recipes.cli.output import format_option, human_seconds, human_size, print_json
from openhands_recipes.cli.platforms import this_platform
from openhands_recipes.cli.source_option import source_option
from openhands_recipes.model.platform import PLATFORMS
from openhands_recipes.model.reference import RegistryAddress, parse_address

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.nix_fast_path import Shape
    from openhands_recipes.flows.push import PushDoors, Pushed
    from openhands_recipes.model.image import Compression, Image
    from openhands_recipes.model.platform import Platform
    from openhands_recipes.ports import Registry


@click.command(short_help="Push images to an OCI registry.")
@click.argument("names", nargs=-1, required=True)
@click.option("--to", required=True, metavar="HOST[:PORT]/NAMESPACE", help="Registry and namespace.")
@click.option("--plain-http", is_flag=True, help="The registry serves HTTP, not HTTPS.")
@source_option
@click.option("--platform", "platforms", type=click.Choice(PLATFORMS), multiple=True, help="Repeatable.")
@click.option(
    "--compression",
    type=click.Choice(["zstd", "gzip", "both"]),
    default="zstd",
    show_default=True,
    help="gzip is for old readers and gets the tag VERSION-gzip.",
)
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    names: tuple[str, ...],
    to: str,
    plain_http: bool,
    platforms: tuple[Platform, ...],
    shape: Shape,
    compression: str,
    output: str,
) -> None:
    """Push images as HOST/NAMESPACE/<name>:<version>; what the registry has already is not sent again.

    Builds what is not built yet. Logs in with what Docker's config.json, its credential helpers, or
    OHR_REGISTRY_USER and OHR_REGISTRY_PASSWORD say. A push that broke off is finished by the next one.
    """
    address = parse_address(to)
    chosen = platforms or (this_platform(),)
    kinds: tuple[Compression, ...] = ("zstd", "gzip") if compression == "both" else (compression,)  # type: ignore[assignment]  # click has checked it
    results: list[Pushed] = []
    with world.registry(address, plain_http=plain_http) as registry:
        for name in names:
            for kind in kinds:
                doors = _doors(world, registry, chosen, kind, shape)
                results.append(_push(world, doors, world.store.name_of(name), address))
                if output == "text":
                    _tell(results[-1])
    if output == "json":
        documents = [pushed.to_json() for pushed in results]
        print_json(documents[0] if len(documents) == 1 else documents)


def _doors(
    world: World,
    registry: Registry,
    platforms: tuple[Platform, ...],
    compression: Compression,
    shape: Shape,
) -> PushDoors:
    from openhands_recipes.flows.push import PushDoors  # noqa: PLC0415 - start-up time

    def images(name: str) -> tuple[Image, ...]:
        return tuple(
            have_image(world, name, platform=one, compression=compression, shape=shape).image
            for one in platforms
        )

    return PushDoors(
        build=images,
        blobs=world.image_store.blob,
        registry=registry,
        progress=world.progress,
        clock=world.clock,
    )


def _push(world: World, doors: PushDoors, name: str, address: RegistryAddress) -> Pushed:
    from openhands_recipes.flows.push import push  # noqa: PLC0415 - start-up time

    with world.about(name) as subject:
        pushed = push(doors, name, to=address)
        subject.version, subject.digest = pushed.images[0].version, pushed.report.digest
        subject.platform = ",".join(image.platform for image in pushed.images)
        subject.bytes = pushed.report.bytes
    return pushed


def _tell(pushed: Pushed) -> None:
    report = pushed.report
    if pushed.unchanged:
        moved = f"unchanged, {human_size(report.present_bytes)} there already"
    else:
        moved = (
            f"{human_size(report.uploaded_bytes)} uploaded, {human_size(report.mounted_bytes)} mounted, "
            f"{human_size(report.present_bytes)} there already"
        )
    requests = f"{report.requests} request{'s' if report.requests != 1 else ''}"
    click.echo(f"{report.reference}: {moved}; {requests}, {human_seconds(pushed.seconds)}\n{report.digest}")
