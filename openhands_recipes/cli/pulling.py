"""Releases of an index from the places that have them: shared by `ohr pull` and `ohr mirror`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from openhands_recipes.errors import RegistryError, UsageError
from openhands_recipes.model.reference import RegistryAddress, parse_address

if TYPE_CHECKING:
    from openhands_recipes.cli.index_options import IndexChoice
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.find import Asked, Resolution
    from openhands_recipes.flows.mirror import Copy
    from openhands_recipes.flows.pull import PullDoors, Pulled
    from openhands_recipes.model.platform import Platform

T = TypeVar("T")
NO_KEY, NO_PLACE = "OHR446", "OHR453"


class Puller:
    """What the command line says of index, places and keys."""

    def __init__(self, world: World, index: IndexChoice, source: str | None, trust: Sequence[Path]) -> None:
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
        """One platform's image, from the first of its places that has it."""
        from openhands_recipes.flows.find import parse_asked  # noqa: PLC0415 - start-up time
        from openhands_recipes.flows.pull import pull, pull_digest  # noqa: PLC0415 - the same

        asked = parse_asked(place)
        with self._world.about(asked.name, platform=platform) as subject:
            if (digest := asked.digest) and self._index.offline:
                self._world.say("the index is not asked: whether this was withdrawn is not known")
                places = self._named_places()
                name = asked.name
                pulled = self._first(places, name, lambda d: pull_digest(d, name, digest, platform=platform))
            else:
                resolution, places = self._resolve(asked)
                pulled = self._first(places, asked.name, lambda d: pull(d, resolution, platform=platform))
            subject.version, subject.digest = pulled.image.version, pulled.index
            subject.bytes = {"downloaded": pulled.downloaded, "image": pulled.image.size}
        return pulled

    def all_platforms(self, place: str) -> tuple[Resolution, tuple[Pulled, ...]]:
        """The images of a release, one per platform."""
        from openhands_recipes.flows.find import parse_asked  # noqa: PLC0415 - start-up time
        from openhands_recipes.flows.mirror import pull_all  # noqa: PLC0415 - the same

        resolution, places = self._resolve(parse_asked(place))
        return resolution, self._first(places, resolution.name, lambda doors: pull_all(doors, resolution))

    def copy(self, place: str, to: RegistryAddress) -> Copy:
        """A release in another registry."""
        from openhands_recipes.flows.find import parse_asked  # noqa: PLC0415 - start-up time
        from openhands_recipes.flows.mirror import copy_release  # noqa: PLC0415 - the same

        resolution, places = self._resolve(parse_asked(place))
        images = self._world.image_store
        with self._world.artifacts(to, plain_http=self._index.plain_http) as target:
            return self._first(
                places,
                resolution.name,
                lambda doors: copy_release(doors, resolution, target, to=to, images=images),
            )

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

    def _first(self, places: Sequence[str], name: str, use: Callable[[PullDoors], T]) -> T:
        """What the first place gives; one that lacks the image is passed over, a wrong byte never is."""
        fault: RegistryError | None = None
        for place in places:
            try:
                return self._at(parse_address(place), name, use)
            except RegistryError as error:
                fault = fault or error
        raise fault or UsageError(
            "no place is known to pull images from", hint="name one with --from HOST/NAMESPACE", code=NO_PLACE
        )

    def _at(self, address: RegistryAddress, name: str, use: Callable[[PullDoors], T]) -> T:
        from openhands_recipes.flows.pull import PullDoors  # noqa: PLC0415 - start-up time

        world = self._world
        with world.images(address, plain_http=self._index.plain_http) as registry:
            repository = address.repository(name)
            return use(PullDoors(registry, repository, world.blobs, self._keys, world.progress))
