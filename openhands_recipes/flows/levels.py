"""Every layer of a lineage, made as side by side as the work allows.

Debian's configuration is one long row of small processes: whatever can be done beside it is. The parts of
higher levels are fetched and converted, layers are packed, and Python modules are compiled by the image's
own Python as soon as that is unpacked. What comes out never depends on who was first.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from openhands_recipes.compile.oci.root import own_files, with_folders
from openhands_recipes.compile.pin import Chain, LockedLevel
from openhands_recipes.flows.ahead import Ahead
from openhands_recipes.flows.beside import Beside
from openhands_recipes.flows.debian_level import DebianLevel, add_debian, epoch_of, known_real
from openhands_recipes.flows.node_level import add_node, npm_parts
from openhands_recipes.flows.packing import Packing
from openhands_recipes.flows.parts import Part, deb_part
from openhands_recipes.flows.python_level import add_python, environment_files, must_rebuild, wheel_parts
from openhands_recipes.flows.stack import Stack, order_of, paths_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json
from openhands_recipes.model.fragment import Entry
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import LayerOrder

ROOT_RULES = 1
"""Raise it when a recipe's own files become other bytes."""


@dataclass(frozen=True)
class _Level:
    """One level's layers, as far as they are made."""

    chain: Chain
    debian: tuple[LayerOrder, ...]
    languages: Future[Stack]


def stack_levels(shop: Workshop, chain: Chain, platform: Platform, packing: Packing) -> Stack:
    """Every layer of a lineage, lowest first; fragments exist afterwards, packing is under way.

    Raises:
        DownloadError: a locked part cannot be had any more.
        VerificationError: bytes are not what the lock promises.
        OutsideError: a maintainer script fails.
    """
    chains = [chain[:height] for height in range(1, len(chain) + 1)]
    ground, stack = Stack(), Stack()
    with Ahead(shop, _batches(shop, chains, platform)) as ahead, Beside("languages") as beside:
        makers = [_Maker(shop, own, platform, packing, ahead, beside) for own in chains]
        levels = [maker.make(ground) for maker in makers]
        for level in levels:
            _add_level(shop, stack, level, platform, packing)
    stack.configured = ground.configured
    return stack


def _batches(shop: Workshop, chains: Sequence[Chain], platform: Platform) -> list[list[Part]]:
    """What all levels need, as early as it is needed: the network is never idle between levels."""
    below: Digest | None = None
    batches: list[list[Part]] = [[]]
    for chain in chains:
        debian = DebianLevel(chain[-1], platform, below)
        if not debian.empty:
            if known_real(shop, debian) is None or shop.fragments.get(debian.key) is None:
                batches[-1] += map(deb_part, debian.debs)
            below = debian.key
        batches.append(_language_parts(chain, platform))
    return batches


def _language_parts(chain: Chain, platform: Platform) -> list[Part]:
    return [*wheel_parts(chain, platform), *npm_parts(chain, platform)]


@dataclass(frozen=True)
class _Maker:
    """Makes the newest level of a chain."""

    shop: Workshop
    chain: Chain
    platform: Platform
    packing: Packing
    ahead: Ahead
    beside: Beside

    def make(self, ground: Stack) -> _Level:
        """Debian's layers, on top of `ground`; the others are under way afterwards."""
        before = len(ground.debian)
        debian = DebianLevel(self.chain[-1], self.platform, ground.configured)
        begun: list[Future[Stack]] = []
        if not debian.empty:
            self.ahead.wait(map(deb_part, debian.debs))
            below = tuple(ground.debian)

            def unpacked(data: tuple[LayerOrder, ...], left_out: frozenset[str]) -> None:
                self.packing.submit(data)
                if not (begun or left_out or must_rebuild(self.shop, self.chain, self.platform)):
                    begun.append(self._begin_languages((*below, *data)))

            add_debian(self.shop, ground, debian, unpacked)
        own = tuple(ground.debian[before:])
        self.packing.submit(own)
        languages = begun[0] if begun else self._begin_languages(tuple(ground.debian))
        return _Level(self.chain, own, languages)

    def _begin_languages(self, debian: tuple[LayerOrder, ...]) -> Future[Stack]:
        """Python's and npm's layers need an interpreter that is unpacked; configured or not is the same."""

        def make() -> Stack:
            self.ahead.wait(_language_parts(self.chain, self.platform))
            own = Stack(debian=list(debian))
            add_python(self.shop, own, self.chain, self.platform)
            add_node(self.shop, own, self.chain, self.platform)
            self.packing.submit(own.all)
            return own

        return self.beside.submit(make)


def _add_level(shop: Workshop, stack: Stack, level: _Level, platform: Platform, packing: Packing) -> None:
    for order in level.debian:
        stack.add(order, debian=True)
    languages = level.languages.result()
    for order in languages.all:
        stack.add(order, debian=False, trees=languages.trees.get(order.key, ()))
    _add_own_files(shop, stack, level.chain[-1], environment_files(level.chain, platform))
    packing.submit(stack.all)


def _add_own_files(
    shop: Workshop, stack: Stack, level: LockedLevel, environments: list[tuple[Entry, bytes]]
) -> None:
    mtime = epoch_of(level.lock.debian.release_date)
    made = [*environments, *own_files(level.composed, mtime=mtime)]
    if not made:
        return
    described = [[*entry, content.decode(errors="replace")] for entry, content in made]
    key = digest_of_json(["files", ROOT_RULES, [order.key for order in stack.all], repr(described)])
    if shop.fragments.get(key) is None:
        shop.fragments.create(key, with_folders(made, paths_of(shop, tuple(stack.all)), mtime=mtime))
    stack.add(order_of(f"{level.name}/files", (key,)), debian=False)
