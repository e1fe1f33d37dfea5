"""One command given to Nix, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from openhands_recipes.errors import RecipesError
from openhands_recipes.ports import Bind
from openhands_recipes.ports.nix import NixWords

if TYPE_CHECKING:
    from openhands_recipes.model.nix import StorePath

FLAKE = "{flake}"
"""In an argument: the flake as that Nix sees it, `path:` and its folder."""


Damage = Literal["", "paths", "database"]


class Log(NixWords, Protocol):
    """The same while it grows: progress, and what of the store is damaged."""

    @property
    def done(self) -> int:
        """Derivations built and paths copied so far."""

    @property
    def expected(self) -> int:
        """How many there will be."""

    @property
    def note(self) -> str:
        """What is being done right now."""

    def feed(self, line: bytes) -> None:
        """Take one more line."""

    def damage(self) -> Damage:
        """What of the store itself is damaged, by what Nix complains of."""


@dataclass(frozen=True)
class Steps:
    """Pure steps this door is handed (they live in `compile`)."""

    log: Callable[[], Log]
    failure: Callable[[Log, int], RecipesError | None]
    """The error behind a log and an exit code; None where all is well."""
    store_paths: Callable[[str], tuple[StorePath, ...]]
    tree_path: Callable[[str], str]


@dataclass(frozen=True)
class Call:
    """What to run, and what it may see."""

    arguments: tuple[str, ...]
    flake: Path | None = None
    binds: tuple[Bind, ...] = ()
    network: bool = False
    program: str = "nix"


@dataclass(frozen=True)
class Answer:
    """How it ended; the log was fed while it ran."""

    exit_code: int
    stdout: str


class Runner(Protocol):
    """A Nix that commands can be given to."""

    @property
    def options(self) -> tuple[str, ...]:
        """Settings this Nix needs besides those every Nix of ours gets."""

    def description(self) -> str:
        """Which Nix, and where."""

    def run(self, call: Call, on_line: Callable[[bytes], None]) -> Answer:
        """Run a command to its end; `on_line` gets each line of its stderr."""

    def physical(self, path: str) -> Path:
        """Where a store path lies on this machine, whether it exists or not."""

    def show(self, path: Path, target: str) -> tuple[str, tuple[Bind, ...]]:
        """How this Nix sees a file or folder of the machine (for a URL), and the bind it takes."""

    def protect(self, path: str) -> None:
        """Keep a store path from garbage collection."""

    def mend(self, *, database: bool) -> bool:
        """Make a damaged store usable; False where it is not ours to mend."""

    def repair(self, paths: Sequence[str]) -> None:
        """Make altered trees anew, where the store is ours."""


class Lines:
    """Cuts a stream into lines."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def take(self, piece: bytes) -> None:
        """More of the stream."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._on_line(line)

    def end(self) -> None:
        """The last line, which may lack its end."""
        if self._rest:
            self._on_line(self._rest)
            self._rest = b""
