"""A store for the benches: as many paths and bytes as a real closure, few of them big, all of real content.

Sizes follow a closure of a development environment: a handful of compilers and runtimes hold most bytes,
hundreds of libraries the rest. Contents are pieces of this machine's own programs, so they compress as such.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openhands_recipes.adapters.nix_store_tree import Listing, list_tree
from openhands_recipes.compile.nix.nar import frames
from openhands_recipes.compile.pack.store import store_key
from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports.store_trees import StoreTree

LETTERS = "0123456789abcdfghijklmnpqrsvwxyz"
PATHS = 300
CHANGED = "app"
"""The path whose one file changes: the newest of somebody's own programs."""
SOURCES = ("/usr/lib", "/usr/bin", "/usr/share")
POOL_BYTES = 128 << 20


class Planted(NamedTuple):
    """A path of the bench's store."""

    folder: Path
    path: str
    nar_hash: str
    nar_size: int


def make_store(folder: Path, megabytes: int) -> None:
    """Write the trees and what their hashes are."""
    folder.mkdir(parents=True)
    dice = random.Random(20)  # noqa: S311 - the same store every time
    pool = b"".join(_pool())
    weights = [1 / (rank + 1) ** 1.15 for rank in range(PATHS)]
    names = [f"{LETTERS[rank % 32]}lib{rank}-1.{rank % 9}" for rank in range(PATHS - 2)]
    sizes = [int(weight / sum(weights) * megabytes * 1_000_000) for weight in weights]
    for name, size in zip([*names, f"{CHANGED}-1.0"], sizes, strict=False):
        _fill(folder / _base(name), size, pool, dice)
    environment = folder / _base("environment-1.0")
    (environment / "bin").mkdir(parents=True)
    for name in names:
        (environment / "bin" / name).symlink_to(f"/nix/store/{_base(name)}")
    describe(folder)


def change_one_file(folder: Path) -> None:
    """As a new version of one program: its path and the environment get other hashes and names."""
    for name in (CHANGED, "environment"):
        old = folder / _base(f"{name}-1.0")
        new = old.rename(folder / _base(f"{name}-1.1"))
        if name == CHANGED:
            (new / "0" / "0").write_bytes(b"changed" * 100)
    describe(folder)


def describe(folder: Path) -> None:
    """Have `store.json`: what `nix path-info` would say."""
    listed = []
    for place in sorted(p for p in folder.iterdir() if p.is_dir()):
        digest, size = _nar(place)
        listed.append([place.name, f"sha256-{base64.b64encode(digest).decode()}", size])
    (folder / "store.json").write_text(json.dumps(listed))


def planted(folder: Path) -> list[Planted]:
    """What is in a store, sorted by name."""
    listed = json.loads((folder / "store.json").read_text())
    return [Planted(folder / base, f"/nix/store/{base}", nar_hash, size) for base, nar_hash, size in listed]


def tree_of(item: Planted) -> StoreTree:
    """A path as the packer takes it."""
    return StoreTree(
        store_key(item.path, item.nar_hash), item.path, item.nar_hash, item.nar_size, item.folder
    )


def _pool() -> Iterator[bytes]:
    left = POOL_BYTES
    for source in SOURCES:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if left > 0 and path.is_file() and not path.is_symlink():
                    content = path.read_bytes()[: 4 << 20]
                    left -= len(content)
                    yield content


def _fill(place: Path, size: int, pool: bytes, dice: random.Random) -> None:
    """Files of some kB and a few of some MB, 64 to a folder."""
    count = 0
    while size > 0 or not count:
        wanted = min(size, int(dice.lognormvariate(9.2, 1.8)) + 1) if count else min(size, 2000)
        start = dice.randrange(len(pool) - wanted)
        file = place / str(count // 64) / str(count)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pool[start : start + wanted])
        size -= wanted
        count += 1


def _base(name: str) -> str:
    digest = hashlib.sha256(name.encode()).digest()
    return "".join(LETTERS[byte % 32] for byte in digest) + f"-{name}"


def _nar(place: Path) -> tuple[bytes, int]:
    from bench.nix_pack import STEPS  # noqa: PLC0415 - it needs us as well

    listing: Listing = list_tree(tree_of(Planted(place, f"/nix/store/{place.name}", "", 0)), STEPS)
    digest, size = hashlib.sha256(), 0
    for node, frame in zip(listing.nodes, frames(listing.nodes), strict=True):
        content = (place / node.path).read_bytes() if node.kind is Kind.FILE else b""
        for piece in (frame.head, content, frame.tail):
            digest.update(piece)
            size += len(piece)
    return digest.digest(), size
