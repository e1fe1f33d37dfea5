"""The machine's Nix: Debian's, unpacked without its installer, its store in a folder of the test's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from openhands_recipes.adapters.nix.machine import FoundNix, MachineNix, find_nix
from openhands_recipes.errors import NixError, UsageError
from openhands_recipes.model.lock import Lock
from tests.integration.nix.bench import SYSTEM, NixBench, small_flake

DEFAULT = f"packages.{SYSTEM}.default"
WRAPPER = """#!/bin/sh
exec {root}/usr/lib64/ld-linux-x86-64.so.2 --argv0 {name} \\
  --library-path {root}/usr/lib/x86_64-linux-gnu {root}/usr/bin/nix "$@"
"""
SETTINGS = """build-hook =
build-users-group =
sandbox-paths =
sandbox = false
substituters =
"""


@pytest.fixture(scope="module")
def machine(bench: NixBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with a real Nix in it."""
    top = tmp_path_factory.mktemp("machine")
    root = top / "root"
    for recipe in ("base", "nix"):
        stored = bench.world.store.lock(recipe)
        assert stored is not None
        for deb in Lock.model_validate_json(stored.content).platforms["linux/amd64"].debs:
            if deb.name.startswith("lib") or deb.name == "nix-bin":
                (file,) = (bench.cache / "blobs").rglob(deb.sha256)
                subprocess.run(["dpkg-deb", "-x", file, root], check=True)
    programs = top / "bin"
    programs.mkdir()
    for name in ("nix", "nix-store"):
        (programs / name).write_text(WRAPPER.format(root=root, name=name))
        (programs / name).chmod(0o755)
    return programs


@pytest.fixture
def ours(bench: NixBench, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NixBench:
    """The project, with the machine's Nix first on PATH."""
    monkeypatch.setenv("PATH", f"{machine}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NIX_REMOTE", f"local?root={tmp_path / 'store'}")
    monkeypatch.setenv("NIX_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("NIX_CONFIG", SETTINGS)
    monkeypatch.delenv("OHR_NIX")
    return bench.with_cache(tmp_path / "cache")


@pytest.mark.slow
def test_the_machines_nix_builds_closures_and_keeps_them(ours: NixBench, tmp_path: Path) -> None:
    assert ours.nix.description().startswith("Nix 2.26.3 of this machine (")
    flake = small_flake(tmp_path / "a flake%", 'default = mk "app-1" "b mkdir -p $out; echo hi > $out/x";')
    assert json.loads(ours.nix.evaluate(flake, "answer")) == 42
    path = ours.nix.build(flake, DEFAULT)
    assert (ours.nix.folder(path) / "x").read_text() == "hi\n"
    assert [known.path for known in ours.nix.closure(path)] == [path]
    ours.nix.verify([path])
    ours.nix.run(("store", "gc"))
    assert (ours.nix.folder(path) / "x").exists(), "a root in the cache protects it"
    bad = small_flake(tmp_path / "bad", 'default = mk "bad" "echo why; exit 2";')
    with pytest.raises(NixError, match=r"bad could not be built \(exit code 2\):\n  why"):
        ours.nix.build(bad, DEFAULT)


def script(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "nix").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "nix").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("says", "new_enough"),
    [("nix (Nix) 2.8.0", False), ("nix (Nix) 2.18.1", True), ("nix (Lix, like Nix) 2.91.0", True)],
)
def test_versions_are_read_as_nix_and_its_kin_write_them(
    tmp_path: Path, says: str, *, new_enough: bool
) -> None:
    found = find_nix(str(script(tmp_path / "bin", f"echo '{says}'")))
    assert found is not None
    assert found.new_enough is new_enough


def test_what_does_not_say_its_version_is_no_nix(tmp_path: Path) -> None:
    assert find_nix(str(script(tmp_path / "broken", "exit 1"))) is None
    assert find_nix(str(tmp_path / "nothing")) is None


def test_a_wish_that_cannot_be_met_is_told(
    bench: NixBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(script(tmp_path / "bin", "echo 'nix (Nix) 2.8.0'")))
    for wish, message in (("machine", "this machine has only Nix 2.8.0"), ("mine", "OHR_NIX is 'mine'")):
        monkeypatch.setenv("OHR_NIX", wish)
        with pytest.raises(UsageError, match=message):
            NixBench(bench.root, bench.cache, bench.nixpkgs).world.nix.description()


def test_the_doctor_says_which_nix_it_would_be(
    bench: NixBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        (ability,) = bench.world._look_for_nix()
        return ability.detail

    assert told() == "our own, in a sandbox"
    monkeypatch.delenv("OHR_NIX")
    folder = script(tmp_path / "new", "echo 'nix (Nix) 2.30.1'")
    monkeypatch.setenv("PATH", str(folder))
    assert told() == f"2.30.1 of this machine ({folder / 'nix'})"
    monkeypatch.setenv("PATH", str(script(tmp_path / "old", "echo 'nix (Nix) 2.8.0'")))
    assert told() == "our own, in a sandbox; this machine's 2.8.0 is older than 2.18"


def test_stores_with_another_root_are_looked_into(bench: NixBench, tmp_path: Path) -> None:
    path = "/nix/store/6xc00l1xh9p3ilzkpxw4v96hhxp7wsll-hello-1.0"
    (tmp_path / "root" / path.lstrip("/")).mkdir(parents=True)
    found = FoundNix("/usr/bin/nix", "2.26")
    for remote in (f"local?root={tmp_path / 'root'}", str(tmp_path / "root")):
        nix = MachineNix(found, bench.world.cache, environment={"NIX_REMOTE": remote})
        assert nix.physical(path) == tmp_path / "root" / path.lstrip("/")
    plain = MachineNix(found, bench.world.cache, environment={"XDG_DATA_HOME": str(tmp_path)})
    assert plain.physical(path) == Path(path)
