"""An image opened in a sandbox: its layers as trees, its settings as a runtime would apply them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from openhands_recipes.compile.oci.config import StartSettings
from openhands_recipes.flows.stack import Stack, order_of, tree_name, unpack
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import hex_of
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.model.image import Image, Layer
from openhands_recipes.ports import Box, Command

RECORD = "trees"
"""Records that tell of which fragments a layer's trees were made while it was built."""


def remember_trees(shop: Workshop, image: Image, stack: Stack) -> None:
    """Let later runs find the trees that building unpacked."""
    for layer, order in zip(image.layers, stack.all, strict=True):
        trees = [list(tree.fragments) for tree in stack.trees.get(order.key, (order,))]
        shop.records.put(RECORD, layer.diff_id, json.dumps(trees).encode())


def trees_of(shop: Workshop, image: Image) -> tuple[str, ...]:
    """The trees of an image's layers, lowest first; missing ones are unpacked."""
    names: list[str] = []
    for layer in image.layers:
        names += _known_trees(shop, layer) or [_whole_tree(shop, layer)]
    return tuple(names)


def fragments_of_layer(shop: Workshop, layer: Layer) -> list[Fragment] | None:
    """What a layer was packed from, in order; None unless that was here and is still in the cache."""
    record = shop.records.get(RECORD, layer.diff_id)
    if not record:
        return None
    found = [shop.fragments.get(key) for tree in json.loads(record) for key in tree]
    known = [fragment for fragment in found if fragment is not None]
    return known if len(known) == len(found) else None


def _known_trees(shop: Workshop, layer: Layer) -> list[str]:
    """The trees its building used, completed from fragments; none when those are gone from the cache."""
    record = shop.records.get(RECORD, layer.diff_id)
    orders = [order_of(layer.group, tuple(keys)) for keys in json.loads(record)] if record else []
    missing = [order for order in orders if not shop.engine.has_tree(tree_name(order))]
    if any(shop.fragments.get(key) is None for order in missing for key in order.fragments):
        return []
    if missing:
        with shop.progress.stage("unpack"):
            unpack(shop, tuple(missing))
    return [tree_name(order) for order in orders]


def _whole_tree(shop: Workshop, layer: Layer) -> str:
    name = hex_of(layer.diff_id)[:24]
    if not shop.engine.has_tree(name):
        with shop.progress.stage("unpack"), shop.images.open_layer(layer) as stream:
            shop.engine.add_tree(name, [stream])
    return name


def reader_in(box: Box) -> Callable[[str], bytes | None]:
    """Reads files of a box's root; None for those it does not have."""

    def read(path: str) -> bytes | None:
        done = box.run(Command(("/bin/cat", path), keep_capabilities=True))
        return done.stdout if done.exit_code == 0 else None

    return read


def as_user(
    start: StartSettings,
    argv: tuple[str, ...],
    *,
    workdir: str | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Command:
    """A command as the image's account would run it; setuid programs work, as in a cluster's pod."""
    return Command(
        argv,
        environment={**start.shell_environment, **(environment or {})},
        workdir=workdir or start.shell_workdir,
        uid=start.uid,
        gid=start.gid,
        groups=(start.gid,),
        may_gain_privileges=True,
        timeout=timeout,
    )
