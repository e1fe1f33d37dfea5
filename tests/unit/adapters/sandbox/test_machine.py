"""What the engine makes of a machine: its ids, its refusals, its control groups."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.sandbox import cgroup, doctor, ids, launch, lookup
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import Limits

pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose /etc, /proc and /sys lie in a folder."""
    real = Path

    def moved(first: str | Path = "", *rest: str) -> Path:
        path = real(first, *rest)
        return tmp_path / str(path).lstrip("/") if str(path).startswith(("/etc", "/proc", "/sys")) else path

    for module in (ids, cgroup, doctor, launch):
        monkeypatch.setattr(module, "Path", moved)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(ids, "_user_name", lambda: "ada")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return tmp_path


def write(machine: Path, path: str, text: str) -> None:
    place = machine / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_users_get_their_first_large_enough_range(machine: Path) -> None:
    write(machine, "/etc/subuid", "bob:100000:65536\nada:165536:1000\n1000:300000:70000\nbroken\n")
    write(machine, "/etc/subgid", "ada:400000:65536\n")
    assert ids.find_range() == ids.IdRange(uid=300000, gid=400000, through_helpers=True)


def test_a_caller_can_stand_for_somebody_inside() -> None:
    theirs = ids.IdRange(100000, 200000, through_helpers=True, caller=(10001, 0))
    assert theirs.lines("uid") == [(0, 100000, 10001), (10001, 1000, 1), (10002, 110002, 55534)]
    assert theirs.lines("gid") == [(0, os.getgid(), 1), (1, 200001, 65535)]
    assert (theirs.name, theirs.borrowers) == ("100000-200000-10001-0", None)
    roots = ids.IdRange(100000, 200000, through_helpers=False, caller=(10001, 0))
    assert roots.lines("uid") == [(0, 100000, 65536)]
    assert (roots.name, roots.borrowers) == ("100000-200000", (110001, 200000))


def test_a_range_is_proposed_above_all_others(machine: Path) -> None:
    write(machine, "/etc/subuid", "bob:2000000:65536\n")
    with pytest.raises(SandboxError) as caught:
        ids.find_range()
    assert caught.value.hint == "as root: `usermod --add-subuids 2065536-2131071 ada`"


def test_root_prefers_its_own_entry(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    write(machine, "/etc/subuid", "root:700000:65536\n")
    write(machine, "/proc/self/gid_map", "         0          0 4294967295\n")
    found = ids.find_range()
    assert (found.uid, found.gid, found.through_helpers) == (700000, 1878982656, False)


def test_root_of_a_container_takes_the_last_ids_it_has(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for kind in ("uid", "gid"):
        write(machine, f"/proc/self/{kind}_map", "0 1000 1\n1 100000 200000\n")
    assert ids.find_range().name == "134465-134465"
    write(machine, "/proc/self/uid_map", "0 1000 1\n")
    with pytest.raises(SandboxError, match="fewer than 65536 uids"):
        ids.find_range()


def test_refused_maps_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SandboxError, match="the kernel refuses to map uids 5 to 65540"):
        ids.write_maps(ids.IdRange(5, 5, through_helpers=False), 1)
    refusal = subprocess.CompletedProcess([], 1, "", "newuidmap: not allowed\n")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kw: refusal)
    with pytest.raises(SandboxError, match="newuidmap refuses: newuidmap: not allowed"):
        ids.write_maps(ids.IdRange(5, 5, through_helpers=True), 1)


@pytest.mark.parametrize(
    ("number", "text", "hint"),
    [
        (errno.ENOSPC, "unshare: No space left on device", "raise user.max_user_namespaces"),
        (errno.ENOSPC, "write: No space left on device", "the disk is full"),
        (errno.EPERM, "unshare: Operation not permitted", "user namespaces are disabled"),
        (errno.EPERM, "fsmount: Operation not permitted", "systempaths=unconfined"),
        (errno.ENOSYS, "mount_setattr: Function not implemented", "Linux 5.12 or later"),
        (errno.EIO, "read: Input/output error", "`ohr doctor`"),
    ],
)
def test_the_kernels_refusals_come_with_advice(number: int, text: str, hint: str) -> None:
    error = launch.explain(number, text)
    assert error.message == f"the sandbox cannot be set up: {text}"
    assert hint in str(error.hint)


