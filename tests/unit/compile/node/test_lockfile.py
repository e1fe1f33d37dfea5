from __future__ import annotations

import json
from typing import Any

import pytest

from openhands_recipes.compile.node.lockfile import (
    for_npm,
    hostless,
    manifest,
    packages_for,
    placed,
    read_lockfile,
)
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.lock import Tarball
from openhands_recipes.model.platform import Platform

SUM = "sha512-" + "A" * 86 + "=="


def entry(name: str, version: str = "1.0.0", **fields: Any) -> dict[str, Any]:
    file = f"{name.rpartition('/')[2]}-{version}.tgz"
    place = f"https://npm.example/{name}/-/{file}"
    return {"version": version, "resolved": place, "integrity": SUM, "license": "MIT", **fields}


def lockfile(packages: dict[str, dict[str, Any]], version: int = 3) -> str:
    root = {"name": "globals", "dependencies": {}}
    return json.dumps({"lockfileVersion": version, "packages": {"": root, **packages}})


def places(text: str, platform: Platform) -> list[str]:
    return [package.place for package in packages_for(read_lockfile(text), platform)]


def test_a_manifest_asks_for_packages_in_order() -> None:
    assert json.loads(manifest({"b": "^1", "a": "*"}))["dependencies"] == {"a": "*", "b": "^1"}
    assert manifest({"b": "^1", "a": "*"}) == manifest({"a": "*", "b": "^1"})


def test_packages_are_read_with_all_that_matters() -> None:
    text = lockfile(
        {
            "node_modules/@scope/tool": entry(
                "@scope/tool", "2.0.0", bin={"tool": "bin/tool.js"}, dependencies={"dep": "^1"},
                peerDependencies={"p": "*"}, optionalDependencies={"o": "*"},
            ),
            "node_modules/@scope/tool/node_modules/dep": entry("dep", os=["linux"], cpu="x64", optional=True),
        }
    )  # fmt: skip
    tool, dep = read_lockfile(text)
    assert (tool.name, tool.version, tool.file) == ("@scope/tool", "2.0.0", "tool-2.0.0.tgz")
    assert (tool.top, tool.place, tool.commands) == (True, "@scope/tool", {"tool": "bin/tool.js"})
    assert tool.wants == ("dep", "o", "p")
    assert (dep.top, dep.place, dep.optional) == (False, "@scope/tool/node_modules/dep", True)
    assert dep.system == {"os": ("linux",), "cpu": ("x64",)}


def test_an_alias_is_fetched_by_its_real_name() -> None:
    text = lockfile({"node_modules/alias": {**entry("real"), "name": "real"}})
    (package,) = read_lockfile(text)
    assert (package.name, package.place, package.file) == ("real", "alias", "real-1.0.0.tgz")


def test_kept_lockfiles_name_no_host_and_are_sorted() -> None:
    text = lockfile(
        {
            "node_modules/b": entry("b"),
            "node_modules/@s/a": {**entry("@s/a"), "funding": {"url": "https://x"}},
        }
    )
    kept = hostless(text)
    assert "://" not in kept
    assert '"resolved":"@s/a/-/a-1.0.0.tgz"' in kept
    assert kept.index("@s/a") < kept.index("node_modules/b")
    assert hostless(kept) == kept
    assert [(p.name, p.file, p.integrity) for p in read_lockfile(kept)] == [
        (p.name, p.file, p.integrity) for p in read_lockfile(text)
    ]
    assert "resolved" not in for_npm(kept)


def test_a_registry_that_leaves_places_out_is_understood() -> None:
    bare = {key: value for key, value in entry("@s/a", "1.2.3").items() if key != "resolved"}
    (package,) = read_lockfile(lockfile({"node_modules/@s/a": bare}))
    assert package.file == "a-1.2.3.tgz"


@pytest.mark.parametrize(
    "system",
    [
        {"os": ["darwin"]},
        {"os": ["!linux"]},
        {"cpu": ["arm64"]},
        {"libc": ["musl"]},
        {"os": ["win32"], "cpu": ["x64"]},
    ],
)
def test_optional_packages_for_others_are_left_out_with_what_only_they_need(system: dict[str, Any]) -> None:
    text = lockfile(
        {
            "node_modules/tool": entry("tool", optionalDependencies={"foreign": "*", "own": "*"}),
            "node_modules/tool/node_modules/foreign": entry(
                "foreign", optional=True, dependencies={"x": "*"}, **system
            ),
            "node_modules/tool/node_modules/own": entry(
                "own", optional=True, os=["linux", "!win32"], cpu=["any"]
            ),
            "node_modules/tool/node_modules/x": entry("x", optional=True),
        }
    )
    assert places(text, "linux/amd64") == ["tool", "tool/node_modules/own"]


