from __future__ import annotations

import gzip
import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.frames import Frames
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.packer import LayerPacker, PackSteps
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.codec import Codec, codec, codec_rules
from openhands_recipes.compile.pack.layer import layer_chunks
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.model.image import Compression, Layer
from openhands_recipes.ports import LayerOrder
from tests.parts import read_tar

BLOCK = 8192


class World:
    """A cache with some fragments and everything that packs them."""

    def __init__(self, root: Path, *, workers: int = 2, steps: PackSteps | None = None) -> None:
        self.cache = CacheDir(root)
        self.blobs = BlobStore(self.cache)
        self.fragments = FragmentStore(
            self.cache, self.blobs, converters={}, build=build_fragment, workers=workers
        )
        self.images = LocalImageStore(self.cache, self.blobs, codec_rules=codec_rules)
        self.packer = LayerPacker(
            self.fragments, self.images, self.blobs,
            steps=steps or PackSteps(layer_chunks, codec, BLOCK), workers=workers,
        )  # fmt: skip

    def order(self, name: str, size: int, *, group: str = "") -> LayerOrder:
        """A layer of two fragments with so many bytes in them."""
        keys = []
        for half in ("a", "b"):
            key = digest_of(f"{name} {half}".encode())
            content = (f"{name} {half} " * (size // 2 // (len(name) + 3) + 1)).encode()[: size // 2]
            entries = [
                (Entry("usr", Kind.DIRECTORY, 0o755), None),
                (Entry(f"usr/{name}-{half}", Kind.FILE), content),
            ]
            self.fragments.create(key, entries)
            keys.append(key)
        return LayerOrder(digest_of(name.encode()), group or name, tuple(keys))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "cache")


def plain(world: World, layer: Layer) -> bytes:
    raw = world.images.blob(layer.digest).read_bytes()
    match layer.compression:
        case "zstd":
            return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read()
        case "gzip":
            return gzip.decompress(raw)
        case "none":
            return raw


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_a_layer_is_what_its_digests_say(world: World, compression: Compression) -> None:
    order = world.order("sample", 100_000)
    (layer,) = world.packer.pack([order], compression=compression)
    blob = world.images.blob(layer.digest).read_bytes()
    tar = plain(world, layer)
    assert (layer.digest, layer.size) == (digest_of(blob), len(blob))
    assert (layer.diff_id, layer.uncompressed_size) == (digest_of(tar), len(tar))
    assert (layer.compression, layer.group) == (compression, "sample")
    assert list(read_tar(tar)) == ["usr", "usr/sample-a", "usr/sample-b"]


def test_compressions_share_their_diff_ids(world: World) -> None:
    order = world.order("sample", 50_000)
    diff_ids = {world.packer.pack([order], compression=c)[0].diff_id for c in ("zstd", "gzip", "none")}
    assert len(diff_ids) == 1


def test_one_core_packs_the_same_as_many_and_any_order(tmp_path: Path) -> None:
    packed = []
    for workers in (1, 2, 9):
        world = World(tmp_path / str(workers), workers=workers)
        orders = [world.order(f"layer{n}", n * 30_000) for n in range(8)]
        layers = world.packer.pack(orders[:: 1 if workers == 1 else -1], compression="zstd")
        packed.append({layer.group: layer for layer in layers})
    assert packed[0] == packed[1] == packed[2]


def test_layers_come_in_the_order_asked_for_and_known_ones_are_not_packed_again(world: World) -> None:
    orders = [world.order(f"layer{n}", 1000) for n in range(5)]
    first = world.packer.pack(orders, compression="zstd")
    assert [layer.group for layer in first] == [order.group for order in orders]
    for order in orders:
        for key in order.fragments:
            world.fragments.path(key).unlink()
    assert world.packer.pack(orders[::-1], compression="zstd") == first[::-1]


def test_a_layer_keeps_the_name_of_whoever_asks(world: World) -> None:
    order = world.order("sample", 1000, group="base/debian/small/0")
    other = LayerOrder(order.key, "python/debian/small/0", order.fragments)
    both = world.packer.pack([order, other], compression="zstd")
    assert [layer.group for layer in both] == [order.group, other.group]
    assert both[0].digest == both[1].digest


def test_progress_counts_uncompressed_bytes_in_the_callers_thread(world: World) -> None:
    seen: list[int] = []

    class Counting:
        def advance(self, amount: int = 1) -> None:
            assert threading.current_thread() is threading.main_thread()
            seen.append(amount)

        def note(self, text: str) -> None:
            raise NotImplementedError

        def expect(self, total: int) -> None:
            raise NotImplementedError

    layers = world.packer.pack(
        [world.order("a", 60_000), world.order("b", 9)], compression="zstd", stage=Counting()
    )
    assert sum(seen) == sum(layer.uncompressed_size for layer in layers)


def test_a_blob_that_was_removed_is_packed_again(world: World) -> None:
    order = world.order("sample", 1000)
    (layer,) = world.packer.pack([order], compression="zstd")
    world.images.blob(layer.digest).unlink()
    assert world.packer.pack([order], compression="zstd") == (layer,)
    assert world.images.blob(layer.digest).exists()


def test_a_missing_fragment_is_an_error_that_names_the_layer(world: World) -> None:
    order = LayerOrder(digest_of(b"k"), "base/debian/small/0", (digest_of(b"nothing"),))
    with pytest.raises(OutsideError, match="a fragment of the layer base/debian/small/0 is not in the cache"):
        world.packer.pack([order], compression="zstd")


def test_an_error_in_one_layer_ends_all_and_leaves_no_files(world: World) -> None:
    orders = [world.order(f"layer{n}", 200_000) for n in range(6)]
    world.fragments.path(orders[3].fragments[0]).unlink()
    with pytest.raises(OutsideError, match="not in the cache any more"):
        world.packer.pack(orders, compression="zstd")
    assert list((world.cache.root / "partial").iterdir()) == []


def test_a_codec_of_another_version_packs_nothing(tmp_path: Path) -> None:
    def refused() -> Codec:
        raise OutsideError("another version")

    steps = PackSteps(layer_chunks, lambda c: codec(c)._replace(new_encoder=refused), BLOCK)  # type: ignore[arg-type]
    world = World(tmp_path / "cache", steps=steps)
    with pytest.raises(OutsideError, match="another version"):
        world.packer.pack([world.order("x", 100_000)], compression="zstd")


def test_a_full_disk_is_said_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, __: Digest) -> Path:
        raise OSError(28, "No space left on device")

    order = world.order("sample", 1000)
    monkeypatch.setattr(world.blobs, "adopt", full)
    with pytest.raises(OutsideError, match="no room left for the cache"):
        world.packer.pack([order], compression="zstd")


