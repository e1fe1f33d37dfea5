"""Our own Nix, in a sandbox."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openhands_recipes.adapters.nix.calls import FLAKE
from openhands_recipes.errors import NixError, OutsideError, UsageError, VerificationError
from openhands_recipes.ports import Nix
from tests.fakes import CountingStage
from tests.integration.nix.bench import SHARED, SYSTEM, TREE, NixBench, small_flake
from tests.integration.nix.flakes import own_flake, packages

DEFAULT = f"packages.{SYSTEM}.default"
APP = (
    'lib = mk "lib-1" "echo lib > $out"; '
    'default = mk "app-1" "b mkdir -p $out/bin; echo ${self.packages.x86_64-linux.lib} > $out/bin/app";'
)


@pytest.fixture(scope="module")
def scratch(bench: NixBench, tmp_path_factory: pytest.TempPathFactory) -> NixBench:
    """The same project over a store of its own, for tests that break it."""
    return bench.with_cache(tmp_path_factory.mktemp("scratch"))


def store_of(bench: NixBench) -> Path:
    (store,) = (path for path in (bench.cache / "nix").glob("*/nix"))
    return store


def test_a_flake_is_evaluated_and_built_and_its_tree_can_be_read(nix: Nix, tmp_path: Path) -> None:
    flake = small_flake(tmp_path / "flake", APP)
    assert json.loads(nix.evaluate(flake, "answer")) == 42
    path = nix.build(flake, DEFAULT)
    closure = nix.closure(path)
    assert sorted(known.name for known in closure) == ["app-1", "lib-1"]
    root = next(known for known in closure if known.path == path)
    assert len(root.references) == 1
    folder = nix.folder(path)
    assert (folder / "bin" / "app").read_text().strip() == root.references[0]
    nix.verify([known.path for known in closure])


def test_a_build_tells_its_stage_what_it_does(nix: Nix, tmp_path: Path) -> None:
    unique = f"told-{time.time_ns()}"
    stage = CountingStage()
    nix.build(
        small_flake(tmp_path / "flake", f'default = mk "{unique}" "echo > $out";'), DEFAULT, stage=stage
    )
    assert (stage.done, stage.total) == (1, 1)
    assert stage.notes == [f"building {unique}"]


def test_builds_are_shut_in(nix: Nix, tmp_path: Path) -> None:
    script = (
        "b ls / > $out; b id -u >> $out; b ls /proc | b grep -c '^[0-9]' >> $out; "
        "b ls /sys/class/net >> $out 2>&1; b find / -name '*.pem' >> $out; b true"
    )
    path = nix.build(small_flake(tmp_path / "flake", f'default = mk "shut-in" "{script}";'), DEFAULT)
    *roots, uid, processes, _, certificates = nix.folder(path).read_text().splitlines()
    assert roots == ["bin", "build", "dev", "etc", "nix", "proc", "run", "tmp"]
    assert uid == "1000"
    assert int(processes) < 6
    assert certificates == "/run/ohr/ca.pem", "lent for what is fetched by hash"


def test_a_failing_builder_is_shown_with_its_last_lines(nix: Nix, tmp_path: Path) -> None:
    flake = small_flake(
        tmp_path / "flake", 'default = mk "bad-1.0" "echo on the way; echo it broke; exit 3";'
    )
    with pytest.raises(NixError, match=r"bad-1.0 could not be built \(exit code 3\)") as caught:
        nix.build(flake, DEFAULT)
    assert caught.value.code == "OHR111"
    assert "  on the way\n  it broke" in caught.value.message


def test_a_fixed_output_of_another_hash_is_refused(nix: Nix, tmp_path: Path) -> None:
    text = (
        'default = derivation { name = "fetched"; system = "x86_64-linux"; builder = "${tools}/busybox"; '
        'args = [ "sh" "-c" "echo altered > $out" ]; '
        f'outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "{"0" * 64}"; }};'
    )
    with pytest.raises(VerificationError) as caught:
        nix.build(small_flake(tmp_path / "flake", text), DEFAULT)
    assert (caught.value.exit_code, caught.value.code) == (4, "OHR112")


def test_another_nixpkgs_than_the_pinned_one_is_refused(
    bench: NixBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "nixpkgs"
    other.mkdir()
    (other / "flake.nix").write_text("{ outputs = _: { }; }")
    monkeypatch.setenv("OHR_NIXPKGS", str(other))
    project = tmp_path / "project"
    shutil.copytree(bench.root, project)
    registry = project / "recipes" / "registry.yaml"
    pinned = next(line for line in registry.read_text().splitlines() if "narHash" in line).split()[-1]
    promised = "sha256-" + "A" * 43 + "="
    registry.write_text(registry.read_text().replace(pinned, promised))
    failed = NixBench(project, bench.cache, other).ohr("lock", "--from", "nixpkgs", "base", expect=4)
    assert "error[OHR112]: this is another nixpkgs than the pinned one: its hash is sha256-" in failed.stderr
    assert f"the pin says {promised}" in failed.stderr
    assert not (project / "recipes" / "base" / "recipe.closure.json").exists()


def test_a_copy_of_nixpkgs_that_is_not_there_is_told(
    bench: NixBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHR_NIXPKGS", str(tmp_path / "none"))
    fresh = NixBench(bench.root, tmp_path / "cache", bench.nixpkgs)
    with pytest.raises(UsageError, match="no such folder"):
        fresh.nix._take_nixpkgs("sha256-")  # type: ignore[attr-defined]


def test_a_store_whose_database_is_gone_or_broken_mends_itself(scratch: NixBench, tmp_path: Path) -> None:
    flake = small_flake(tmp_path / "flake", APP)
    path = scratch.nix.build(flake, DEFAULT)
    database = store_of(scratch) / "var" / "nix" / "db"
    (database / "db.sqlite").write_bytes(b"not a database" * 1000)
    for name in ("db.sqlite-wal", "db.sqlite-shm"):
        (database / name).unlink(missing_ok=True)
    assert scratch.nix.build(flake, DEFAULT) == path
    shutil.rmtree(database)
    assert scratch.nix.build(flake, DEFAULT) == path
    assert len(scratch.nix.closure(path)) == 2


def test_a_path_that_is_gone_from_the_disk_is_built_again(scratch: NixBench, tmp_path: Path) -> None:
    flake = small_flake(tmp_path / "flake", APP)
    path = scratch.nix.build(flake, DEFAULT)
    for known in scratch.nix.closure(path):
        folder = scratch.nix.folder(known.path)
        subprocess.run(["rm", "-rf", folder], check=True)
        with pytest.raises(OutsideError, match="is not in the store"):
            scratch.nix.folder(known.path)
        assert scratch.nix.build(flake, DEFAULT) == path
        assert scratch.nix.folder(known.path).exists()


def test_an_altered_tree_is_found(scratch: NixBench, tmp_path: Path) -> None:
    flake = small_flake(tmp_path / "flake", APP)
    path = scratch.nix.build(flake, DEFAULT)
    target = scratch.nix.folder(path) / "bin" / "app"
    target.chmod(0o644)
    target.write_text("altered")
    target.chmod(0o444)
    with pytest.raises(VerificationError) as caught:
        scratch.nix.verify([path])
    assert path in caught.value.message
    scratch.nix.verify([path])


def test_a_stray_folder_in_a_tree_is_found_and_removed(scratch: NixBench, tmp_path: Path) -> None:
    path = scratch.nix.build(small_flake(tmp_path / "flake", APP), DEFAULT)
    folder = scratch.nix.folder(path)
    stray = folder / "bin" / "__pycache__"
    for place in (folder, folder / "bin"):
        place.chmod(0o755)
    stray.mkdir()
    (stray / "app.cpython-313.pyc").write_bytes(b"compiled")
    for place in (stray, *stray.iterdir()):  # as if written inside
        os.chown(place, folder.stat().st_uid, folder.stat().st_gid)
    with pytest.raises(VerificationError):
        scratch.nix.verify([path])
    assert not (scratch.nix.folder(path) / "bin" / "__pycache__").exists()
    scratch.nix.verify([path])


def test_python_run_by_nix_writes_no_bytecode_into_the_store(
    bench: NixBench, nix: Nix, tmp_path: Path
) -> None:
    number = secrets.randbits(64)  # a path no run before this one can have left anything in
    module = f'default = mk "module" "b mkdir $out; echo x = {number} > $out/unseen.py";'
    library = nix.build(small_flake(tmp_path / "library", module), DEFAULT)
    flake = own_flake(bench, tmp_path / "flake", packages=packages("python313"))
    script = f"import sys; sys.path.insert(0, '{library}'); import unseen; print(unseen.x)"
    run = ("run", "--no-update-lock-file", f"{FLAKE}#default", "--", "python3", "-c", script)
    assert nix.run(run, flake=flake).strip() == str(number)
    assert [file.name for file in nix.folder(library).iterdir()] == ["unseen.py"]
    nix.verify([library])


KILLED = """
import sys
from pathlib import Path
from tests.integration.nix.bench import NixBench
bench = NixBench(*map(Path, sys.argv[1:4]))
bench.nix.build(Path(sys.argv[4]), sys.argv[5])
"""


def test_a_killed_build_leaves_nothing_behind_and_the_next_one_works(
    scratch: NixBench, tmp_path: Path
) -> None:
    flake = small_flake(tmp_path / "flake", 'default = mk "slow" "echo > $out; b sleep 3";')
    arguments = (scratch.root, scratch.cache, scratch.nixpkgs, flake, DEFAULT)
    scratch.nix.evaluate(flake, "answer")
    process = subprocess.Popen([sys.executable, "-c", KILLED, *map(str, arguments)], cwd=TREE)
    deadline = time.monotonic() + 60
    while not list((store_of(scratch) / "store").glob("*-slow.lock")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    path = scratch.nix.build(flake, DEFAULT)
    assert scratch.nix.folder(path).read_text() == "\n"


def test_two_runs_share_a_store(scratch: NixBench, tmp_path: Path) -> None:
    flake = small_flake(tmp_path / "flake", 'default = mk "shared" "b sleep 1; echo > $out";')
    arguments = (scratch.root, scratch.cache, scratch.nixpkgs, flake, DEFAULT)
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    runs = [subprocess.Popen(command, cwd=TREE) for _ in range(2)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]


def test_the_cache_is_cleared_with_all_that_is_read_only(scratch: NixBench, tmp_path: Path) -> None:
    cleared = scratch.with_cache(tmp_path / "cache")
    cleared.nix.build(small_flake(tmp_path / "flake", APP), DEFAULT)
    assert cleared.ohr("cache", "info").stdout.count("nix") >= 1
    for area in SHARED:
        (cleared.cache / area).unlink()
    cleared.ohr("cache", "clean")
    assert not (cleared.cache / "nix").exists()


def test_an_old_nix_is_named_and_passed_over(
    bench: NixBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "bin" / "nix"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'nix (Nix) 2.8.0'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("OHR_NIX")
    said = bench.ohr("--verbose", "lock", "--from", "nixpkgs", "--update", "base")
    assert f"Nix 2.8.0 ({old}) is older than 2.18: using our own instead" in said.stderr
    assert "base" in said.stdout
    capsys.readouterr()


def test_a_flake_that_only_its_owner_may_read_is_built(nix: Nix, tmp_path: Path) -> None:
    flake = small_flake(tmp_path / "flake", APP)
    flake.chmod(0o700)
    (flake / "flake.nix").chmod(0o600)
    assert json.loads(nix.evaluate(flake, "answer")) == 42


SMALL_DISK = """
mkdir -p "$1/nix"
mount -t tmpfs -o size=$2,mode=755 tmpfs "$1/nix"
shift 2
"$@"
mount -o remount,size=500m "$0/nix"
"$@"
"""
TOLD = """
import sys
from pathlib import Path
from openhands_recipes.errors import OutsideError
from tests.integration.nix.bench import NixBench
nix = NixBench(*map(Path, sys.argv[1:4])).nix
try:
    print(nix.folder(nix.build(Path(sys.argv[4]), sys.argv[5])).stat().st_size)
except OutsideError as error:
    print(error.code, error.hint)
"""


@pytest.mark.parametrize("size", ["400k", "3m", "9m"])
def test_a_full_disk_is_told_and_the_next_run_goes_on(scratch: NixBench, tmp_path: Path, size: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("this machine lacks root, to mount a small file system")
    flake = small_flake(tmp_path / "flake", 'default = mk "large" "b head -c 20000000 /dev/zero > $out";')
    bench = scratch.with_cache(tmp_path / "cache")
    places = map(str, (bench.root, bench.cache, bench.nixpkgs, flake))
    command = [sys.executable, "-c", TOLD, *places, DEFAULT]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SMALL_DISK, bench.cache, bench.cache, size, *command],
        cwd=TREE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    full, enough = done.stdout.splitlines()
    assert enough == "20000000"
    assert "free some space" in full
