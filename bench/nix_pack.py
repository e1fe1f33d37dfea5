"""From a store to a registry by our own steps: pack what is new, push what is missing.

python -m bench.nix_pack STORE CACHE HOST:PORT/NAMESPACE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bench.nix_store import planted, tree_of
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.nix_store_tree import StoreSteps
from openhands_recipes.adapters.packer import LayerPacker, PackSteps
from openhands_recipes.adapters.registry.client import OciRegistry
from openhands_recipes.adapters.store_fragments import StoreFragmentStore
from openhands_recipes.cli.world.machine import cores
from openhands_recipes.compile.nix.nar import frames, nar_hash
from openhands_recipes.compile.oci.image import ImageSettings, assemble
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.codec import BLOCK, codec, codec_rules
from openhands_recipes.compile.pack.layer import layer_chunks
from openhands_recipes.compile.pack.plan_closure import plan_levels
from openhands_recipes.compile.pack.store import LINKED, part_of, store_fragment
from openhands_recipes.compile.pack.tar_write import header, padding
from openhands_recipes.flows.stack import order_of
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.image import Image
from openhands_recipes.model.reference import parse_address
from openhands_recipes.ports import LayerOrder, PushOrder

STEPS = StoreSteps(store_fragment, frames, nar_hash, header, padding, LINKED)
ROOT = "environment-"


def orders_of(store: Path) -> list[LayerOrder]:
    """The layers of a store: the planner's groups, and the environment alone."""
    parts = [part_of(item.path, item.nar_hash, item.nar_size) for item in planted(store)]
    roots = tuple(part.key for part in parts if part.name.startswith(ROOT))
    (groups,) = plan_levels([[part for part in parts if part.key not in roots]])
    return [
        *(order_of(f"bench/{group.name}", group.keys) for group in groups),
        order_of("bench/roots", roots),
    ]


def image_of(store: Path, cache: Path) -> tuple[Image, LocalImageStore]:
    """Pack, or find that nothing has changed."""
    shelf = CacheDir(cache)
    blobs = BlobStore(shelf)
    images = LocalImageStore(shelf, blobs, codec_rules=codec_rules)
    key = digest_of((store / "store.json").read_bytes())
    known = images.image(key)
    if known is not None:
        return known, images
    fragments = StoreFragmentStore(
        shelf, blobs, converters={}, build=build_fragment, workers=cores(), steps=STEPS
    )
    fragments.plant(map(tree_of, planted(store)))
    steps = PackSteps(layer_chunks, codec, BLOCK)
    packer = LayerPacker(fragments, images, blobs, steps=steps, workers=cores())
    layers = packer.pack(orders_of(store), compression="zstd")
    image = assemble("bench", "1", "linux/amd64", layers, ImageSettings(created="1970-01-01T00:00:01Z"))
    images.keep_image(key, image)
    return image, images


def main(store: Path, cache: Path, target: str) -> None:
    """Pack and push; print what it took as JSON."""
    began = time.perf_counter()
    image, images = image_of(store, cache)
    packed = time.perf_counter() - began
    facts: dict[str, float] = {"pack": packed, "layers": len(image.layers), "bytes": image.size}
    if target:
        address = parse_address(target)
        with OciRegistry(address, plain_http=True, credentials=lambda _host, _name: None) as registry:
            report = registry.push(
                PushOrder(address.repository("bench"), (image,), ("1",)), blobs=images.blob
            )
        facts |= {"uploaded": report.uploaded_bytes, "requests": report.requests}
    facts |= {"seconds": time.perf_counter() - began, "cpu": time.process_time()}
    facts["peak_mib"] = _peak_mib()
    print(json.dumps(facts))


def _peak_mib() -> float:
    """Since the program began: getrusage would count what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
