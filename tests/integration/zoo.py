"""A project whose packages do everything a package may do, and a mirror for all they need.

Debian's own come from the machine's mirrors once and are then served from here, so that builds can be
killed, starved and repeated without anybody else's help.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters import openpgp
from openhands_recipes.adapters.apt_sources import DebianSources, Mirror, debian_sources
from openhands_recipes.cli.platforms import host_platform
from openhands_recipes.cli.settings import settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.flows.build import build
from openhands_recipes.flows.lock import LockOptions, lock
from openhands_recipes.flows.mounted import trees_of
from openhands_recipes.model.digest import from_hex
from openhands_recipes.model.image import Image
from openhands_recipes.model.platform import DEBIAN_ARCHITECTURE
from openhands_recipes.ports import Command, Completed
from tests.own_packages import SUITE, OwnDeb, own_deb, suite, zoo_packages
from tests.signed_archive import archive_key, public
from tests.web import Web, serving

TREE = Path(__file__).parents[2]
GROUND = ("apt", "ca-certificates", "python3")
ANIMALS = ("fping", "man-db", "nagios-nrpe-server", "zutils")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RECIPE = """\
schema: 1
name: {name}
version: 1.0.0
summary: Packages that do everything a package may do
license: Apache-2.0
maintainers: [{{github: someone, id: 1}}]
extends: [{extends}]
packages: [{packages}]
"""
PACKAGE = (
    '["{name}"]\nsummary = "{name}"\ndebian = ["{name}"]\nnixpkgs = {{ unavailable = "not asked for" }}\n'
)


@dataclass
class Zoo:
    """Recipes `ground`, `zoo` on top of it, `flat` with the same packages in one level, `guest` on `zoo`."""

    root: Path
    cache: Path
    web: Web
    sources: DebianSources
    own: list[OwnDeb]

    @property
    def architecture(self) -> str:
        return DEBIAN_ARCHITECTURE[self.platform]

    @property
    def platform(self) -> Any:
        return host_platform()

    def recipe(self, name: str, packages: Sequence[str], *, extends: str = "") -> None:
        folder = self.root / "recipes" / name
        folder.mkdir(parents=True)
        text = RECIPE.format(name=name, extends=extends, packages=", ".join(packages))
        (folder / "recipe.yaml").write_text(text)

    def world(self, cache: Path | None = None) -> World:
        cache = cache or self.cache
        world = World(
            settings_from(root=self.root, cache=cache, log_format="text", verbosity=-1, color="never")
        )
        world.debian_sources = self.sources
        return world

    def forget(self, cache: Path) -> None:
        """Remove a cache, hundreds of megabytes that pytest would keep; its trees may belong to other ids."""
        self.world(cache).engine.clear()
        shutil.rmtree(cache, ignore_errors=True)

    def build(self, name: str, cache: Path | None = None) -> Image:
        return build(self.world(cache).workshop, name, platform=self.platform, compression="zstd").image

    def run(self, image: Image, *argv: str, stdin: bytes | None = None) -> Completed:
        command = Command(argv, environment={"PATH": PATH, "LC_ALL": "C.UTF-8"}, keep_capabilities=True)
        shop = self.world().workshop
        with shop.engine.open(trees_of(shop, image)) as box:
            return box.run(command, stdin=stdin)

    def lock_file(self, name: str) -> Path:
        return self.root / "recipes" / name / "recipe.lock.json"

    def debs(self, *names: str) -> list[dict[str, Any]]:
        """What is locked for some recipes."""
        locks = [json.loads(self.lock_file(name).read_text()) for name in names]
        return [deb for lock in locks for deb in lock["platforms"][self.platform]["debs"]]

    def deb(self, deb: dict[str, Any]) -> bytes:
        path = self.world().blobs.path(from_hex(deb["sha256"]))
        assert path is not None
        return path.read_bytes()

    def serve(self) -> None:
        """From now on our only mirror is our own."""
        for deb in self.debs("flat"):
            self.web.put(f"/mirror/{deb['path']}", self.deb(deb))
        self.sources = DebianSources((Mirror(self.mirror, "", "tests"),))

    @property
    def mirror(self) -> str:
        """OHR_DEBIAN_MIRROR for builds that only see us."""
        return f"{self.web.url}/mirror"


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Zoo]:
    """The project, locked, with everything downloaded and served."""
    own = [*zoo_packages(), own_deb("own-guest")]
    with serving() as web:
        mirrors = (Mirror(f"{web.url}/own", SUITE, "tests"), *debian_sources(openpgp.debian_keys).mirrors)
        zoo = Zoo(folder / "project", folder / "cache", web, DebianSources(mirrors), own)
        _write_project(zoo)
        for path, content in suite(own, zoo.architecture).files("/own").items():
            web.put(path, content)
        for deb in own:
            web.put(f"/own/{deb.path}", deb.content)
            web.put(f"/mirror/{deb.path}", deb.content)
        keys = openpgp.Keyring([*_shipped_keys(), public(archive_key())])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(openpgp, "debian_keys", lambda: keys)
            lock(zoo.world().workshop, ["flat", "zoo", "guest"], LockOptions())
        zoo.build("flat")
        zoo.serve()
        yield zoo
        zoo.forget(zoo.cache)


def _shipped_keys() -> list[bytes]:
    folder = Path(openpgp.__file__).parents[1] / "keys" / "debian"
    return [file.read_bytes() for file in sorted(folder.glob("*.asc"))]


def _write_project(zoo: Zoo) -> None:
    own = [deb.name for deb in zoo.own if deb.name != "own-guest"]
    zoo.recipe("ground", GROUND)
    zoo.recipe("zoo", [*ANIMALS, *own], extends="ground")
    zoo.recipe("flat", [*GROUND, *ANIMALS, *own])
    zoo.recipe("guest", ["own-guest"], extends="zoo")
    settings = (TREE / "recipes" / "registry.yaml").read_text()
    suites = "suites: [trixie, trixie-updates, trixie-security"
    ours = {
        suites: f"{suites}, {SUITE}",
        "platforms: [linux/amd64, linux/arm64]": f"platforms: [{zoo.platform}]",
    }
    for there, here in ours.items():
        assert there in settings
        settings = settings.replace(there, here)
    (zoo.root / "recipes" / "registry.yaml").write_text(settings)
    (zoo.root / "nixlib").mkdir()
    table = "".join(PACKAGE.format(name=name) for name in (*GROUND, *ANIMALS, *own, "own-guest"))
    (zoo.root / "nixlib" / "packages.toml").write_text(table)


def ohr(zoo: Zoo, cache: Path, *arguments: str) -> list[str]:
    """The command line of a build of its own process that talks in events."""
    code = "from openhands_recipes.cli.main import run; run()"
    options = ["--root", str(zoo.root), "--cache", str(cache), "--log-format", "json"]
    return [sys.executable, "-c", code, *options, *arguments]


def environment(zoo: Zoo) -> dict[str, str]:
    return os.environ | {"OHR_DEBIAN_MIRROR": zoo.mirror, "PYTHONPATH": str(TREE)}
