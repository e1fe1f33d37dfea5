"""Layers packed in the background while the sandbox configures: two cores, two things to do."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.image import Compression, Layer
from openhands_recipes.ports import LayerOrder, Stage


class Packing:
    """Hand in orders as soon as their fragments exist, from any thread; collect the layers at the end."""

    def __init__(self, shop: Workshop, compression: Compression, stage: Stage | None = None) -> None:
        self._shop = shop
        self._compression = compression
        self._stage = stage
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pack")
        self._futures: dict[Digest, Future[Layer]] = {}
        self._reused: set[Digest] = set()
        self._lock = threading.Lock()

    def submit(self, orders: Iterable[LayerOrder]) -> None:
        """Pack these too, unless they are packed or waiting already."""
        with self._lock:
            for order in orders:
                if order.key in self._futures:
                    continue
                if self._shop.images.layer(order.key, self._compression) is not None:
                    self._reused.add(order.key)
                self._futures[order.key] = self._pool.submit(self._pack, order)

    def _pack(self, order: LayerOrder) -> Layer:
        (layer,) = self._shop.packer.pack([order], compression=self._compression, stage=self._stage)
        return replace(layer, group=order.group)

    def layers(self, orders: Sequence[LayerOrder]) -> tuple[Layer, ...]:
        """The packed layers in the order asked for.

        Raises:
            OutsideError: the disk is full.
        """
        self.submit(orders)
        return tuple(self._futures[order.key].result() for order in orders)

    def reused(self, order: LayerOrder) -> bool:
        """Whether the layer was packed by an earlier build."""
        return order.key in self._reused

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
