"""An image opened in a sandbox: its layers as trees, its settings as a runtime would apply them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from openhands_recipes.compile.oci.config import StartSettings
from openhands_recipes.flows.stack import Stack, tree_name
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import hex_of
from openhands_recipes.model.image import Image
from openhands_recipes.ports import Box, BoxOptions, Command

RECORD = "tree"
"""Records that tell under which name a layer's tree was unpacked while it was built."""


def remember_trees(shop: Workshop, image: Image, stack: Stack) -> None:
    """Let later runs find the trees that building unpacked."""
    for layer, order in zip(image.layers, stack.all, strict=True):
        trees = stack.trees.get(order.key, (order,))
        shop.records.put(RECORD, layer.diff_id, " ".join(map(tree_name, trees)).encode())


def trees_of(shop: Workshop, image: Image) -> tuple[str, ...]:
    """The trees of an image's layers, lowest first; missing ones are unpacked from the layers."""
    names = []
    for layer in image.layers:
        record = shop.records.get(RECORD, layer.diff_id)
        known = record.decode().split() if record else []
        if known and all(shop.engine.has_tree(name) for name in known):
            names += known
            continue
        name = hex_of(layer.diff_id)[:24]
        if not shop.engine.has_tree(name):
            with shop.progress.stage("unpack"), shop.images.open_layer(layer) as stream:
                shop.engine.add_tree(name, [stream])
        names.append(name)
    return tuple(names)


def open_image(
    shop: Workshop,
    image: Image,
    options: BoxOptions = BoxOptions(),  # noqa: B008 - frozen
) -> AbstractContextManager[Box]:
    """A box over an image."""
    return shop.engine.open(trees_of(shop, image), options)


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
