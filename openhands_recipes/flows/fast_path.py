"""Whether an image was built before, told from the bytes of recipes and locks alone.

Reads no part, parses no YAML, builds no model: an unchanged image must be recognised in milliseconds.
"""

from __future__ import annotations

import json

from openhands_recipes import __version__
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.ports import RecipeStore

KEY_RULES = 1
"""Raise it together with any rule a lock does not record."""


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
        lock, text = store.lock(parent["name"]), store.recipe(parent["name"])
        if lock is None or text is None or digest_of(lock.content) != parent["lock"]:
            return None
        members += [digest_of(text.content), digest_of(lock.content)]
    settings, packages = store.settings(), store.package_table()
    common = [digest_of(settings.content), digest_of(packages.content)]
    return digest_of_json(["image", KEY_RULES, __version__, name, platform, compression, common, members])
