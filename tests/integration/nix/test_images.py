"""Images from nixpkgs: real closures of real programs, the contract below, every test and rule passed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openhands_recipes.compile.nix.closure import read_closure
from openhands_recipes.model.nix import ClosurePlatform
from openhands_recipes.model.platform import Platform
from tests.integration.nix.bench import NixBench
from tests.integration.pipeline.command import Ohr

AMD64: Platform = "linux/amd64"
OHR = str(Path(sys.executable).parent / "ohr")
BIG = """
[many]
summary = "A closure of many paths"
commands = ["part-0"]
debian = {{ unavailable = "made up" }}
nixpkgs = ["standIn.{attribute}"]
"""
MANY = """\
schema: 1
name: {name}
version: 1.0.0
summary: A recipe with a closure of many paths
license: Apache-2.0
maintainers: [{{github: openhands, id: 200746266}}]
extends: [{extends}]
packages: [many]
tests: [{{name: paths are there, run: "ls /nix/store | wc -l"}}]
"""


class Project:
    """A copy of the project that may be changed, over the same cache and Nix."""

    def __init__(self, bench: NixBench, folder: Path) -> None:
        self.root = folder / "project"
        shutil.copytree(bench.root, self.root)
        self.ohr = Ohr(self.root, bench.cache)
        self.table = (self.root / "nixlib/packages.toml").read_text()

    def write(self, name: str, *, extends: str, attribute: str) -> None:
        """A recipe with a big closure, locked."""
        (self.root / "nixlib/packages.toml").write_text(self.table + BIG.format(attribute=attribute))
        folder = self.root / "recipes" / name
        folder.mkdir(exist_ok=True)
        (folder / "recipe.yaml").write_text(MANY.format(name=name, extends=extends))
        self.lock(name)

    def lock(self, *names: str) -> None:
        self.ohr("lock", "--from", "nixpkgs", "--platform", AMD64, *names)

    def closure(self, name: str) -> ClosurePlatform:
        file = self.root / "recipes" / name / "recipe.closure.json"
        return read_closure(file.read_bytes(), file=str(file)).platforms[AMD64]


@pytest.fixture(scope="module")
def project(bench: NixBench, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(bench, tmp_path_factory.mktemp("images"))
    made.lock("base")
    return made


def test_a_recipe_from_nixpkgs_passes_its_tests_and_the_contract(project: Project) -> None:
    said = project.ohr("test", "base", "--from", "nixpkgs").stdout
    assert "FAIL" not in said
    assert "rules hold" in said


def test_its_tools_come_from_the_closure_and_its_privileges_from_debian(project: Project) -> None:
    script = "command -v jq git; readlink -f $(command -v jq); command -v sudo; sudo -n id -u"
    script += "; bash -lc 'command -v jq'"
    said = project.ohr("run", "base", "--from", "nixpkgs", "--", "bash", "-c", script).stdout.splitlines()
    assert said[:2] == ["/usr/local/bin/jq", "/usr/local/bin/git"]
    assert said[2].startswith("/nix/store/")
    assert said[3:] == ["/usr/bin/sudo", "0", "/usr/local/bin/jq"]


def test_an_unchanged_image_asks_no_nix(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = project.ohr.build("base", "--from", "nixpkgs")
    monkeypatch.setenv("OHR_NIX", "nobody must look at this")
    again = project.ohr.build("base", "--from", "nixpkgs")
    assert again["digest"] == first["digest"]
    assert again["new_bytes"] == 0
    assert again["seconds"]["total"] < 1


def test_it_is_another_image_than_debians_under_a_tag_of_its_own(project: Project, tmp_path: Path) -> None:
    ours = project.ohr.build("base", "--from", "nixpkgs", "--layout", str(tmp_path / "layout"))
    debian = project.ohr.build("base")
    shared = {layer["digest"] for layer in ours["layers"]} & {layer["digest"] for layer in debian["layers"]}
    assert shared == {layer["digest"] for layer in debian["layers"]}, "the contract's layers are shared"
    assert ours["digest"] != debian["digest"]


def test_without_a_closure_lock_the_way_to_one_is_told(project: Project) -> None:
    said = project.ohr("build", "node", "--from", "nixpkgs", expect=1).stderr
    assert "ohr lock --from nixpkgs node" in said


@pytest.fixture(scope="module")
def broken(bench: NixBench, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Ohr:
    """A store of its own with the closure in it, and no layer packed."""
    other = bench.with_cache(tmp_path_factory.mktemp("broken"))
    ohr = Ohr(project.root, other.cache)
    ohr("build", "nix")
    forget_layers(other.cache, "images")
    ohr("build", "base", "--from", "nixpkgs")
    return ohr


def forget_layers(cache: Path, *areas: str) -> None:
    """What is packed is packed anew; images of Nix itself are had from the other cache's layers."""
    for area in areas or ("layers", "images"):
        if (cache / area).is_symlink():
            (cache / area).unlink()
        else:
            shutil.rmtree(cache / area)


