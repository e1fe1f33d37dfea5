"""Hands images to a local Docker daemon through the docker SDK."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Self

from openhands_recipes.errors import OutsideError, RecipesError

if TYPE_CHECKING:
    from docker import DockerClient

PIECE = 1024 * 1024
_HINT = "start Docker, or name another daemon in DOCKER_HOST"
_LOG = "look at the daemon's log; is its disk full?"


class DockerImages:
    """The images of the daemon that the environment names (DOCKER_HOST, else the usual socket)."""

    def load(self, write: Callable[[IO[bytes]], None], *, tag: str | None = None) -> str:
        """Load the docker-archive that `write` writes, nothing of it kept on disk here; the image's id.

        Raises:
            OutsideError: no daemon answers, or it refuses.
            RecipesError: what `write` raises, when the archive could not be finished.
        """
        import docker.errors  # noqa: PLC0415 - start-up time
        import requests  # noqa: PLC0415

        try:
            client = docker.from_env()
            client.ping()
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise OutsideError("no Docker daemon answers", hint=_HINT) from error
        try:
            return _load(client, write, tag)
        except docker.errors.DockerException as error:
            reason = str(getattr(error, "explanation", None) or error).strip()
            raise OutsideError(f"Docker refused the image: {reason}", hint=_LOG) from error
        except requests.RequestException as error:
            raise OutsideError("Docker stopped reading the image", hint=_LOG) from error
        finally:
            client.close()


def _load(client: DockerClient, write: Callable[[IO[bytes]], None], tag: str | None) -> str:
    with _Archive(write) as archive:
        try:
            (image, *_) = client.images.load(archive.pieces())  # type: ignore[arg-type]  # requests streams it
        except Exception:
            # A daemon that got half an archive complains; why it was half is what the user must know.
            archive.check()
            raise
        archive.check()
    if tag:
        repository, _, name = tag.rpartition(":") if ":" in tag.rpartition("/")[2] else (tag, "", "latest")
        image.tag(repository, name)
    return str(image.id)


class _Archive:
    """An archive being written in a thread while it is being read."""

    def __init__(self, write: Callable[[IO[bytes]], None]) -> None:
        reader, writer = os.pipe()
        self._reader, self._writer = os.fdopen(reader, "rb"), os.fdopen(writer, "wb")
        self._write = write
        self._fault: RecipesError | None = None
        self._thread = threading.Thread(target=self._run, name="docker-archive", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._thread.join()

    def pieces(self) -> Iterator[bytes]:
        """What has been written, until the end."""
        return iter(lambda: self._reader.read(PIECE), b"")

    def check(self) -> None:
        """Raise what kept the archive from being finished."""
        self._reader.close()
        self._thread.join()
        if self._fault:
            raise self._fault

    def _run(self) -> None:
        try:
            with self._writer:
                self._write(self._writer)
        except BrokenPipeError:
            pass  # the daemon has stopped reading and says why
        except RecipesError as error:
            self._fault = error
