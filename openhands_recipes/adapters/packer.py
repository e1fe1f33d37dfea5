"""Packs fragments into layers on all cores, always with the same bytes.

Per layer one thread lays out the tar and hashes both sides of the codec, in order; frames of all layers
are compressed by one pool. Every byte is read once. How a layer is laid out and what a frame is comes
from pure steps that are handed in.
"""

from __future__ import annotations

import hashlib
import io
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, Protocol, cast

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import cache_error
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.frames import PRIORITY_STEPS, Encoder, Frames
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.adapters.priority import step_back
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.digest import Digest, hex_of
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.model.image import Compression, Layer
from openhands_recipes.ports import LayerOrder, Stage

STREAM_BYTES = 1 << 20


class Codec(Protocol):
    """What the packer must know of a codec."""

    @property
    def new_encoder(self) -> Callable[[], Encoder]:
        """Makes one encoder per thread."""


class Chunks(Protocol):
    """The pure step that lays a layer out."""

    def __call__(
        self,
        order: LayerOrder,
        fragments: Mapping[Digest, Fragment],
        reader: Callable[[Digest, int, memoryview], None],
        *,
        size: int,
    ) -> Iterator[memoryview]:
        """The layer's tar in blocks of `size` bytes, each a buffer of its own."""


@dataclass(frozen=True)
class PackSteps:
    """The pure steps the packer runs; handed in, because doors never import them."""

    chunks: Chunks
    codec: Callable[[Compression], Codec]
    block: int
    """Bytes of input per frame."""


class LayerPacker:
    """`ports.Packer`: at most `workers` frames are compressed at once, and few more wait in memory."""

    def __init__(
        self,
        fragments: FragmentStore,
        images: LocalImageStore,
        blobs: BlobStore,
        *,
        steps: PackSteps,
        workers: int,
    ) -> None:
        self._fragments = fragments
        self._images = images
        self._blobs = blobs
        self._steps = steps
        self._workers = max(workers, 1)

    def pack(
        self, orders: Sequence[LayerOrder], *, compression: Compression, stage: Stage | None = None
    ) -> tuple[Layer, ...]:
        """One packed layer per order, kept in the image store under its key; known ones are not packed again.

        `stage` advances by uncompressed bytes, from the caller's thread.

        Raises:
            OutsideError: a fragment is gone, the codec is of another version, or the cache cannot be written.
        """
        layers = {order.key: self._images.layer(order.key, compression) for order in orders}
        todo = {order.key: order for order in orders if layers[order.key] is None}
        if todo:
            layers |= self._pack_all(list(todo.values()), compression, stage)
        packed = [(order, layers[order.key]) for order in orders]
        return tuple(
            layer if layer.group == order.group else replace(layer, group=order.group)
            for order, layer in packed
            if layer is not None
        )

    @contextmanager
    def stream(self, order: LayerOrder) -> Iterator[IO[bytes]]:
        """The layer's uncompressed tar.

        Raises:
            OutsideError: a fragment is gone.
        """
        with self._fragments.reader() as reader:
            chunks = self._steps.chunks(order, self._listings(order), reader, size=STREAM_BYTES)
            yield cast("IO[bytes]", io.BufferedReader(_ChunkStream(chunks), STREAM_BYTES))

    def _pack_all(
        self, orders: list[LayerOrder], compression: Compression, stage: Stage | None
    ) -> dict[Digest, Layer]:
        """More than one layer at once: the next fills the cores while the last frames of one are finished."""
        beside = min(len(orders), 2 + self._workers // 4)
        ticks: queue.SimpleQueue[int] = queue.SimpleQueue()
        new_encoder = self._steps.codec(compression).new_encoder
        pool = ThreadPoolExecutor(
            beside, thread_name_prefix="layer", initializer=step_back, initargs=(PRIORITY_STEPS,)
        )
        try:
            with Frames(new_encoder, workers=self._workers, waiting=beside) as frames:
                job = _Job(compression, frames, ticks.put)
                futures = {order.key: pool.submit(self._pack_one, order, job) for order in orders}
                for future in futures.values():
                    future.add_done_callback(lambda _: ticks.put(0))
                running = set(futures.values())
                while running:
                    amount = ticks.get()
                    if stage is not None and amount:
                        stage.advance(amount)
                    finished = {future for future in running if future.done()}
                    running -= finished
                    for future in finished:
                        future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return {key: future.result() for key, future in futures.items()}

    def _pack_one(self, order: LayerOrder, job: _Job) -> Layer:
        temporary = self._blobs.temporary(f"{hex_of(order.key)}.layer")
        before, after = _Sum(), _Sum()
        try:
            with temporary.open("xb") as out, self._fragments.reader() as reader:
                chunks = self._steps.chunks(order, self._listings(order), reader, size=self._steps.block)
                for frame in job.frames.compress(_counted(chunks, before, job.tick)):
                    after.add(frame)
                    out.write(frame)
            layer = Layer(
                diff_id=before.digest, digest=after.digest, size=after.size, uncompressed_size=before.size,
                compression=job.compression, group=order.group,
            )  # fmt: skip
            self._blobs.adopt(temporary, layer.digest)
        except OSError as error:
            raise cache_error(error, self._blobs.folder) from error
        finally:
            temporary.unlink(missing_ok=True)
        self._images.keep_layer(order.key, layer)
        return layer

    def _listings(self, order: LayerOrder) -> dict[Digest, Fragment]:
        found = {}
        for key in order.fragments:
            fragment = self._fragments.get(key)
            if fragment is None:
                raise OutsideError(
                    f"a fragment of the layer {order.group} is not in the cache any more",
                    where=str(self._fragments.path(key)),
                    hint="run the command again",
                )
            found[key] = fragment
        return found


@dataclass(frozen=True)
class _Job:
    """What all layers of one call share."""

    compression: Compression
    frames: Frames
    tick: Callable[[int], None]


class _Sum:
    """Size and sha256 of what went by."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes | memoryview) -> None:
        self._hash.update(piece)
        self.size += len(piece)

    @property
    def digest(self) -> Digest:
        return Digest(f"sha256:{self._hash.hexdigest()}")


def _counted(blocks: Iterable[memoryview], total: _Sum, tick: Callable[[int], None]) -> Iterator[memoryview]:
    for block in blocks:
        total.add(block)
        tick(len(block))
        yield block


class _ChunkStream(io.RawIOBase):
    """Blocks as a stream."""

    def __init__(self, chunks: Iterator[memoryview]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any writable buffer
        """Fill a buffer as far as the current block goes; 0 at the end."""
        if not self._rest:
            self._rest = next(self._chunks, memoryview(b""))
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
