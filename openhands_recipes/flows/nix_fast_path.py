"""Whether an image over a closure was built before, told from the bytes of recipes and locks alone.

Starts no Nix, reads no store, parses no YAML. Which recipes a lineage has is remembered from the build
before; as every one of their texts belongs into the key, a lineage that has changed since is never found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

from openhands_recipes import __version__
from openhands_recipes.compile.pack import plan_closure
from openhands_recipes.flows.fast_path import Built
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.model.image import Compression, Image
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import RecipeStore, StoredText

KEY_RULES = 1
"""Raise it together with any rule of images over closures."""
Shape = Literal["debian", "hybrid"]
"""From Debian alone; the contract from Debian and the tools from a closure; from a closure alone."""
_RECORD = "closure-lineage"


class NixImage(NamedTuple):
    """Which image of a recipe."""

    name: str
    platform: Platform
    compression: Compression
    shape: Shape


def nix_built_before(shop: Workshop, wanted: NixImage) -> Built | None:
    """The image of exactly these recipes and locks, if it was built before."""
    record = shop.records.get(_RECORD, _lineage_key(shop.store, wanted))
    if record is None:
        return None
    try:
        known = json.loads(record)
        key = nix_image_key(shop.store, wanted, known["lineage"], contract=known["contract"])
    except (ValueError, KeyError, TypeError):
        return None
    image = shop.images.image(key) if key is not None else None
    if image is None:
        return None
    return Built(image, frozenset(layer.digest for layer in image.layers), unchanged=True)


def remember(
    shop: Workshop, wanted: NixImage, image: Image, lineage: Sequence[str], *, contract: int
) -> None:
    """Keep an image for the next time; `contract` levels of its lineage came from Debian."""
    key = nix_image_key(shop.store, wanted, lineage, contract=contract)
    if key is not None:
        shop.images.keep_image(key, image)
        record = json.dumps({"lineage": list(lineage), "contract": contract}).encode()
        shop.records.put(_RECORD, _lineage_key(shop.store, wanted), record)


def nix_image_key(
    store: RecipeStore, wanted: NixImage, lineage: Sequence[str], *, contract: int
) -> Digest | None:
    """A digest over everything an image is made of; None when a recipe or lock is missing."""
    members = []
    for height, member in enumerate(lineage):
        recipe, closure = store.recipe(member), store.closure(member)
        lock = store.lock(member) if height < contract else None
        if recipe is None or (height < contract and lock is None):
            return None
        members.append([_digest(recipe), _digest(lock), _digest(closure)])
    if not members or not members[-1][-1]:
        return None
    return digest_of_json(
        [
            "closure-image",
            [KEY_RULES, plan_closure.VERSION],
            __version__,
            list(wanted),
            _common(store),
            members,
        ]
    )


def _lineage_key(store: RecipeStore, wanted: NixImage) -> Digest:
    return digest_of_json(
        [_RECORD, wanted.name, wanted.shape, _digest(store.recipe(wanted.name)), _common(store)]
    )


def _common(store: RecipeStore) -> list[str]:
    return [_digest(store.settings()), _digest(store.package_table())]


def _digest(stored: StoredText | None) -> str:
    return digest_of(stored.content) if stored is not None else ""
