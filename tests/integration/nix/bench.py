"""A project pinned to the stand-in nixpkgs, and our own Nix over a cache that outlives the run."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from openhands_recipes.cli.settings import settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.ports import Nix
from tests.integration.pipeline.command import Ohr

TREE = Path(__file__).resolve().parents[3]
SYSTEM = "x86_64-linux"
SHARED = ("blobs", "fragments", "layers", "images", "records", "sandbox")


@dataclass(frozen=True)
class NixBench:
    """A project, a cache and the Nix that works on both."""

    root: Path
    cache: Path
    nixpkgs: Path

    @cached_property
    def world(self) -> World:
        options = settings_from(
            root=self.root, cache=self.cache, log_format="text", verbosity=-1, color="never"
        )
        return World(options)

    @property
    def nix(self) -> Nix:
        return self.world.nix

    @property
    def ohr(self) -> Ohr:
        return Ohr(self.root, self.cache)

    def with_cache(self, cache: Path) -> NixBench:
        """The same project over a Nix store of its own; all else of the cache is shared, by links."""
        cache.mkdir(parents=True, exist_ok=True)
        for area in SHARED:
            (self.cache / area).mkdir(exist_ok=True)
            (cache / area).symlink_to(self.cache / area)
        return NixBench(self.root, cache, self.nixpkgs)


def make_project(folder: Path, nar_hash: str) -> Path:
    """A copy of the library whose nixpkgs is the one of that hash."""
    root = folder / "project"
    for part in ("recipes", "nixlib", "schema"):
        shutil.copytree(TREE / part, root / part)
    registry = root / "recipes" / "registry.yaml"
    pinned = re.sub(r"narHash: \S+", f"narHash: {nar_hash}", registry.read_text())
    # Nix remembers trees by their revision: another tree has to have another one.
    registry.write_text(
        re.sub(r"rev: \w+", f"rev: {hashlib.sha256(nar_hash.encode()).hexdigest()[:40]}", pinned)
    )
    return root


def write_flake(folder: Path, text: str, files: Sequence[tuple[str, bytes, int]] = ()) -> Path:
    """A flake of a test's own: its text and files (path, content, mode)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flake.nix").write_text(text)
    for path, content, mode in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        (folder / path).chmod(mode)
    return folder


def small_flake(folder: Path, packages: str) -> Path:
    """A flake whose packages are made by busybox alone: `mk NAME SCRIPT` with a little shell each."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    text = """
{
  outputs = { self }: let
    tools = builtins.path { path = ./tools; name = "tools"; };
    mkFor = system: name: script: derivation {
      inherit name system;
      builder = "${tools}/busybox";
      args = [ "sh" "-c" "PATH=/bin; b() { ${tools}/busybox \\"$@\\"; }; ${script}" ];
    };
    mk = mkFor "x86_64-linux";
  in {
    answer = 42;
    packages.x86_64-linux = { PACKAGES };
  };
}
""".replace("PACKAGES", packages)
    return write_flake(folder, text, [("tools/busybox", Path(busybox).read_bytes(), 0o755)])
