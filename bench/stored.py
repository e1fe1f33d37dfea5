"""Bytes a registry or a machine holds for the whole library: layers that images share are stored once."""

from __future__ import annotations

import functools
import json

from bench.harness import TREE, Bench, Target
from bench.workshop import Workshop


def stored_bytes(shop: Workshop) -> Bench:
    """Distinct layer bytes of all recipes, beside the sum of their images."""
    names = sorted(lock.parent.name for lock in (TREE / "recipes").glob("*/recipe.lock.json"))

    @functools.cache
    def layers() -> tuple[tuple[str, int], ...]:
        built = json.loads(shop.library(shop.fresh_cache(), "build", *names, "--format", "json").stdout)
        return tuple((layer["digest"], layer["size"]) for image in built for layer in image["layers"])

    return Bench(
        name="stored_bytes",
        what=f"stored bytes of the library's {len(names)} images, what they share counted once",
        unit="MB",
        ours=lambda: sum(dict(layers()).values()) / 1e6,
        peers={"sum of images": lambda: sum(size for _, size in layers()) / 1e6},
        targets=(Target(0.25, "sum of images"),),
        runs=1,
    )
