"""Whether an image was built before, told from the bytes of recipes and locks alone.

Reads no part, parses no YAML, builds no model: an unchanged image must be recognised in milliseconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from openhands_recipes import __version__
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.model.image import Compression, Image
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import RecipeStore

KEY_RULES = 1
"""Raise it together with any rule a lock does not record."""


@dataclass(frozen=True)
class Built:
    """An image and what making it took."""

    image: Image
    reused: frozenset[Digest]
    """Layers that were in the cache before."""
    unchanged: bool
    """Nothing had to be looked at: the fast path."""

    @property
    def new_bytes(self) -> int:
        """Compressed bytes of layers made now."""
        return sum(layer.size for layer in self.image.layers if layer.digest not in self.reused)

    @property
    def reused_bytes(self) -> int:
        """Compressed bytes of layers made before."""
        return sum(layer.size for layer in self.image.layers if layer.digest in self.reused)

    def to_json(self, seconds: dict[str, float]) -> dict[str, Any]:
        """The record `ohr build --format json` prints."""
        layers = [
            {"digest": layer.digest, "diff_id": layer.diff_id, "size": layer.size, "group": layer.group}
            for layer in self.image.layers
        ]
        return {
            "name": self.image.name,
            "version": self.image.version,
            "platform": self.image.platform,
            "digest": self.image.digest,
            "size": self.image.size,
            "layers": layers,
            "new_bytes": self.new_bytes,
            "reused_bytes": self.reused_bytes,
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
        }


def built_before(shop: Workshop, name: str, *, platform: Platform, compression: Compression) -> Built | None:
    """The image of exactly these recipes and locks, if it was built before.

    Raises:
        VerificationError: it stands on a release of another registry that was blocked since.
    """
    key = image_key(shop.store, name, platform=platform, compression=compression)
    image = shop.images.image(key) if key is not None else None
    if image is None:
        return None
    _look_at_pins(shop.store, name)
    return Built(image, frozenset(layer.digest for layer in image.layers), unchanged=True)


def _look_at_pins(store: RecipeStore, name: str) -> None:
    stored = store.lock(name)
    if stored is not None and b'"kept"' in stored.content:
        from openhands_recipes.flows.foreign import look_at_pins  # noqa: PLC0415 - rare, and takes its time

        look_at_pins(store, name)


def image_key(store: RecipeStore, name: str, *, platform: str, compression: str) -> Digest | None:
    """A digest over everything an image is made of; None when a lock is missing or not of this chain.

    Equal keys mean equal images. A parent whose lock moved has another digest than the child's lock
    says, so that stale chains never get a key.
    """
    own = store.lock(name)
    recipe = store.recipe(name)
    if own is None or recipe is None:
        return None
    try:
        parents = json.loads(own.content)["parents"]
    except (ValueError, KeyError, TypeError):
        return None
    members = [digest_of(recipe.content), digest_of(own.content)]
    for parent in parents:
        if "/" in parent["name"]:
            continue  # of another registry: the locks that are members pin all of it
        lock, text = store.lock(parent["name"]), store.recipe(parent["name"])
        if lock is None or text is None or digest_of(lock.content) != parent["lock"]:
            return None
        members += [digest_of(text.content), digest_of(lock.content)]
    settings, packages = store.settings(), store.package_table()
    common = [digest_of(settings.content), digest_of(packages.content)]
    return digest_of_json(["image", KEY_RULES, __version__, name, platform, compression, common, members])
