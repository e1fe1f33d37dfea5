"""The stand-in nixpkgs as a folder: the committed flake beside the Debian files its lock names.

    .venv/bin/python -m tests.nixpkgs.standin FOLDER

Files come through the product's own verified doors. Debian drops old versions at every point release; when a
locked file is gone, the stand-in is locked anew against today's Debian, for that folder alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from openhands_recipes.cli.settings import settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.compile.nix.nar import frames, in_order, nar_hash
from openhands_recipes.errors import DownloadError
from openhands_recipes.model.digest import from_hex
from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports import Wanted
from openhands_recipes.ports.store_trees import Node
from tests.nixpkgs import lock

FLAKE = Path(__file__).parent / "flake"
BUILT = "x86_64-linux"
KEPT = 24 * 3600
"""Seconds that a stand-in of other files is kept: another checkout may be using it."""


@dataclass(frozen=True)
class StandIn:
    """A stand-in nixpkgs, ready to be an input of a flake."""

    folder: Path
    nar_hash: str
    """As a flake.lock has it."""


def stand_in(cache: Path) -> StandIn:
    """The stand-in below a cache folder; made there if it is not there yet."""
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(FLAKE.rglob("*")) if p.is_file()))
    folder = cache / key.hexdigest()[:16]
    with FileLock(cache / "lock"):
        if not (folder / "nar-hash").exists():
            _make(folder)
    return StandIn(folder / "flake", (folder / "nar-hash").read_text())


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        flake = made / "flake"
        shutil.copytree(FLAKE, flake)
        options = settings_from(root=FLAKE, cache=None, log_format="text", verbosity=-1, color="never")
        world = World(options)
        try:
            _fetch(world, flake)
        except DownloadError:
            (flake / "debs.json").write_text(lock.locked(world))
            _fetch(world, flake)
        (made / "nar-hash").write_text(nar_hash_of(flake))
        made.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder and other.stat().st_mtime < folder.stat().st_mtime - KEPT:
            shutil.rmtree(other, ignore_errors=True)


def _fetch(world: World, flake: Path) -> None:
    """The Debian files of the lock, by their names, and the busybox one of them holds."""
    document = json.loads((flake / "debs.json").read_text())
    debs = [deb for group in document["systems"][BUILT].values() for deb in group["debs"]]
    names = {str(from_hex(deb["sha256"])): deb["file"] for deb in debs}
    target = flake / "debs"
    target.mkdir(exist_ok=True)
    wanted = [
        Wanted(
            name=deb["name"],
            digest=from_hex(deb["sha256"]),
            size=deb["size"],
            origin="debian",
            path=deb["path"],
            suite=deb["suite"],
        )
        for deb in debs
    ]
    world.downloads.fetch(wanted, on_ready=lambda one, path: _place(path, target / names[str(one.digest)]))
    with tempfile.TemporaryDirectory() as root:
        archive = target / "busybox-static_amd64.deb"
        subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
        (flake / "busybox").mkdir()  # busybox is what it is called: a store path of its own has another name
        shutil.copy(Path(root) / "usr/bin/busybox", flake / "busybox")


def _place(path: Path, target: Path) -> None:
    """A copy that shares no permissions with the cache: programs are what Nix sees of them."""
    shutil.copyfile(path, target)


def nar_hash_of(root: Path) -> str:
    """The hash of a folder as `nix hash path` gives it; files are read one at a time."""
    nodes = list(_nodes(root))
    digest = hashlib.sha256()
    for frame, node in zip(frames(nodes), nodes, strict=True):
        digest.update(frame.head)
        if node.kind is Kind.FILE:
            digest.update((root / node.path).read_bytes())
        digest.update(frame.tail)
    return nar_hash(digest.digest())


def _nodes(root: Path) -> Iterator[Node]:
    found = sorted((path.relative_to(root).as_posix() for path in root.rglob("*")), key=in_order)
    for name in ("", *found):
        path = root / name
        if path.is_dir():
            yield Node(name, Kind.DIRECTORY)
        else:
            status = path.stat()
            yield Node(name, Kind.FILE, executable=bool(status.st_mode & 0o100), size=status.st_size)


if __name__ == "__main__":
    made = stand_in(Path(sys.argv[1]))
    sys.stdout.write(f"{made.folder}\n{made.nar_hash}\n")
