"""Packing throughput on one core: fragments to a zstd layer beside Python's `tarfile` and zlib.

Ours also hashes both sides of the codec, as a layer needs it; the peer does not even that.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.harness import TREE, Bench, Target, say
from bench.processes import run
from bench.workshop import Workshop
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.packer import LayerPacker, PackSteps
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
    """Megabytes of tar packed per processor second."""
    tree = shop.folder / "pack-tree"
    cache = shop.folder / "pack-cache"
    if not tree.exists():
        say(f"gathering about {WANTED_BYTES // 1_000_000} MB of small files")
        count, size = gather(tree)
        facts = {"files": count, "bytes": size, "from_files": alone("fragment", tree, cache)}
    else:
        facts = {}
    return Bench(
        name="pack",
        what="packing many small files, MB per processor second",
        unit="MB/s",
        ours=lambda: alone("layer", tree, cache),
        peers={PEER: lambda: alone("peer", tree, cache)},
        targets=(Target(5, peer=PEER, at_least=True),),
        runs=3,
        facts=facts,
    )


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


def entries(tree: Path) -> Iterator[tuple[Entry, Content]]:
    """The tree as entries whose files are read when they are written."""
    for path in sorted(tree.rglob("*")):
        found = path.stat()
        name = str(path.relative_to(tree))
        if path.is_dir():
            yield Entry(name, Kind.DIRECTORY, 0o755), None
        else:
            yield Entry(name, Kind.FILE, size=found.st_size), _reading(path)


def _reading(path: Path) -> Content:
    return lambda: iter((path.read_bytes(),))


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
    began = time.process_time()
    match what:
        case "peer":
            with tempfile.NamedTemporaryFile(dir=cache) as out:
                size = peer(tree, Path(out.name))
        case "fragment":
            fragments.create(FRAGMENT, entries(tree))
            size = packer.pack([order], compression="zstd")[0].uncompressed_size
        case _:
            size = packer.pack([order], compression="zstd")[0].uncompressed_size
    return size / (time.process_time() - began) / 1e6


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
