"""Trees as a Nix store may hold them, with everything that is odd, and their hashes by our own account."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.nix_store_tree import StoreSteps, list_tree
from openhands_recipes.adapters.packer import LayerPacker, PackSteps
from openhands_recipes.adapters.store_fragments import StoreFragmentStore
from openhands_recipes.compile.nix.nar import frames, nar_hash
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.codec import BLOCK, codec, codec_rules
from openhands_recipes.compile.pack.layer import layer_chunks
from openhands_recipes.compile.pack.store import LINKED, store_fragment, store_key
from openhands_recipes.compile.pack.tar_write import header, padding
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports.store_trees import StoreTree

STEPS = StoreSteps(store_fragment, frames, nar_hash, header, padding, LINKED)

Content = bytes | str | Mapping[bytes | str, "Content"] | Path
"""Bytes: a file; str: a symbolic link; a mapping: a folder; a path: a hard link to what is there."""
BIG = b"the same " * 1000
ODD: Content = {
    "bin": {"program": b"#!/bin/sh\necho hello\n", "sh": "program"},
    "case": {"README": b"upper", "readme": b"lower", "ReadMe": "README"},
    "twice": {"a": BIG, "b": BIG, "c": BIG[:-1] + b"!", "program": BIG},
    "empty": {},
    "names": {
        b"\xff\xfe not utf-8 \x80": b"bytes",
        "umlaut-ä": b"text",
        "line\nbreak": b"a line break",
        "-rf": b"a dash",
        "x" * 255: b"long",
        b"to-\xff": "../\udcff/nowhere",
    },
    "nothing": b"",
    "block": b"x" * 512,
    "long": {"d" * 200: {"e" * 200: {"f" * 200: b"deep"}}},
    "+._?=-": b"every character of a store path's name",
}


def plant(place: Path, content: Content) -> Path:
    """Put a tree on the disk as a store would: nothing may be written, times are the second 1."""
    _make(place, content)
    for path in [*place.rglob("*"), place]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444)
        os.utime(path, (1, 1), follow_symlinks=False)
    return place


def _make(place: Path, content: Content) -> None:
    if isinstance(content, bytes):
        place.write_bytes(content)
        if content.startswith(b"#!") or place.name == "program":
            place.chmod(0o755)
    elif isinstance(content, str):
        place.symlink_to(content)
    elif isinstance(content, Path):
        place.hardlink_to(content)
    else:
        place.mkdir()
        for name, inside in content.items():
            _make(place / os.fsdecode(name), inside)


def store_name(name: str) -> str:
    """A store path for a name; its hash is made up, and always the same."""
    letters = "0123456789abcdfghijklmnpqrsvwxyz"
    digest = hashlib.sha256(name.encode()).digest()
    return f"/nix/store/{''.join(letters[byte % 32] for byte in digest)}-{name}"


def nar_of(folder: Path) -> bytes:
    """The archive of a tree, by our own steps."""
    tree = StoreTree(digest_of(b""), store_name("any"), "", 0, folder)
    nodes = list_tree(tree, STEPS).nodes
    contents = [(folder / n.path).read_bytes() if n.kind is Kind.FILE else b"" for n in nodes]
    return b"".join(f.head + c + f.tail for f, c in zip(frames(nodes), contents, strict=True))


def tree_of(folder: Path, name: str, *, hash_text: str = "") -> StoreTree:
    """A tree as the store promises it."""
    raw = nar_of(folder)
    promised = hash_text or nar_hash(hashlib.sha256(raw).digest())
    path = store_name(name)
    return StoreTree(store_key(path, promised), path, promised, len(raw), folder)


def fragments(cache: Path, trees: Iterable[StoreTree] = (), *, workers: int = 2) -> StoreFragmentStore:
    """A cache of fragments with trees planted."""
    shelf = CacheDir(cache)
    store = StoreFragmentStore(
        shelf, BlobStore(shelf), converters={}, build=build_fragment, workers=workers, steps=STEPS
    )
    store.plant(trees)
    return store


def packer(store: StoreFragmentStore, *, workers: int = 2) -> LayerPacker:
    """A packer over such a cache."""
    images = LocalImageStore(store._cache, store._blobs, codec_rules=codec_rules)
    steps = PackSteps(chunks=layer_chunks, codec=codec, block=BLOCK)
    return LayerPacker(store, images, store._blobs, steps=steps, workers=workers)


def remove(folder: Path) -> None:
    """Remove a tree that may not be written."""
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)
