"""The `git` program over one repository folder, quiet, never asking anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from openhands_recipes.errors import LedgerError

_OURS = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_NOT_OURS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
"""Set where a hook of Git runs us; they speak of another repository."""
_AHEAD = 256
"""Objects asked for before their bytes are read."""


class Git:
    """Runs git in a folder, whether bare or a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """One command, whatever its exit code.

        Raises:
            LedgerError: there is no git.
        """
        try:
            return subprocess.run(
                self._command(arguments), input=stdin, capture_output=True, check=False, env=_environment()
            )
        except FileNotFoundError as error:
            raise LedgerError("git is not installed", hint="install Debian's package git") from error

    def output(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What a command prints.

        Raises:
            LedgerError: it failed.
        """
        done = self.run(*arguments, stdin=stdin)
        if done.returncode:
            raise LedgerError(f"git {arguments[0]} failed: {last_line(done.stderr)}", where=str(self.folder))
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command ends with exit code 0."""
        return self.run(*arguments).returncode == 0

    def blobs(self, names: Iterable[str]) -> Iterator[bytes]:
        """The contents of many objects, in order, through one process.

        Raises:
            LedgerError: one of them is missing.
        """
        with subprocess.Popen(
            self._command(("cat-file", "--batch", "--buffer")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        ) as process:
            assert process.stdin  # noqa: S101 - both are pipes
            assert process.stdout  # noqa: S101
            try:
                for batch in _batches(names, _AHEAD):
                    process.stdin.write("".join(f"{name}\n" for name in batch).encode() + b"\n")
                    process.stdin.flush()
                    for _ in batch:
                        yield _object(process.stdout)
                    process.stdout.readline()  # the empty name is missing: it made git flush
            finally:
                process.stdin.close()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return ["git", "-C", str(self.folder), "-c", "gc.autoDetach=false", *arguments]


def last_line(told: bytes) -> str:
    """What a failing git says in the end."""
    lines = [line for line in told.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it does not say why"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_OURS} | _OURS


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _object(stream: IO[bytes]) -> bytes:
    head = stream.readline().split()
    if len(head) != 3:
        raise LedgerError(f"git has no such object: {b' '.join(head).decode(errors='replace')}")
    content = stream.read(int(head[2]))
    stream.read(1)
    return content
