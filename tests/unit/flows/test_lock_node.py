"""The real npm against a registry on loopback; only the sandbox is none."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.compile.node.lockfile import packages_for, read_lockfile
from openhands_recipes.errors import DownloadError, OutsideError, ResolutionError, VerificationError
from openhands_recipes.flows.lock_node import NodeBench, NodeLock, NodeRoom, NodeWorld, lock_tarballs, missing
from openhands_recipes.model.digest import from_hex
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import BoxOptions
from tests.local_npm import LocalNpm, serving_npm
from tests.process_engine import ProcessEngine

BOTH: tuple[Platform, ...] = ("linux/amd64", "linux/arm64")


@pytest.fixture
def registry() -> Iterator[LocalNpm]:
    served = LocalNpm()
    served.add("dep", "1.0.0").add("dep", "1.1.0")
    served.add("tool", "1.0.0", dependencies={"dep": "^1.0.0"}, bin={"tool": "cli.js"})
    served.add("tool", "2.0.0", dependencies={"dep": "^1.0.0"}, scripts={"postinstall": "touch /tmp/evil"})
    served.add("@esbuild/x64", "1.0.0", os=["linux"], cpu=["x64"])
    served.add("@esbuild/arm64", "1.0.0", os=["linux"], cpu=["arm64"])
    served.add("esbuild", "1.0.0", optionalDependencies={"@esbuild/x64": "1.0.0", "@esbuild/arm64": "1.0.0"})
    with serving_npm(served):
        yield served


@pytest.fixture
def engine() -> ProcessEngine:
    return ProcessEngine()


@pytest.fixture
def bench(registry: LocalNpm, engine: ProcessEngine, tmp_path: Path) -> NodeBench:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("this machine lacks npm")
    environment = {
        "PATH": os.environ["PATH"],
        "NPM_CONFIG_REGISTRY": registry.url,
        "NPM_CONFIG_FETCH_RETRIES": "0",
    }
    room = NodeRoom(("root",), npm, BoxOptions(network=True), environment)
    return NodeBench(BlobStore(CacheDir(tmp_path)), engine, lambda: room)


def lock(bench: NodeBench, *requirements: str, **fields: Any) -> dict[Platform, NodeLock]:
    return lock_tarballs(bench, NodeWorld(requirements, **fields), BOTH)


def names(locked: NodeLock) -> list[str]:
    return [f"{tarball.name}@{tarball.version}" for tarball in locked.tarballs]


def test_packages_are_pinned_with_their_tarballs_in_the_cache(bench: NodeBench) -> None:
    made = lock(bench, "tool@^1", "esbuild")
    assert names(made["linux/amd64"]) == ["@esbuild/x64@1.0.0", "dep@1.1.0", "esbuild@1.0.0", "tool@1.0.0"]
    assert names(made["linux/arm64"]) == ["@esbuild/arm64@1.0.0", "dep@1.1.0", "esbuild@1.0.0", "tool@1.0.0"]
    for tarball in made["linux/amd64"].tarballs:
        path = bench.blobs.path(from_hex(tarball.sha256))
        assert path is not None
        assert hashlib.sha256(path.read_bytes()).hexdigest() == tarball.sha256
        assert path.stat().st_size == tarball.size


def test_the_lockfile_names_no_host_and_is_the_same_everywhere(bench: NodeBench) -> None:
    made = lock(bench, "tool@^1")
    assert "127.0.0.1" not in made["linux/amd64"].lockfile
    assert made["linux/amd64"].lockfile == made["linux/arm64"].lockfile
    assert lock(bench, "tool@^1") == made


def test_dependencies_lie_below_the_package_asked_for(bench: NodeBench) -> None:
    lockfile = lock(bench, "tool@^1")["linux/amd64"].lockfile
    packages = packages_for(read_lockfile(lockfile), "linux/amd64")
    assert [package.place for package in packages] == ["tool", "tool/node_modules/dep"]


def test_npm_has_network_but_neither_scripts_nor_rights(bench: NodeBench, engine: ProcessEngine) -> None:
    lock(bench, "tool@2")
    ((_, options),) = engine.opened
    assert options.network
    assert {(c.uid, c.keep_capabilities) for c in engine.commands} == {(65534, False)}
    assert all(
        "--ignore-scripts" in c.argv for c in engine.commands if any("npm" in part for part in c.argv[:5])
    )
    assert not Path("/tmp/evil").exists()  # noqa: S108


def test_earlier_versions_are_kept_until_an_update(bench: NodeBench, registry: LocalNpm) -> None:
    made = lock(bench, "tool@^1")
    registry.add("dep", "1.2.0")
    assert lock(bench, "tool@^1", earlier=made["linux/amd64"].lockfile) == made
    assert "dep@1.2.0" in names(lock(bench, "tool@^1")["linux/amd64"])


def test_what_parents_have_is_left_out(bench: NodeBench) -> None:
    below = lock(bench, "tool@^1")["linux/amd64"].lockfile
    assert lock(bench, "tool", parents=(("node", below),)) == {}
    assert names(lock(bench, "tool@1", "dep@1.0", parents=(("node", below),))["linux/amd64"]) == ["dep@1.0.0"]


def test_a_conflict_with_a_parent_names_it(bench: NodeBench) -> None:
    below = lock(bench, "tool@^1")["linux/amd64"].lockfile
    with pytest.raises(ResolutionError) as caught:
        lock(bench, "tool@^2", parents=(("node", below),))
    assert caught.value.message == "'tool@^2' does not allow npm's tool 1.0.0, which parent 'node' fixes"
    assert caught.value.hint == "run `ohr lock --update node`, or ask for a version that fits"


def test_parents_that_disagree_are_both_named(bench: NodeBench) -> None:
    one, two = (lock(bench, f"tool@{n}")["linux/amd64"].lockfile for n in (1, 2))
    with pytest.raises(ResolutionError, match="parents 'a' and 'b' fix different versions of npm's tool"):
        missing(NodeWorld(("esbuild",), parents=(("a", one), ("b", two))))


def test_requirements_are_checked_before_npm_sees_them() -> None:
    for text in ("git+https://x/y", "../local", "a@file:x"):
        with pytest.raises(ResolutionError, match="not an npm requirement"):
            missing(NodeWorld((text,)))


@pytest.mark.parametrize(
    ("requirement", "reason"), [("tool@^9", r"No matching version found for tool@\^9"), ("absent", "absent")]
)
def test_what_cannot_be_met_says_why(bench: NodeBench, requirement: str, reason: str) -> None:
    with pytest.raises(ResolutionError, match=f"npm cannot resolve these packages: .*{reason}"):
        lock(bench, requirement)


def test_a_package_for_other_systems_only_is_refused(bench: NodeBench, registry: LocalNpm) -> None:
    registry.add("macos-only", "1.0.0", os=["darwin"])
    with pytest.raises(ResolutionError, match="macos-only"):
        lock(bench, "macos-only")


def test_a_registry_that_refuses_or_is_gone_is_a_download_error(bench: NodeBench, registry: LocalNpm) -> None:
    registry.status = 500
    with pytest.raises(DownloadError, match="the npm registry does not answer"):
        lock(bench, "tool")
    gone = NodeRoom(
        ("root",),
        bench.room().npm,
        environment={**bench.room().environment, "NPM_CONFIG_REGISTRY": "http://127.0.0.1:9"},
    )
    with pytest.raises(DownloadError, match="the npm registry does not answer"):
        lock(NodeBench(bench.blobs, bench.engine, lambda: gone), "tool")


def test_a_tarball_with_other_bytes_than_promised_is_refused(bench: NodeBench, registry: LocalNpm) -> None:
    registry.spoiled.add("/tool/-/tool-1.0.0.tgz")
    with pytest.raises((OutsideError, VerificationError)):
        lock(bench, "tool@1")


def test_an_npm_that_fails_strangely_is_quoted(bench: NodeBench) -> None:
    broken = NodeRoom(("root",), "/bin/false", environment={"PATH": os.environ["PATH"]})
    with pytest.raises(OutsideError, match="npm failed to resolve npm packages"):
        lock(NodeBench(bench.blobs, bench.engine, lambda: broken), "tool")
