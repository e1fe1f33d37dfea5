"""From a recipe and its closure to an image: the contract from Debian below, the closure above, links on top.

Layers, bottom up: the levels that own the contract, as every Debian image has them; the closure's store
paths; the profile that leads to them; files of the levels above the contract. The closure's layers depend on
their paths alone, so that images share them whatever is below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openhands_recipes.compile.nix.image import closure_groups, contract_levels, nix_settings, roots_of
from openhands_recipes.compile.nix.profile import (
    RULES,
    Made,
    commands_of,
    interpreters,
    left_to_base,
    profile_links,
    python_environment,
)
from openhands_recipes.compile.oci.image import assemble
from openhands_recipes.compile.oci.root import own_files, with_folders
from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.compile.pack.store import MTIME, store_key
from openhands_recipes.compile.pin import Chain, LockedLevel
from openhands_recipes.compile.python.environment import USER_PREFIX
from openhands_recipes.errors import UsageError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.fast_path import Built
from openhands_recipes.flows.levels import stack_levels
from openhands_recipes.flows.mounted import remember_trees
from openhands_recipes.flows.packing import Packing
from openhands_recipes.flows.stack import Stack, order_of, paths_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest, digest_of_json
from openhands_recipes.model.fragment import Entry
from openhands_recipes.model.image import Compression, Image, Layer
from openhands_recipes.model.nix import ClosurePlatform
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import LayerOrder
from openhands_recipes.ports.store_trees import StoreFragments, StoreTree

FILES_RULES = 1
"""Raise it when a recipe's own files become other bytes above a closure."""


@dataclass(frozen=True)
class ClosureLevels:
    """What a lineage's closures are, and where their trees can be read."""

    own: ClosurePlatform
    all: tuple[tuple[str, ClosurePlatform], ...]
    """By recipe, of those that are locked, lowest first; the recipe's own as the last."""
    digest: Digest
    """Of the recipe's own closure lock."""
    last_modified: int
    """Of nixpkgs."""
    folder: Callable[[str], Path]


@dataclass(frozen=True)
class NixShop:
    """A workshop whose fragments may be store paths."""

    shop: Workshop
    trees: StoreFragments


def build_hybrid(
    nix: NixShop, name: str, closures: ClosureLevels, *, platform: Platform, compression: Compression
) -> Built:
    """Build a recipe's image over its closure.

    Raises:
        StaleLockError: a lock of the contract's levels is missing or belongs to something else.
        VerificationError: a store path is not what its hash promises.
        OutsideError: a store path or the cache cannot be read, or the disk is full.
    """
    shop, library = nix.shop, Library.of(nix.shop.store)
    composed = library.composed(name)
    chain = _contract_chain(library, composed)
    with Packing(shop, compression) as packing:
        below = stack_levels(shop, chain, platform, packing)
        plant(nix, closures)
        orders = closure_orders(closures)
        above = Above(composed, library, paths_of(shop, tuple(below.all)))
        orders += _links(nix, closures, above)
        orders += _files(shop, above, composed.lineage[len(chain) :])
        layers, reused = pack_all(nix.shop, orders, compression)
        with shop.progress.stage("pack"):
            layers = packing.layers(below.all) + layers
        reused |= {layer.digest for layer, o in zip(layers, below.all, strict=False) if packing.reused(o)}
    settings = nix_settings(
        composed, last_modified=closures.last_modified, closure=closures.digest, shape="hybrid"
    )
    image = assemble(name, composed.version, platform, layers, settings)
    keep(shop, image, below)
    return Built(image, frozenset(reused), unchanged=False)


@dataclass(frozen=True)
class Above:
    """What lies above a contract: the recipe, and the paths it stands on."""

    composed: Composed
    library: Library
    base: Mapping[str, Entry]


def _contract_chain(library: Library, composed: Composed) -> Chain:
    """The locked levels that are built from Debian; the others need no lock of Debian packages."""
    count = contract_levels(composed)
    if not count:
        raise UsageError(
            f"no module of recipe '{composed.name}' makes an account for the sandbox",
            hint="extend one that does, as `base` does",
        )
    levels: dict[str, LockedLevel] = {}
    for member in composed.lineage[:count]:
        levels[member] = library.locked(member, levels)
    return tuple(levels.values())