def test_each_platform_gets_its_own_binaries() -> None:
    text = lockfile(
        {
            "node_modules/esbuild": entry(
                "esbuild", optionalDependencies={"@esbuild/x64": "1", "@esbuild/arm": "1"}
            ),
            "node_modules/esbuild/node_modules/@esbuild/x64": entry(
                "@esbuild/x64", optional=True, cpu=["x64"]
            ),
            "node_modules/esbuild/node_modules/@esbuild/arm": entry(
                "@esbuild/arm", optional=True, cpu=["arm64"]
            ),
        }
    )
    assert places(text, "linux/amd64") == ["esbuild", "esbuild/node_modules/@esbuild/x64"]
    assert places(text, "linux/arm64") == ["esbuild", "esbuild/node_modules/@esbuild/arm"]


def test_dependencies_are_found_in_the_nearest_folder_above() -> None:
    text = lockfile(
        {
            "node_modules/a": entry("a", dependencies={"b": "1", "c": "1"}),
            "node_modules/a/node_modules/b": entry("b", dependencies={"c": "2", "gone": "*"}),
            "node_modules/a/node_modules/b/node_modules/c": entry("c", "2.0.0"),
            "node_modules/a/node_modules/c": entry("c"),
            "node_modules/a/node_modules/unused": entry("unused"),
        }
    )
    assert places(text, "linux/amd64") == [
        "a", "a/node_modules/b", "a/node_modules/b/node_modules/c", "a/node_modules/c"
    ]  # fmt: skip


def test_a_package_that_must_be_there_and_cannot_be_is_named() -> None:
    text = lockfile({"node_modules/fsevents": entry("fsevents", "2.3.3", os=["darwin"])})
    with pytest.raises(ResolutionError, match=r"npm's fsevents 2\.3\.3 does not support linux/arm64"):
        places(text, "linux/arm64")


def test_bundled_packages_come_with_the_tarball_above() -> None:
    text = lockfile(
        {
            "node_modules/npm": entry("npm", dependencies={"in": "1"}),
            "node_modules/npm/node_modules/in": {
                "version": "1.0.0",
                "inBundle": True,
                "bin": {"in": "in.js"},
            },
        }
    )
    kept = hostless(text)
    assert [(p.place, p.bundled) for p in read_lockfile(kept)] == [
        ("npm", False),
        ("npm/node_modules/in", True),
    ]
    tarball = Tarball(
        name="npm", version="1.0.0", file="npm-1.0.0.tgz", integrity=SUM, size=1, sha256="0" * 64
    )
    ((package, found),) = placed(kept, [tarball], "linux/amd64")
    assert (package.name, found) == ("npm", tarball)
    with pytest.raises(ResolutionError, match="the lock lists no tarball for npm's npm"):
        placed(kept, [], "linux/amd64")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lockfileVersion": 3}'])
def test_what_is_no_lockfile_is_refused(text: str) -> None:
    with pytest.raises(ResolutionError, match="no lockfile"):
        read_lockfile(text)


def test_older_lockfiles_are_refused() -> None:
    with pytest.raises(ResolutionError, match="version 1; version 3 is needed"):
        read_lockfile(lockfile({}, 1))


@pytest.mark.parametrize(
    ("location", "fields"),
    [
        ("packages/local", {}),
        ("node_modules/a/../../b", {}),
        ("node_modules/a", {"link": True}),
        ("node_modules/a", {"integrity": "sha1-xyz"}),
        ("node_modules/a", {"resolved": "git+ssh://git.example/a.git#123"}),
        ("node_modules/a", {"name": "a b"}),
    ],
)
def test_what_comes_from_no_registry_is_refused(location: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ResolutionError, match=r"no package of a registry|comes from no registry"):
        read_lockfile(lockfile({location: {**entry("a"), **fields}}))
