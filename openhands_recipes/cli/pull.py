"""`ohr pull`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.index_options import IndexChoice, index_options
from openhands_recipes.cli.output import format_option, human_size, print_json
from openhands_recipes.cli.platforms import platform_option
from openhands_recipes.errors import RegistryError, UsageError
from openhands_recipes.model.reference import RegistryAddress, parse_address

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.find import Asked, Resolution
    from openhands_recipes.flows.pull import Pulled
    from openhands_recipes.model.platform import Platform

FILE = click.Path(path_type=Path, dir_okay=False)
NO_KEY, NO_PLACE = "OHR446", "OHR453"


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
        puller = _Puller(world, index, source, trust)
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


class _Puller:
    """One name of the command line."""

    def __init__(self, world: World, index: IndexChoice, source: str | None, trust: tuple[Path, ...]) -> None:
        self._world = world
        self._index = index
        self._source = source
        self._keys = world.trusted_keys(index, trust)
        if not self._keys:
            raise UsageError(
                "no key is known that releases must be signed with", code=NO_KEY,
                hint="name it with --trust, or below `index: keys:` in recipes/registry.yaml",
            )  # fmt: skip

    def pull(self, place: str, platform: Platform) -> Pulled:
        """The image, from the first of its places that has it."""
        from openhands_recipes.flows.find import parse_asked  # noqa: PLC0415 - start-up time

        asked = parse_asked(place)
        with self._world.about(asked.name, platform=platform) as subject:
            if asked.digest and self._index.offline:
                self._world.say("the index is not asked: whether this was withdrawn is not known")
                pulled = self._from_places(self._named_places(), asked, None, platform)
            else:
                resolution, found = self._resolve(asked)
                pulled = self._from_places(found, asked, resolution, platform)
            subject.version, subject.digest = pulled.image.version, pulled.index
            subject.bytes = {"downloaded": pulled.downloaded, "image": pulled.image.size}
        return pulled

    def _resolve(self, asked: Asked) -> tuple[Resolution, list[str]]:
        from openhands_recipes.flows.find import image_places, resolve  # noqa: PLC0415 - start-up time

        with self._world.index_reader(self._index) as reader:
            resolution = resolve(reader, asked)
            places = self._named_places() or list(image_places(reader))
        for note in resolution.notes:
            self._world.say(click.style("warning:", fg="yellow") + f" {note}")
        return resolution, places

    def _named_places(self) -> list[str]:
        trusted = self._world.trusted_index(self._index)
        return [self._source] if self._source else list(trusted.images if trusted else ())

    def _from_places(
        self, places: list[str], asked: Asked, resolution: Resolution | None, platform: Platform
    ) -> Pulled:
        """A place that lacks the image is passed over; a wrong byte never is."""
        fault: RegistryError | None = None
        for place in places:
            try:
                return self._from_place(parse_address(place), asked, resolution, platform)
            except RegistryError as error:
                fault = fault or error
        raise fault or UsageError(
            "no place is known to pull images from", hint="name one with --from HOST/NAMESPACE", code=NO_PLACE
        )

    def _from_place(
        self, address: RegistryAddress, asked: Asked, resolution: Resolution | None, platform: Platform
    ) -> Pulled:
        from openhands_recipes.flows.pull import PullDoors, pull, pull_digest  # noqa: PLC0415

        plain = self._index.plain_http
        with self._world.images(address, plain_http=plain) as registry:
            doors = PullDoors(
                registry, address.repository(asked.name), self._world.blobs, self._keys, self._world.progress
            )
            if resolution is not None:
                return pull(doors, resolution, platform=platform)
            assert asked.digest is not None  # noqa: S101 - only digests come here without an index
            return pull_digest(doors, asked.name, asked.digest, platform=platform)


def _load(world: World, pulled: Pulled) -> None:
    from openhands_recipes.flows.pull import measured  # noqa: PLC0415 - start-up time

    image = measured(pulled.image, world.image_store.open_layer)
    with world.progress.stage("load"):
        world.docker_images.load(lambda sink: world.image_store.write_docker_archive(image, sink), tag=None)
