"""`ohr lock --from nixpkgs`: closures of recipes, over the stand-in nixpkgs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from openhands_recipes.errors import StaleLockError, VerificationError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.nix_closure import have_closure
from tests.integration.nix.bench import NixBench

HEAD = """schema: 1
name: NAME
version: 1.0.0
summary: A test
license: MIT
maintainers: [{github: someone, id: 1}]
"""


@pytest.fixture
def project(bench: NixBench, tmp_path: Path) -> NixBench:
    """A project of its own over the shared store."""
    shutil.copytree(bench.root, tmp_path / "project")
    return NixBench(tmp_path / "project", bench.cache, bench.nixpkgs)


def write(project: NixBench, name: str, body: str) -> Path:
    folder = project.root / "recipes" / name
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(HEAD.replace("NAME", name) + body)
    return folder


def test_a_closure_is_locked_proved_and_found_again(project: NixBench) -> None:
    folder = write(project, "tools", "packages: [jq, coreutils]\n")
    said = project.ohr("lock", "--from", "nixpkgs", "tools").stdout
    assert re.search(r"tools: \d+ added, 0 changed, 0 removed -> ", said)
    assert "tools: not locked for linux/arm64: nothing here can build for that platform" in said
    content = (folder / "recipe.closure.json").read_bytes()
    locked = json.loads(content)
    names = [entry["path"].split("-", 1)[1] for entry in locked["platforms"]["linux/amd64"]["paths"]]
    assert any(name.startswith("jq-1") for name in names)
    assert b"://" not in content
    assert "tools: up to date" in project.ohr("lock", "--from", "nixpkgs", "tools").stdout
    again = project.ohr("lock", "--from", "nixpkgs", "--update", "--platform", "linux/amd64", "tools").stdout
    assert "nothing changed" in again
    assert (folder / "recipe.closure.json").read_bytes() == content
    found = have_closure(project.world.closure_shop, Library.of(project.world.store), "tools", "linux/amd64")
    assert found.platforms["linux/amd64"].root == locked["platforms"]["linux/amd64"]["root"]


def test_what_an_update_changes_is_told(project: NixBench) -> None:
    write(project, "tools", "packages: [jq, coreutils]\n")
    project.ohr("lock", "--from", "nixpkgs", "tools")
    write(project, "tools", "packages: [coreutils, ripgrep]\n")
    library = Library.of(project.world.store)
    with pytest.raises(StaleLockError, match=r"the closure of 'tools' is stale: packages \+ripgrep -jq"):
        have_closure(project.world.closure_shop, library, "tools", "linux/amd64")
    report = project.ohr("lock", "--from", "nixpkgs", "--format", "json", "tools").json[0]
    changed = {change["name"]: (change["before"], change["after"]) for change in report["changes"]}
    assert changed["ripgrep"][0] is None
    assert changed["jq"][1] is None
    assert "coreutils" not in changed
    assert set(report["skipped"]) == {"linux/arm64"}


def test_a_lock_that_promises_something_else_fails_verification(project: NixBench) -> None:
    folder = write(project, "tools", "packages: [jq]\n")
    project.ohr("lock", "--from", "nixpkgs", "tools")
    file = folder / "recipe.closure.json"
    locked = json.loads(file.read_text())
    locked["platforms"]["linux/amd64"]["paths"][0]["narHash"] = "sha256-" + "A" * 43 + "="
    file.write_text(json.dumps(locked))
    with pytest.raises(VerificationError, match="is not what its lock promises") as caught:
        have_closure(project.world.closure_shop, Library.of(project.world.store), "tools", "linux/amd64")
    assert "different" in caught.value.message


def test_what_was_never_locked_says_how_to(project: NixBench) -> None:
    write(project, "tools", "packages: [jq]\n")
    with pytest.raises(StaleLockError, match="was never locked from nixpkgs"):
        have_closure(project.world.closure_shop, Library.of(project.world.store), "tools", "linux/amd64")


def test_a_platform_nobody_can_build_for_is_an_error_where_it_is_asked_for(project: NixBench) -> None:
    folder = write(project, "tools", "packages: [jq]\n")
    failed = project.ohr("lock", "--from", "nixpkgs", "--platform", "linux/arm64", "tools", expect=3)
    assert "error[OHR115]" in failed.stderr
    assert not (folder / "recipe.closure.json").exists()


def test_a_package_nixpkgs_lacks_is_told_with_its_line_and_names_like_it(project: NixBench) -> None:
    table = project.root / "nixlib" / "packages.toml"
    entry = '[jqq]\nsummary = "None such"\ncommands = ["jqq"]\ndebian = ["jq"]\nnixpkgs = ["jqq"]\n'
    table.write_text(table.read_text() + "\n" + entry)
    write(project, "tools", "packages: [coreutils]\n")
    write(project, "more", "extends: [tools]\npackages:\n  - ripgrep\n  - jqq\n")
    failed = project.ohr("lock", "--from", "nixpkgs", "more", expect=1)
    assert "error[OHR120]: recipe 'more' wants jqq, but the pinned nixpkgs has no 'jqq'" in failed.stderr
    assert re.search(r"--> \S*recipes/more/recipe.yaml:10", failed.stderr)
    assert "hint: names like it: jq" in failed.stderr


def test_a_version_nixpkgs_does_not_have_is_told_with_its_line(project: NixBench) -> None:
    write(project, "data", 'python: {version: "3.13", packages: ["numpy>=99"]}\n')
    failed = project.ohr("lock", "--from", "nixpkgs", "data", expect=1)
    assert (
        "error[OHR121]: recipe 'data' wants numpy >=99, but nixpkgs has 'python313.pkgs.numpy'"
        in failed.stderr
    )
    assert re.search(r"--> \S*recipes/data/recipe.yaml:7", failed.stderr)
