"""A sandbox engine that is none: commands are plain processes of this machine, in a folder of their own.

Good for programs that keep to the folder they are told; `FOLDER` in arguments and environment becomes a
temporary folder, owners are ignored.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from openhands_recipes.flows.sdist import FOLDER
from openhands_recipes.ports import BoxOptions, Command, Completed


class ProcessBox:
    def __init__(self, folder: Path, commands: list[Command]) -> None:
        self._folder = str(folder)
        self._commands = commands

    def _inside(self, text: str) -> str:
        return text.replace(FOLDER, self._folder)

    def run(self, command: Command, *, stdin: bytes | None = None, **_: Any) -> Completed:
        self._commands.append(command)
        start = time.monotonic()
        done = subprocess.run(
            [self._inside(part) for part in command.argv],
            input=stdin or b"",
            capture_output=True,
            env={name: self._inside(value) for name, value in command.environment.items()},
            timeout=command.timeout,
            check=False,
        )
        return Completed(
            done.returncode, done.stdout, done.stderr, timed_out=False, seconds=time.monotonic() - start
        )

    def start(self, command: Command) -> Any:
        raise NotImplementedError

    def changes(self) -> Iterator[Any]:
        raise NotImplementedError


class ProcessEngine:
    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.opened: list[tuple[tuple[str, ...], BoxOptions]] = []

    def has_tree(self, name: str) -> bool:
        return bool(name)

    def add_tree(self, name: str, tar_streams: Iterable[IO[bytes]]) -> None:
        pass

    @contextlib.contextmanager
    def open(self, trees: Sequence[str], options: BoxOptions | None = None) -> Iterator[Any]:
        self.opened.append((tuple(trees), options or BoxOptions()))
        with tempfile.TemporaryDirectory() as folder:
            yield ProcessBox(Path(folder) / "room", self.commands)