def test_apparmors_restriction_is_named(machine: Path) -> None:
    write(machine, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    assert "AppArmor" in str(launch.explain(errno.EPERM, "unshare: Operation not permitted").hint)
    assert doctor._namespaces().detail == "restricted by AppArmor"


def test_the_doctor_names_what_is_switched_off(machine: Path) -> None:
    assert doctor._namespaces().ok
    write(machine, "/proc/sys/kernel/unprivileged_userns_clone", "0\n")
    assert doctor._namespaces().detail == "reserved for root"
    write(machine, "/proc/sys/user/max_user_namespaces", "0\n")
    assert doctor._namespaces().hint == "sysctl -w user.max_user_namespaces=10000"
    assert not doctor._ranges().ok


@pytest.mark.parametrize(
    ("release", "machine_name", "ok"), [("5.10.0-28-amd64", "x86_64", False), ("6.1.0", "riscv64", False)]
)
def test_the_doctor_knows_old_kernels_and_other_processors(
    monkeypatch: pytest.MonkeyPatch, release: str, machine_name: str, *, ok: bool
) -> None:
    uname = os.uname_result(("Linux", "host", release, "#1", machine_name))
    monkeypatch.setattr(os, "uname", lambda: uname)
    assert (doctor._kernel().ok and doctor._machine().ok) is ok


V1 = "1:memory:/user\n2:pids:/user\n0::/\n"
V1_MOUNTS = (
    "30 1 0:1 / {root}/memory rw - cgroup cgroup rw,memory\n"
    "31 1 0:2 / {root}/pids rw - cgroup cgroup rw,pids\n"
)


def test_control_groups_of_version_1(machine: Path) -> None:
    write(machine, "/proc/self/cgroup", V1)
    write(machine, "/proc/self/mountinfo", V1_MOUNTS.format(root=machine))
    for controller in ("memory", "pids"):
        (machine / controller / "user").mkdir(parents=True)
    group = cgroup.make(Limits(memory_bytes=1000, processes=7))
    assert group is not None
    group.take(42)
    folders = sorted((machine / "memory/user").iterdir()) + sorted((machine / "pids/user").iterdir())
    read: dict[str, Any] = {path.name: path.read_text() for f in folders for path in f.iterdir()}
    assert read["memory.limit_in_bytes"] == "1000"
    assert read["pids.max"] == "7"
    assert read["cgroup.procs"] == "42"
    group.remove()


def test_control_groups_of_version_2(machine: Path) -> None:
    write(machine, "/proc/self/cgroup", "0::/slice/session\n")
    write(machine, "/proc/self/mountinfo", f"30 1 0:1 / {machine}/unified rw - cgroup2 cgroup2 rw\n")
    write(machine, "unified/slice/cgroup.subtree_control", "cpu memory pids\n")
    group = cgroup.make(Limits(memory_bytes=1000, processes=7))
    assert group is not None
    (folder,) = (machine / "unified/slice").glob("ohr-box-*")
    assert (folder / "memory.max").read_text() == "1000"
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "7"


def test_without_a_group_of_our_own_there_is_none(machine: Path) -> None:
    write(machine, "/proc/self/cgroup", "0::/slice/session\n")
    write(machine, "/proc/self/mountinfo", f"30 1 0:1 / {machine}/unified rw - cgroup2 cgroup2 rw\n")
    write(machine, "unified/slice/cgroup.subtree_control", "cpu\n")
    assert cgroup.make(Limits(memory_bytes=1000)) is None
    assert cgroup.make(Limits()) is None
    write(machine, "/proc/self/mountinfo", "")
    assert cgroup.make(Limits(memory_bytes=1000)) is None


@pytest.fixture
def trees(tmp_path: Path) -> list[Path]:
    low, high = tmp_path / "low", tmp_path / "high"
    for path, text in {"etc/a": "low a", "etc/b": "low b", "opt/x": "low x", "usr/lib/c": "c"}.items():
        write(low, path, text)
    write(high, "etc/a", "high a")
    (high / "lib").symlink_to("usr/lib")
    (high / "etc/abs").symlink_to("/etc/b")
    (high / "etc/up").symlink_to("../opt/x")
    (high / "etc/round").symlink_to("round")
    (low / "file").write_text("")
    return [high, low]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/a", b"high a"),
        ("etc/b", b"low b"),
        ("/etc/abs", b"low b"),
        ("/etc/up", b"low x"),
        ("/lib/c", b"c"),
        ("/etc/none", None),
        ("/etc/round", None),
        ("/etc", None),
        ("/file/below", None),
        ("/", None),
    ],
)
def test_a_file_is_found_as_an_overlay_would_find_it(
    trees: list[Path], path: str, content: bytes | None
) -> None:
    assert lookup.read_file(trees, path) == content


def test_opaque_folders_hide_what_lies_below(trees: list[Path]) -> None:
    (trees[0] / "opt").mkdir()
    os.setxattr(trees[0] / "opt", "user.overlay.opaque", b"y")
    assert lookup.read_file(trees, "/opt/x") is None
