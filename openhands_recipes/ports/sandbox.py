"""Sandboxes: boxes, commands, what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from openhands_recipes.model.fragment import Entry


@dataclass(frozen=True)
class Bind:
    """A host path made visible inside; read-only unless it says otherwise."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class BoxFile:
    """A file shown inside that is on no disk: root's own, never part of the changes."""

    target: str
    content: bytes
    mode: int = 0o444


@dataclass(frozen=True)
class Limits:
    """rlimits and cgroup limits; None leaves the machine's own."""

    memory_bytes: int | None = None
    processes: int | None = 4096
    open_files: int | None = 65536
    file_bytes: int | None = None


@dataclass(frozen=True)
class Command:
    """One command to run inside a box. Nothing of the host's environment is added."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    keep_capabilities: bool = False
    """True for package configuration: root inside keeps what a container's root has. False: none at all."""
    may_gain_privileges: bool = False
    """True where setuid programs are under test (sudo): no_new_privs stays off."""
    timeout: float | None = None
    """Seconds; the whole process tree is killed after."""
    terminal: bool = False
    """Attach the caller's terminal (interactive)."""
    forward_signals: bool = False
    """True where signals sent to us (SIGINT, SIGTERM, ...) are meant for the command (`ohr run`)."""


@dataclass(frozen=True)
class Completed:
    """How a command ended. `exit_code` is 128 + signal for killed ones, as shells say it."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    seconds: float


class Running(Protocol):
    """A command that goes on in the background."""

    def wait(self, timeout: float | None = None) -> Completed | None:
        """How it ended, or None when it still runs after `timeout` seconds."""

    def kill(self) -> None:
        """End it and everything it started."""


class Box(Protocol):
    """An open sandbox: one set of namespaces over one root, living until it is closed."""

    def run(
        self,
        command: Command,
        *,
        stdin: bytes | None = None,
        stdout: Callable[[bytes], None] | IO[bytes] | None = None,
        stderr: Callable[[bytes], None] | IO[bytes] | None = None,
    ) -> Completed:
        """Run to the end. Streams are collected, or handed over while they come."""

    def start(self, command: Command) -> Running:
        """Run in the background."""

    def changes(self) -> Iterator[tuple[Entry, Callable[[], Iterator[bytes]] | None]]:
        """What differs from the layers below, sorted by path, owners and modes as seen inside.

        Removed paths come as overlay whiteouts (kind CHAR, device (0, 0)), opaque folders carry the
        xattr `user.overlay.opaque` or `trusted.overlay.opaque`. The callable reads a file's content.
        """


@dataclass(frozen=True)
class BoxOptions:
    """What a box is given."""

    network: bool = False
    binds: tuple[Bind, ...] = ()
    files: tuple[BoxFile, ...] = ()
    hostname: str = "sandbox"
    limits: Limits = Limits()
    upper: str | None = None
    """Name of a kept writable layer; None throws changes away on closing."""
    nested_namespaces: bool = False
    """True where processes inside make sandboxes of their own (Nix); the filter lets them."""


class SandboxEngine(Protocol):
    """Runs commands over stacked trees, in namespaces of their own."""

    def add_tree(self, name: str, tar_streams: Iterable[IO[bytes]]) -> None:
        """Unpack tar streams, in order, as the tree `name`, whole or not at all; no-op when it exists."""

    def has_tree(self, name: str) -> bool:
        """Whether the tree is there, complete."""

    def open(self, trees: Sequence[str], options: BoxOptions = BoxOptions()) -> AbstractContextManager[Box]:
        """A box over trees, lowest first.

        Raises:
            SandboxError: this machine cannot; the hint says what to change.
        """
