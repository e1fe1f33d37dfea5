"""The Nix that is installed on this machine."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.nix.calls import FLAKE, Answer, Call, Lines
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.nix import STORE
from openhands_recipes.ports import Bind

OLDEST = (2, 18)
"""Older ones differ in how flakes are locked and in what `nix path-info` prints."""
_PATIENCE = 60


@dataclass(frozen=True)
class FoundNix:
    """A program `nix` on PATH."""

    program: str
    version: str

    @property
    def new_enough(self) -> bool:
        """Whether it can do what we ask of it."""
        numbers = re.findall(r"\d+", self.version)[:2]
        return tuple(map(int, numbers)) >= OLDEST


def find_nix(path: str | None = None) -> FoundNix | None:
    """The machine's Nix, or None; one that does not even say its version counts as none."""
    program = shutil.which("nix", path=path)
    if program is None:
        return None
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d+[^\s)]*", said.stdout)
    return FoundNix(program, found[0]) if found and said.returncode == 0 else None


class MachineNix:
    """Commands of the machine's Nix; its own configuration holds, our settings come on top."""

    def __init__(
        self, found: FoundNix, cache: CacheDir, *, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._found = found
        self._cache = cache
        self._environment = dict(environment)

    options: tuple[str, ...] = ()

    def description(self) -> str:
        """Version and place."""
        return f"Nix {self._found.version} of this machine ({self._found.program})"

    def run(self, call: Call, on_line: Callable[[bytes], None]) -> Answer:
        """Run it as a process of this machine, with its network."""
        flake = "" if call.flake is None else f"path:{quote(str(call.flake.resolve()))}"
        arguments = [argument.replace(FLAKE, flake) for argument in call.arguments]
        program = str(Path(self._found.program).with_name(call.program))
        try:
            process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
            )
        except OSError as error:
            raise OutsideError(f"Nix cannot be started: {error.strerror}", where=program) from error
        with process:
            try:
                return _collect(process, on_line)
            except BaseException:
                process.kill()
                raise

    def physical(self, path: str) -> Path:
        """The path itself, or its place in a store that has another root outside than inside its builds."""
        places = [root / path.lstrip("/") for root in (Path("/"), *self._other_roots())]
        return next((place for place in places if os.path.lexists(place)), places[0])

    def _other_roots(self) -> Iterator[Path]:
        """Where chroot stores are: as NIX_REMOTE says, or where Nix makes one for users without `/nix`."""
        remote = urlsplit(self._environment.get("NIX_REMOTE", ""))
        chosen = [*parse_qs(remote.query).get("root", ()), remote.path if not remote.query else ""]
        yield from (Path(root) for root in chosen if root.startswith("/"))
        data = self._environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        yield Path(data) / "nix" / "root"

    def show(self, path: Path, target: str) -> tuple[str, tuple[Bind, ...]]:  # noqa: ARG002 - the port's signature
        """It sees everything as it is."""
        return quote(str(path)), ()

    def protect(self, path: str) -> None:
        """Hang it up as a root of the collector's, in the cache."""
        name = hashlib.sha256(path.encode()).hexdigest()[:16]
        link = self._cache.folder("nix", "roots") / f"{name}-{path[len(STORE) + 34 :][:100]}"
        self.run(Call(("--realise", path, "--add-root", str(link)), program="nix-store"), _ignore)

    def mend(self, *, database: bool) -> bool:  # noqa: ARG002 - the port's signature
        """Not ours to mend."""
        return False

    def repair(self, paths: Sequence[str]) -> None:
        """Not ours either."""


def _ignore(_line: bytes) -> None:
    pass


def _collect(process: subprocess.Popen[bytes], on_line: Callable[[bytes], None]) -> Answer:
    """Both streams to their end; lines are handed over in the caller's thread."""
    pieces: list[bytes] = []
    out, err = process.stdout, process.stderr
    assert out is not None  # noqa: S101 - both are pipes, above
    assert err is not None  # noqa: S101
    reader = threading.Thread(target=lambda: pieces.append(out.read()), daemon=True)
    reader.start()
    lines = Lines(on_line)
    while piece := os.read(err.fileno(), 1 << 16):
        lines.take(piece)
    lines.end()
    reader.join()
    return Answer(process.wait(), b"".join(pieces).decode(errors="replace"))
