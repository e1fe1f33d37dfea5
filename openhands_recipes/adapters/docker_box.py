"""An open sandbox of the `docker` engine: a container in which commands are executed one by one."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from openhands_recipes.errors import SandboxError
from openhands_recipes.model.fragment import Entry
from openhands_recipes.ports import Command, Completed

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_Output = Callable[[bytes], None] | IO[bytes] | None
_OUT, _ERR = 1, 2  # stream numbers of Docker's attach protocol
_MARK = "OHR_COMMAND"
_KILL_MARKED = f"""
for process in /proc/[0-9]*; do
  if grep -qs "{_MARK}=$1" "$process/environ"; then kill -KILL "${{process#/proc/}}" && found=1; fi
done
[ -z "$found" ]
"""
"""Descendants inherit the mark; there is no other way to know them from outside."""
_ROUNDS = 20


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Docker's and its transport's complaints as ours."""
    import docker.errors  # noqa: PLC0415 - start-up time
    import requests  # noqa: PLC0415

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = str(getattr(error, "explanation", None) or error).strip()
        raise SandboxError(
            f"Docker does not {doing}: {reason}",
            hint="start Docker, or name another daemon in DOCKER_HOST, or use the namespaces engine",
        ) from error


class DockerBox:
    """One running container."""

    def __init__(self, client: DockerClient, container: Container) -> None:
        self._client = client
        self._container = container

    def run(
        self, command: Command, *, stdin: bytes | None = None, stdout: _Output = None, stderr: _Output = None
    ) -> Completed:
        """Run to the end. Streams are collected, or handed over while they come."""
        running = DockerCommand(self._client, str(self._container.id), command)
        running.follow(stdin or b"", stdout, stderr)
        completed = running.wait(command.timeout)
        if completed is None:
            running.kill()
            completed = running.wait()
            assert completed is not None  # noqa: S101 - waited without a limit
            return Completed(
                137, completed.stdout, completed.stderr, timed_out=True, seconds=completed.seconds
            )
        return completed

    def start(self, command: Command) -> DockerCommand:
        """Run in the background, output collected; a timeout counts from here."""
        running = DockerCommand(self._client, str(self._container.id), command)
        running.follow(b"", None, None)
        if command.timeout is not None:
            timer = threading.Timer(command.timeout, running.expire)
            timer.daemon = True
            timer.start()
        return running

    def changes(self) -> Iterator[tuple[Entry, Callable[[], Iterator[bytes]] | None]]:
        """Not this engine's work.

        Raises:
            SandboxError: always.
        """
        raise SandboxError("the docker engine does not read changes back", hint="use the namespaces engine")


class DockerCommand:
    """One command in a container; a thread carries its streams."""

    def __init__(self, client: DockerClient, container: str, command: Command) -> None:
        if command.terminal:
            raise SandboxError(
                "the docker engine lends no terminal", hint="use the namespaces engine, or docker"
            )
        self._client, self._container = client, container
        self._mark = uuid.uuid4().hex
        self._start = time.monotonic()
        self._collected = {_OUT: bytearray(), _ERR: bytearray()}
        self._failure: BaseException | None = None
        self._completed: Completed | None = None
        self._timed_out = False
        with translated("execute a command"):
            created = client.api.exec_create(
                container,
                list(command.argv),
                stdin=True,
                environment={**command.environment, _MARK: self._mark},
                workdir=command.workdir,
                user=f"{command.uid}:{command.gid}",
            )
        self._id: str = created["Id"]
        self._thread = threading.Thread(name="docker-command")

    def follow(self, feed: bytes, stdout: _Output, stderr: _Output) -> None:
        """Start it and carry its streams until it ends."""
        sinks = {
            number: _sink(target, self._collected[number])
            for number, target in ((_OUT, stdout), (_ERR, stderr))
        }
        self._thread = threading.Thread(
            target=self._carry, args=(feed, sinks), name="docker-command", daemon=True
        )
        self._thread.start()

    def _carry(self, feed: bytes, sinks: dict[int, Callable[[bytes], object]]) -> None:
        from docker.utils.socket import frames_iter  # noqa: PLC0415 - start-up time

        try:
            with translated("execute a command"):
                stream: Any = self._client.api.exec_start(self._id, socket=True)
                door: socket.socket = getattr(stream, "_sock", stream)
                door.settimeout(None)
                threading.Thread(target=_feed, args=(door, feed), daemon=True).start()
                for number, piece in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call]
                    sinks[number](piece)
                code = self._client.api.exec_inspect(self._id)["ExitCode"]
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._failure = error
            self._kill_marked()
            return
        self._completed = Completed(
            code,
            bytes(self._collected[_OUT]),
            bytes(self._collected[_ERR]),
            self._timed_out,
            time.monotonic() - self._start,
        )

    def wait(self, timeout: float | None = None) -> Completed | None:
        """How it ended, or None when it still runs after `timeout` seconds.

        Raises:
            SandboxError: the container was removed under it, or the daemon is gone.
        """
        self._thread.join(timeout)
        if self._failure:
            raise self._failure
        return self._completed

    def expire(self) -> None:
        """End it because its time is up."""
        self._timed_out = self._completed is None
        self.kill()

    def kill(self) -> None:
        """End it and everything it started."""
        if self._completed is None:
            self._kill_marked()

    def _kill_marked(self) -> None:
        with suppress(SandboxError), translated("end a command"):
            for _ in range(_ROUNDS):
                killer = self._client.api.exec_create(
                    self._container, ["/bin/sh", "-c", _KILL_MARKED, "kill", self._mark], user="0:0"
                )
                self._client.api.exec_start(killer["Id"])
                if self._client.api.exec_inspect(killer["Id"])["ExitCode"] == 0:
                    return


def _sink(target: _Output, collected: bytearray) -> Callable[[bytes], object]:
    if target is None:
        return collected.extend
    return target if callable(target) else target.write


def _feed(door: socket.socket, feed: bytes) -> None:
    with suppress(OSError):  # it does not want its input
        door.sendall(feed)
        door.shutdown(socket.SHUT_WR)