def plant(nix: NixShop, closures: ClosureLevels) -> None:
    """Let the fragments of a closure be had from the store."""
    nix.trees.plant(
        StoreTree(
            store_key(path.path, path.nar_hash), path.path, path.nar_hash, path.nar_size,
            closures.folder(path.path),
        )
        for path in closures.own.paths
    )  # fmt: skip


def closure_orders(closures: ClosureLevels) -> tuple[LayerOrder, ...]:
    """The layers of a closure, the environment's links as the last."""
    orders = [
        order_of(f"{recipe}/nix/{group.name}", group.keys)
        for recipe, groups in closure_groups(closures.all, own=closures.own)
        for group in groups
    ]
    roots = roots_of(closures.own)
    keys = tuple(store_key(p.path, p.nar_hash) for p in closures.own.paths if p.path in roots)
    return (*orders, order_of(f"{closures.all[-1][0]}/nix/environment", keys))


def _links(nix: NixShop, closures: ClosureLevels, above: Above) -> tuple[LayerOrder, ...]:
    listing = listing_of(nix, closures.own)
    commands = commands_of(closures.own.root, listing)
    made = [*profile_links(closures.own.root, commands, left_to_base(above.base))]
    made += user_python(nix, closures.own, above.composed, commands)
    return (_kept(nix.shop, f"{above.composed.name}/profile", made, above.base, mtime=MTIME),)


def user_python(
    nix: NixShop, closure: ClosurePlatform, composed: Composed, commands: Sequence[str]
) -> tuple[Made, ...]:
    """The user's environment for Python, if the recipe has one and the closure an interpreter."""
    if composed.python is None:
        return ()
    listing = listing_of(nix, closure)
    minor = composed.python.version
    for path in interpreters((p.path for p in closure.paths), minor):
        inside = path.lstrip("/")
        if f"{inside}/bin/python{minor}" in (listing(inside) or {}):
            user = composed.user
            home = Home(USER_PREFIX.lstrip("/"), *((user.uid, user.gid) if user else (0, 0)))
            return python_environment(home, path, commands=commands)
    return ()


def listing_of(nix: NixShop, closure: ClosurePlatform) -> Callable[[str], Mapping[str, Entry] | None]:
    """The entries of a closure's store paths by path."""
    keys = {path.path.lstrip("/"): store_key(path.path, path.nar_hash) for path in closure.paths}
    known: dict[str, Mapping[str, Entry] | None] = {}

    def listing(base: str) -> Mapping[str, Entry] | None:
        if base not in known:
            fragment = nix.trees.get(keys[base]) if base in keys else None
            known[base] = {entry.path: entry for entry in fragment.entries} if fragment else None
        return known[base]

    return listing


def _files(shop: Workshop, above: Above, levels: Sequence[str]) -> tuple[LayerOrder, ...]:
    orders = []
    for level in levels:
        made = own_files(above.library.composed(level), mtime=MTIME)
        if made:
            orders.append(_kept(shop, f"{level}/files", made, above.base, mtime=MTIME))
    return tuple(orders)


def _kept(
    shop: Workshop, group: str, made: Sequence[Made], base: Mapping[str, Entry], *, mtime: int
) -> LayerOrder:
    """A layer of a few files of our own, with the folders above them as they stand below."""
    complete = with_folders(made, base, mtime=mtime)
    described = [[*entry, content.decode(errors="replace")] for entry, content in complete]
    key = digest_of_json(["closure-files", FILES_RULES, RULES, repr(described)])
    if shop.fragments.get(key) is None:
        shop.fragments.create(key, complete)
    return order_of(group, (key,))


def pack_all(
    shop: Workshop, orders: Sequence[LayerOrder], compression: Compression
) -> tuple[tuple[Layer, ...], set[Digest]]:
    """Pack many layers at once; also says which were packed before."""
    before = [shop.images.layer(order.key, compression) for order in orders]
    with shop.progress.stage("pack", total=None, unit="bytes") as stage:
        layers = shop.packer.pack(orders, compression=compression, stage=stage)
    return layers, {layer.digest for layer in before if layer is not None}


def keep(shop: Workshop, image: Image, below: Stack) -> None:
    """Keep an image, and where the trees of its Debian layers are."""
    shop.blobs.add(image.config)
    shop.blobs.add(image.manifest)
    remember_trees(shop, replace(image, layers=image.layers[: len(below.all)]), below)