@pytest.mark.parametrize("read", [1, 100, 511, 5000, -1])
def test_a_layer_streams_as_the_tar_it_will_be(world: World, read: int) -> None:
    order = world.order("sample", 20_000)
    (layer,) = world.packer.pack([order], compression="none")
    with world.packer.stream(order) as stream:
        pieces = list(iter(lambda: stream.read(read), b""))
    assert digest_of(b"".join(pieces)) == layer.diff_id
    assert read < 0 or all(len(piece) == read for piece in pieces[:-1])


def test_only_few_blocks_are_in_memory_at_once() -> None:
    lock = threading.Lock()
    alive = [0, 0]

    def blocks(count: int) -> Iterator[memoryview]:
        for number in range(count):
            with lock:
                alive[0] += 1
                alive[1] = max(alive)
            yield memoryview(number.to_bytes(4, "big"))

    def consume(frames: Frames, out: io.BytesIO) -> None:
        for frame in frames.compress(blocks(300)):
            out.write(frame)
            with lock:
                alive[0] -= 1

    outs = [io.BytesIO() for _ in range(3)]
    with Frames(lambda: bytes, workers=2, waiting=3) as frames:
        threads = [threading.Thread(target=consume, args=(frames, out)) for out in outs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    expected = b"".join(n.to_bytes(4, "big") for n in range(300))
    assert [out.getvalue() for out in outs] == [expected] * 3
    assert alive[1] <= 2 + 3 + 3  # slots, and one block each layer has read ahead


def test_every_thread_has_its_own_encoder() -> None:
    made: list[threading.Thread] = []
    barrier = threading.Barrier(2, timeout=10)

    def new_encoder() -> Callable[[memoryview], bytes]:
        made.append(threading.current_thread())
        owner = threading.get_ident()

        def encode(block: memoryview) -> bytes:
            assert threading.get_ident() == owner
            if bytes(block) == b"wait":
                barrier.wait()
            return bytes(block)

        return encode

    with Frames(new_encoder, workers=2, waiting=2) as frames:
        out = list(frames.compress(memoryview(b) for b in (b"wait", b"wait", b"c", b"d", b"e")))
    assert out == [b"wait", b"wait", b"c", b"d", b"e"]
    assert len(set(made)) == len(made) == 2


def test_the_record_of_a_layer_belongs_to_its_codec(world: World) -> None:
    order = world.order("sample", 1000)
    world.packer.pack([order], compression="zstd")
    newer = LocalImageStore(
        world.cache, world.blobs, codec_rules=lambda c: codec_rules(c) | {"library": "9.9"}
    )
    assert newer.layer(order.key, "zstd") is None
    assert world.images.layer(order.key, "zstd") is not None
    assert world.images.layer(order.key, "gzip") is None


def test_hashes_are_those_of_hashlib(world: World) -> None:
    (layer,) = world.packer.pack([world.order("sample", 1000)], compression="none")
    raw = world.images.blob(layer.digest).read_bytes()
    assert layer.diff_id == f"sha256:{hashlib.sha256(raw).hexdigest()}" == layer.digest
