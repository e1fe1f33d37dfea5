"""Blobs of any size from a registry into the cache: resumed, bounded, verified while they are read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from openhands_recipes.adapters.blobs import BlobStore, Partial
from openhands_recipes.adapters.registry.artifacts import OciArtifacts
from openhands_recipes.adapters.registry.client import FindCredentials
from openhands_recipes.adapters.registry.repository import Target
from openhands_recipes.adapters.registry.retry import BrokenOffError
from openhands_recipes.adapters.registry.wire import Request
from openhands_recipes.errors import RegistryError, VerificationError
from openhands_recipes.model.index import Pinned
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.ports import Stage

PARALLEL = 4


class OciImages(OciArtifacts):
    """`ports.ImageSource`: a registry that images are pulled from."""

    def __init__(
        self, address: RegistryAddress, *, plain_http: bool, credentials: FindCredentials, blobs: BlobStore
    ) -> None:
        super().__init__(address, plain_http=plain_http, credentials=credentials)
        self._blobs = blobs

    def fetch(self, repository: str, wanted: Sequence[Pinned], stage: Stage | None = None) -> int:
        """Have all of them in the cache; how many bytes came over the network.

        Raises:
            VerificationError: the registry serves other bytes than the digest promises.
            RegistryError: it has them not, or broke off for good.
        """
        stop = threading.Event()

        def one(pinned: Pinned) -> int:
            try:
                return self._pull(repository, pinned, stage)
            except BaseException:
                stop.set()
                self._connection.stop()
                raise

        try:
            with ThreadPoolExecutor(PARALLEL) as pool:
                return sum(pool.map(one, dict.fromkeys(wanted)))
        finally:
            self._connection.resume()

    def _pull(self, repository: str, pinned: Pinned, stage: Stage | None) -> int:
        if self._blobs.path(pinned.digest, size=pinned.size) is not None:
            if stage:
                stage.advance(pinned.size)
            return 0
        partial = self._blobs.partial(pinned.digest)
        if partial is None:
            return 0
        target = Target(self._connection, repository, self._limits.habits)
        with partial:
            before = partial.size
            self._fill(target, pinned, partial)
            partial.finish()
        if stage:
            stage.advance(pinned.size)
        return max(0, pinned.size - before)

    def _fill(self, target: Target, pinned: Pinned, partial: Partial) -> None:
        """Go on from where it was cut off, as often as patience allows."""
        failures, furthest = 0, partial.size
        while partial.size < pinned.size or (partial.size and not partial.matches()):
            if partial.size >= pinned.size:
                partial.restart()
            try:
                self._once(target, pinned, partial)
            except BrokenOffError as fault:
                if partial.size > furthest:
                    failures, furthest = 0, partial.size
                failures += 1
                self._connection.pause(self._connection.patience.delay(fault, failures))
            else:
                return

    def _once(self, target: Target, pinned: Pinned, partial: Partial) -> None:
        start = partial.size
        begun = False

        def take(status: int, piece: bytes) -> None:
            nonlocal begun
            if not begun and status == 200 and start:
                partial.restart()  # it knows no ranges
            begun = True
            if partial.size + len(piece) > pinned.size:
                partial.restart()
                raise VerificationError(
                    f"the registry sends more than the {pinned.size} bytes of a blob", where=pinned.digest
                )
            partial.write(piece)

        headers = {"Range": f"bytes={start}-"} if start else {}
        url = target.url(f"blobs/{pinned.digest}")
        answer = self._connection.call_once(Request("GET", url, headers, None, target.scopes, take))
        if answer.status == 416:
            partial.restart()
            raise BrokenOffError("the registry cannot go on where it stopped", where=answer.where)
        if answer.status == 404:
            raise RegistryError(
                "the registry lacks a blob of this image", where=str(pinned.digest),
                hint="was it deleted there? try a mirror: --from HOST/NAMESPACE",
            )  # fmt: skip
        if answer.status not in (200, 206):
            raise target.refusal(answer)
