"""Packing throughput on one core: fragments to a zstd layer beside Python's `tarfile` and zlib.

Ours also hashes both sides of the codec, as a layer needs it; the peer does not even that.
"""

from __future__ import annotations

import gc
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.harness import TREE, Bench, Target, say
from bench.processes import run
from bench.workshop import Workshop
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.packer import LayerPacker, PackSteps
from openhands_recipes.cli.building import CALM
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.codec import BLOCK, codec, codec_rules
from openhands_recipes.compile.pack.layer import layer_chunks
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports import Content, LayerOrder

PEER = "tarfile+zlib-6"
WANTED_BYTES = 300_000_000
LARGEST_FILE = 1_000_000
SOURCES = ("/usr/lib/python3", "/usr/lib/python3.11", "/usr/share", "/usr/lib")
FRAGMENT = digest_of(b"bench")


def pack(shop: Workshop) -> Bench:
    """Megabytes of tar packed per processor second, from parts converted before."""
    tree, cache, facts = _prepared(shop)
    alone("fragment", tree, cache)
    return _bench("pack", "packing many small files, MB per processor second", "layer", tree, cache, facts)


def pack_files(shop: Workshop) -> Bench:
    """The same from plain files on the disk, as the peer has them."""
    tree, cache, facts = _prepared(shop)
    what = "the same from plain files, not from fragments"
    return _bench("pack_files", what, "fragment", tree, cache, facts)


def _bench(  # noqa: PLR0913, PLR0917 - one call each
    name: str, what: str, way: str, tree: Path, cache: Path, facts: dict[str, object]
) -> Bench:
    return Bench(
        name=name,
        what=what,
        unit="MB/s",
        ours=lambda: alone(way, tree, cache),
        peers={PEER: lambda: alone("peer", tree, cache)},
        targets=(Target(5, peer=PEER, at_least=True),),
        runs=3,
        facts=facts,
    )


def _prepared(shop: Workshop) -> tuple[Path, Path, dict[str, object]]:
    tree, cache = shop.folder / "pack-tree", shop.folder / "pack-cache"
    if tree.exists():
        return tree, cache, {}
    say(f"gathering about {WANTED_BYTES // 1_000_000} MB of small files")
    count, size = gather(tree)
    return tree, cache, {"files": count, "bytes": size}


def gather(tree: Path) -> tuple[int, int]:
    """Copy small files of this machine until there are enough."""
    count = size = 0
    for path in _small_files():
        target = tree / str(count // 500) / f"{count}-{path.name[-80:]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        count += 1
        size += target.stat().st_size
        if size >= WANTED_BYTES:
            break
    return count, size


def _small_files() -> Iterator[Path]:
    for source in SOURCES:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and 0 < found.st_size < LARGEST_FILE:
                    yield path


def alone(what: str, tree: Path, cache: Path) -> float:
    """MB per processor second of one of the ways, in a process of its own on one core."""
    done = run([sys.executable, "-m", "bench.pack", what, tree, cache], environment={"PYTHONPATH": str(TREE)})
    return float(done.stdout)


# --- inside the process ----------------------------------------------------------------------------


def entries(folder: str, below: str = "") -> Iterator[tuple[Entry, Content]]:
    """A tree as entries whose files are read when they are written."""
    with os.scandir(folder) as listed:
        found = sorted(listed, key=lambda one: one.name)
    for one in found:
        name = below + one.name
        if one.is_dir(follow_symlinks=False):
            yield Entry(name, Kind.DIRECTORY, 0o755), None
            yield from entries(one.path, f"{name}/")
        else:
            size = one.stat().st_size
            yield Entry(name, Kind.FILE, size=size), partial(_content, one.path, size)


def _content(path: str, size: int) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield os.read(descriptor, size)
    finally:
        os.close(descriptor)


def peer(tree: Path, out: Path) -> int:
    """What one would write without us."""
    with tarfile.open(out, "w:gz", compresslevel=6) as archive:
        archive.add(tree, arcname=".")
        return archive.offset


def main(what: str, tree: Path, cache: Path) -> float:
    """Pack in one way; megabytes of tar per second of processor time, which a busy machine cannot blur."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    shelf = CacheDir(cache)
    blobs = BlobStore(shelf)
    fragments = FragmentStore(shelf, blobs, converters={}, build=build_fragment, workers=1)
    images = LocalImageStore(shelf, blobs, codec_rules=codec_rules)
    steps = PackSteps(layer_chunks, codec, BLOCK)
    packer = LayerPacker(fragments, images, blobs, steps=steps, workers=1)
    order = LayerOrder(digest_of(os.urandom(16)), "bench", (FRAGMENT,))
    gc.set_threshold(*CALM)  # as `ohr build` has it
    began = time.process_time()
    match what:
        case "peer":
            with tempfile.NamedTemporaryFile(dir=cache) as out:
                size = peer(tree, Path(out.name))
        case "fragment":
            shutil.rmtree(cache / "fragments", ignore_errors=True)
            began = time.process_time()
            fragments.create(FRAGMENT, entries(os.fspath(tree)))
            size = packer.pack([order], compression="zstd")[0].uncompressed_size
        case _:
            size = packer.pack([order], compression="zstd")[0].uncompressed_size
    return size / (time.process_time() - began) / 1e6


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