def test_a_flipped_byte_in_the_store_fails_verification_and_names_the_path(
    broken: Ohr, project: Project
) -> None:
    path = next(p for p in project.closure("base").paths if p.name.startswith("jq-"))
    (place,) = (p for p in (broken.cache / "nix").glob(f"*/nix/store/{Path(path.path).name}"))
    program = next(p for p in (place / "bin").iterdir() if p.is_file() and not p.is_symlink())
    whole = program.read_bytes()
    forget_layers(broken.cache)
    try:
        program.chmod(0o755)
        program.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        said = broken("build", "base", "--from", "nixpkgs", expect=4).stderr
    except PermissionError:
        pytest.skip("this machine lacks root, and the store belongs to the sandbox")
    finally:
        program.write_bytes(whole)
        program.chmod(0o555)
    assert path.path in said
    assert path.nar_hash in said
    assert "--repair-path" in said
    assert (
        broken.build("base", "--from", "nixpkgs")["digest"]
        == project.ohr.build("base", "--from", "nixpkgs")["digest"]
    )


def test_a_build_killed_while_packing_is_finished_by_the_next_one(broken: Ohr) -> None:
    wanted = broken.build("base", "--from", "nixpkgs")["digest"]
    forget_layers(broken.cache)
    options = ["--root", str(broken.root), "--cache", str(broken.cache)]
    command = [OHR, *options, "build", "base", "--from", "nixpkgs"]
    for seconds in (0.8, 1.6):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as build:
            time.sleep(seconds)
            build.send_signal(signal.SIGKILL)
    assert broken.build("base", "--from", "nixpkgs")["digest"] == wanted


@pytest.mark.slow
def test_a_big_closure_with_the_agent_server_passes_everything(project: Project) -> None:
    project.write("many", extends="python", attribute="closure")
    project.lock("openhands-agent", "python")
    closure = project.closure("many")
    assert len(closure.paths) >= 100
    assert closure.nar_size >= 500_000_000
    if project.ohr("build", "openhands-agent", expect=None).exit_code:
        project.ohr("lock", "--update", "openhands-agent")
    built = project.ohr.build("many", "--from", "nixpkgs")
    assert len(built["layers"]) <= 60
    reports = project.ohr("test", "many", "--from", "nixpkgs", "--format", "json").json
    assert reports[0]["ok"], [v for v in reports[0]["verdicts"] if not v["ok"]]
    assert {v["suite"] for v in reports[0]["verdicts"]} == {"tests", "contract", "live"}


@pytest.mark.slow
def test_one_changed_path_changes_one_small_layer_and_the_links(project: Project) -> None:
    project.write("changing", extends="base", attribute="closure")
    before = project.ohr.build("changing", "--from", "nixpkgs")
    project.write("changing", extends="base", attribute="closureChanged")
    after = project.ohr.build("changing", "--from", "nixpkgs")
    known = {layer["digest"] for layer in before["layers"]}
    new = {layer["group"]: layer["size"] for layer in after["layers"] if layer["digest"] not in known}
    buckets = {group: size for group, size in new.items() if "/nix/small/" in group}
    assert len(buckets) == 1
    assert sum(buckets.values()) < after["size"] / 20
    assert all(size < 100_000 for group, size in new.items() if group not in buckets)
    assert len(new) <= 3


@pytest.mark.slow
def test_one_core_and_all_cores_make_the_same_image(
    project: Project, bench: NixBench, tmp_path: Path
) -> None:
    project.write("cores", extends="base", attribute="closure")
    wanted = project.ohr.build("cores", "--from", "nixpkgs")["digest"]
    cache = tmp_path / "cache"
    cache.mkdir()
    for area in ("blobs", "fragments", "records", "nix"):
        subprocess.run(["cp", "-al", bench.cache / area, cache / area], check=True)
    options = ["--root", str(project.root), "--cache", str(cache)]
    core = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, OHR, *options, "build", "cores", "--from", "nixpkgs"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert wanted in done.stdout
