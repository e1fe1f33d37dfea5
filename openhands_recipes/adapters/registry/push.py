"""One push: find out what is missing, bring it, name it.

An unchanged image costs one manifest HEAD. Otherwise the order is blobs, manifests by digest, index by
digest, tags: whoever pulls a tag at any moment gets an image that is complete.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from openhands_recipes.adapters.registry.connection import StoppedError
from openhands_recipes.adapters.registry.crew import begin
from openhands_recipes.adapters.registry.repository import Target, has_blob, mount, put_manifest
from openhands_recipes.adapters.registry.source import BlobSource
from openhands_recipes.adapters.registry.upload import Upload
from openhands_recipes.adapters.registry.wire import Request
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, Image
from openhands_recipes.ports import PushOrder, PushReport, Stage

T = TypeVar("T")

LEAVE_SECONDS = 0.5
"""How long a push that fails or is interrupted waits for transfers under way."""


@dataclass(frozen=True)
class _Blob:
    digest: Digest
    size: int
    open: Callable[[], IO[bytes]]


class Push:
    """One push, with what it has counted so far."""

    def __init__(self, target: Target, order: PushOrder, parallel: int, stage: Stage | None) -> None:
        if order.index is None and len(order.images) != 1:
            raise ValueError("several images need an index")
        self._target = target
        self._order = order
        self._parallel = parallel
        self._stage = stage
        self._lock = threading.Lock()
        self._moved = {"uploaded": 0, "mounted": 0, "present": 0}

    def run(self, blobs: Callable[[Digest], Path]) -> PushReport:
        """Do it; `blobs` says where a layer's file lies."""
        order, before = self._order, self._target.connection.requests
        top, media_type = self._top()
        digest = digest_of(top)
        stale = [tag for tag in order.tags if self._digest_at(tag) != digest]
        if order.tags and not stale:
            self._count("present", sum(image.size for image in order.images) + len(order.index or b""))
        else:
            self._push_images(blobs)
            if order.index is not None:
                self._put_manifest(digest, order.index, INDEX_TYPE)
            for tag in stale:
                self._put_manifest(tag, top, media_type)
        return PushReport(
            reference=f"{self._target.connection.host}/{order.repository}"
            + (f":{order.tags[0]}" if order.tags else f"@{digest}"),
            digest=digest,
            uploaded_bytes=self._moved["uploaded"],
            mounted_bytes=self._moved["mounted"],
            present_bytes=self._moved["present"],
            requests=self._target.connection.requests - before,
        )

    def _top(self) -> tuple[bytes, str]:
        """What tags point to."""
        if self._order.index is not None:
            return self._order.index, INDEX_TYPE
        return self._order.images[0].manifest, MANIFEST_TYPE

    def _push_images(self, blobs: Callable[[Digest], Path]) -> None:
        missing = [image for image in self._order.images if not self._has_image(image)]
        wanted = {blob.digest: blob for image in missing for blob in _blobs_of(image, blobs)}
        absent = [blob for blob, there in self._together(self._check, wanted.values()) if not there]
        self._together(self._bring, sorted(absent, key=lambda blob: blob.size, reverse=True))
        for image in missing:
            self._put_manifest(image.digest, image.manifest, MANIFEST_TYPE)

    def _has_image(self, image: Image) -> bool:
        there = self._digest_at(image.digest) == image.digest
        if there:
            self._count("present", image.size)
        return there

    def _check(self, blob: _Blob) -> bool:
        there = has_blob(self._target, blob.digest, blob.size)
        if there:
            self._count("present", blob.size)
        return there

    def _bring(self, blob: _Blob) -> None:
        """Mount or upload a blob that is not there."""
        opened = mount(self._target, blob.digest, self._order.mount_from.get(blob.digest, ()))
        if opened is not None and opened.status == 201:
            self._count("mounted", blob.size)
            return
        source = BlobSource(blob.digest, blob.size, blob.open, on_sent=self._sent)
        Upload(self._target, source).send(opened)
        with self._lock:
            self._moved["uploaded"] += blob.size

    def _sent(self, size: int) -> None:
        self._target.connection.check_going()
        self._advance(size)

    def _count(self, kind: str, size: int) -> None:
        with self._lock:
            self._moved[kind] += size
        self._advance(size)

    def _advance(self, size: int) -> None:
        if self._stage:
            with self._lock:
                self._stage.advance(size)

    def _digest_at(self, reference: str) -> Digest | None:
        """What a tag or digest points to now; None if nothing is there."""
        request = self._manifest_request("HEAD", reference)
        answer = self._target.connection.call(request)
        if answer.status == 404:
            return None
        if answer.status == 200 and "docker-content-digest" in answer.headers:
            return Digest(answer.headers["docker-content-digest"])
        if answer.status not in (200, 400):
            raise self._target.refusal(answer)
        # Some registries leave the digest to us; and only an answer with a body says what was wrong.
        answer = self._target.connection.call(self._manifest_request("GET", reference))
        if answer.status != 200:
            raise self._target.refusal(answer)
        return digest_of(answer.body)

    def _put_manifest(self, reference: str, content: bytes, media_type: str) -> None:
        digest = digest_of(content)
        answer = put_manifest(self._target, reference, content, media_type)
        if "docker-content-digest" not in answer.headers and self._digest_at(reference) != digest:
            raise VerificationError("the registry serves another manifest than was sent", where=answer.where)
        self._count_manifest(reference, len(content))

    def _count_manifest(self, reference: str, size: int) -> None:
        if ":" in reference:  # a tag only names what was counted under its digest
            self._count("uploaded", size)

    def _manifest_request(self, method: str, reference: str) -> Request:
        accept = {"Accept": f"{INDEX_TYPE}, {MANIFEST_TYPE}"}
        url = self._target.url(f"manifests/{reference}")
        return Request(method, url, accept, scopes=self._target.scopes)

    def _together(self, action: Callable[[_Blob], T], blobs: Iterable[_Blob]) -> list[tuple[_Blob, T]]:
        """Do it for all blobs, several at a time; one failure ends the others."""
        items = list(blobs)
        if not items:
            return []
        futures = begin(action, items, parallel=self._parallel)
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            self._settle(futures)
        if fault := _worst(futures):
            raise fault
        return [(blob, future.result()) for blob, future in zip(items, futures, strict=True)]

    def _settle(self, futures: list[Future[T]]) -> None:
        """Have transfers end that nobody wants any more; who waits for a silent registry is left behind."""
        running = [future for future in futures if not future.cancel() and not future.done()]
        if running:
            self._target.connection.stop()
            if wait(running, timeout=LEAVE_SECONDS).not_done:
                return
        self._target.connection.resume()


def _worst(futures: Iterable[Future[T]]) -> BaseException | None:
    """The failure to report: what failed verification first, and never an echo of another failure."""
    faults = [future.exception() for future in futures if future.done() and not future.cancelled()]
    real = [fault for fault in faults if fault is not None and not isinstance(fault, StoppedError)]
    return next((fault for fault in real if isinstance(fault, VerificationError)), next(iter(real), None))


def _blobs_of(image: Image, blobs: Callable[[Digest], Path]) -> list[_Blob]:
    """Config and layers; a layer's file is looked up when it is sent."""
    config = _Blob(digest_of(image.config), len(image.config), lambda: io.BytesIO(image.config))
    return [config, *(_layer_blob(layer.digest, layer.size, blobs) for layer in image.layers)]


def _layer_blob(digest: Digest, size: int, blobs: Callable[[Digest], Path]) -> _Blob:
    return _Blob(digest, size, lambda: blobs(digest).open("rb"))
