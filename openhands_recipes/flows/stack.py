"""The growing image while it is built: layers, the trees under a sandbox, what every path is by now."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json, hex_of
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports import LayerOrder

LAYER_RULES = 1
"""Raise it when the same fragments become another layer."""

_TREE_NAME = 24
_AT_ONCE = 4  # more only fight for the disk


def order_of(group: str, fragments: tuple[Digest, ...]) -> LayerOrder:
    """A layer order keyed by its fragments: the same parts are the same layer in every image."""
    return LayerOrder(digest_of_json(["layer", LAYER_RULES, list(fragments)]), group, fragments)


def tree_name(order: LayerOrder) -> str:
    """The name of a layer's unpacked tree; short, for overlay mounts."""
    return hex_of(order.key)[:_TREE_NAME]


def unpack(shop: Workshop, orders: tuple[LayerOrder, ...]) -> tuple[str, ...]:
    """Have the trees of some layers, lowest first; several at a time, each by a process of its own."""

    def one(order: LayerOrder) -> None:
        with shop.packer.stream(order) as stream:
            shop.engine.add_tree(tree_name(order), [stream])

    missing = {tree_name(order): order for order in orders if not shop.engine.has_tree(tree_name(order))}
    if missing:
        with ThreadPoolExecutor(min(shop.cores, _AT_ONCE), thread_name_prefix="unpack") as pool:
            list(pool.map(one, missing.values()))
    return tuple(map(tree_name, orders))


@dataclass
class Stack:
    """Layers in order, Debian's apart from what lies on top.

    Configuration only ever sees `debian` layers, so that applications and files of a recipe do not
    change the configuration its children share.
    """

    debian: list[LayerOrder] = field(default_factory=list)
    all: list[LayerOrder] = field(default_factory=list)
    configured: Digest | None = None
    """Key of the newest configuration: what every further one builds upon."""
    trees: dict[Digest, tuple[LayerOrder, ...]] = field(default_factory=dict)
    """Layers that were unpacked as more than one tree: by their order's key, lowest first."""

    def add(self, order: LayerOrder, *, debian: bool, trees: tuple[LayerOrder, ...] = ()) -> None:
        """Put a layer on top."""
        self.all.append(order)
        if trees:
            self.trees[order.key] = trees
        if debian:
            self.debian.append(order)


def paths_of(shop: Workshop, orders: tuple[LayerOrder, ...]) -> dict[str, Entry]:
    """What every path is after some layers: later ones win, whiteouts remove."""
    paths: dict[str, Entry] = {}
    for order in orders:
        for key in order.fragments:
            fragment = shop.fragments.get(key)
            if fragment is not None:
                lay(paths, fragment)
    return paths


def lay(paths: dict[str, Entry], fragment: Fragment) -> None:
    """Put a fragment's entries on top of some paths (image-spec, layer.md: whiteouts)."""
    for entry in fragment.entries:
        folder, _, name = entry.path.rpartition("/")
        if name == ".wh..wh..opq":
            _remove_below(paths, folder)
        elif name.startswith(".wh."):
            gone = f"{folder}/{name[4:]}" if folder else name[4:]
            paths.pop(gone, None)
            _remove_below(paths, gone)
        else:
            paths[entry.path] = entry


def _remove_below(paths: dict[str, Entry], folder: str) -> None:
    for path in [p for p in paths if p.startswith(f"{folder}/")]:
        del paths[path]


def parents(path: str, below: Mapping[str, Entry]) -> list[Entry]:
    """The folders above a path as they stand, outermost first; new ones are root's."""
    found = []
    folder = path.rpartition("/")[0]
    while folder:
        there = below.get(folder)
        if there is None or there.kind is not Kind.SYMLINK:
            found.append(there or Entry(folder, Kind.DIRECTORY, 0o755))
        folder = folder.rpartition("/")[0]
    return found[::-1]
