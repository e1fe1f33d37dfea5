"""What our packing of npm packages makes, path by path, is what `npm install --global` makes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.flows.lock_node import NodeBench, NodeRoom
from openhands_recipes.flows.node_level import add_node, npm_parts, with_tarballs
from openhands_recipes.flows.stack import Stack, paths_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.model.lock import Lock
from openhands_recipes.ports import Wanted
from tests.fakes import QuietProgress
from tests.local_npm import LocalNpm, serving_npm
from tests.process_engine import ProcessEngine

BASE = {
    "schema": 1, "recipe": "r", "version": "1.0.0", "recipe_digest": "sha256:" + "0" * 64,
    "inputs": {}, "parents": [],
    "rules": {"layers": 1, "configure": 1, "codec": {"name": "zstd", "library": "1", "level": 3}},
    "debian": {"suites": [], "release_date": "", "release": "sha256:" + "0" * 64},
    "platforms": {"linux/amd64": {}},
}  # fmt: skip


@pytest.fixture
def registry() -> Iterator[LocalNpm]:
    served = LocalNpm()
    script = {"cli.js": "#!/usr/bin/env node\n", "lib/index.js": ""}
    served.add("dep", "1.0.0", files=script, bin={"dep": "./cli.js"})
    served.add("@scope/inner", "2.0.0", files=script, bin="cli.js", dependencies={"dep": "1"})
    served.add(
        "tool",
        "1.0.0",
        files=script,
        bin={"tool": "cli.js", "t2": "lib/../cli.js"},
        dependencies={"dep": "1"},
    )
    served.add(
        "@scope/outer",
        "3.0.0",
        files={".gitignore": "x", **script},
        dependencies={"@scope/inner": "2", "dep": "1"},
    )
    served.add("musl-only", "1.0.0", os=["linux"], cpu=["s390x"])
    served.add(
        "chooser", "1.0.0", files=script, bin={"chooser": "cli.js"}, optionalDependencies={"musl-only": "1"}
    )
    with serving_npm(served):
        yield served


@pytest.fixture
def npm() -> str:
    found = shutil.which("npm")
    if found is None:
        pytest.skip("this machine lacks npm")
    return found


class Kept:
    """Downloads of what is in the cache already."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def fetch(self, wanted: list[Wanted], *, on_ready: Any = None, **_: Any) -> int:
        for one in wanted:
            on_ready(one, self._blobs.path(one.digest))
        return 0


def workshop(folder: Path) -> Workshop:
    cache = CacheDir(folder / "cache")
    blobs = BlobStore(cache)
    store = FragmentStore(cache, blobs, converters=CONVERTERS, build=build_fragment, workers=1)
    shop = SimpleNamespace(
        blobs=blobs, fragments=store, progress=QuietProgress(), downloads=lambda: Kept(blobs)
    )
    return cast("Workshop", shop)


def level(lock: Lock, *packages: str) -> LockedLevel:
    node = SimpleNamespace(packages=packages) if packages else None
    user = SimpleNamespace(uid=os.getuid(), gid=os.getgid())
    return LockedLevel(
        cast("Any", SimpleNamespace(name=lock.recipe, node=node, user=user)), lock, digest_of(b"")
    )


def tree(folder: Path) -> dict[str, tuple[str, int, str]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = "link" if path.is_symlink() else "folder" if path.is_dir() else "file"
        mode = 0 if kind == "link" else path.lstat().st_mode & 0o777
        is_file = kind == "file"
        what = (
            hashlib.sha256(path.read_bytes()).hexdigest()
            if is_file
            else str(path.readlink())
            if kind == "link"
            else ""
        )
        found[str(path.relative_to(folder))] = (kind, mode, what)
    return found


def packed(paths: dict[str, Entry]) -> dict[str, tuple[str, int, str]]:
    kinds = {Kind.SYMLINK: "link", Kind.DIRECTORY: "folder", Kind.FILE: "file"}
    return {
        path.removeprefix("opt/node/"): (
            kinds[entry.kind], 0 if entry.kind is Kind.SYMLINK else entry.mode, entry.sha256 or entry.link
        )
        for path, entry in paths.items()
        if path.startswith("opt/node/")
    }  # fmt: skip


def test_the_tree_is_npms_own(registry: LocalNpm, npm: str, tmp_path: Path) -> None:
    wanted = ("tool", "@scope/outer@^3", "chooser")
    environment = {"PATH": os.environ["PATH"], "NPM_CONFIG_REGISTRY": registry.url, "HOME": str(tmp_path)}
    program = [
        npm,
        "install",
        "--global",
        "--ignore-scripts",
        "--no-audit",
        "--prefix",
        str(tmp_path / "theirs"),
        *wanted,
    ]
    subprocess.run(program, env=environment, check=True, capture_output=True, umask=0o022)

    shop, empty = workshop(tmp_path), Lock.model_validate(BASE)
    room = NodeRoom(
        ("root",), npm, environment={key: environment[key] for key in ("PATH", "NPM_CONFIG_REGISTRY")}
    )
    bench = NodeBench(shop.blobs, ProcessEngine(), lambda: room)
    lock = with_tarballs(bench, [level(empty, *wanted)], empty, earlier=None)
    stack = Stack()
    add_node(shop, stack, [level(lock, *wanted)], "linux/amd64")
    ours, theirs = packed(paths_of(shop, tuple(stack.all))), tree(tmp_path / "theirs")
    assert ours == theirs
    assert [order.group.partition("/")[0] for order in stack.all] == ["r"] * len(stack.all)
    assert len(npm_parts([level(lock, *wanted)], "linux/amd64")) == 6

    relocked = with_tarballs(bench, [level(empty, *wanted)], empty, earlier=lock)
    assert relocked == lock
    child = with_tarballs(bench, [level(lock, *wanted), level(empty, "tool")], empty, earlier=None)
    assert child == empty


def test_without_npm_packages_nothing_happens(tmp_path: Path) -> None:
    shop, empty = workshop(tmp_path), Lock.model_validate(BASE)
    stack = Stack()
    add_node(shop, stack, [level(empty)], "linux/amd64")
    assert stack.all == []
    assert with_tarballs(cast("NodeBench", None), [level(empty)], empty, earlier=None) is empty
