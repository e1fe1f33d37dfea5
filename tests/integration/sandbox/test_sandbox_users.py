"""Root and ordinary users get the same sandbox; who cannot have one is told why, and what to do."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox
REPOSITORY = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("as_user.py")
NAME = "ohr-test-user"


def python_for(user: str) -> str:
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin") or ""):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run([candidate, "-c", code], user=user, group=user, check=False, cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip("this machine lacks a Python 3.11 that other users may run")


@pytest.fixture(scope="module")
def user() -> Iterator[str]:
    """An ordinary user with subordinate ids, as useradd makes them."""
    if os.geteuid() != 0:
        pytest.skip("this machine lacks root for the tests, so they cannot become somebody else")
    if shutil.which("newuidmap") is None and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "uidmap"], check=False, capture_output=True)
    if shutil.which("newuidmap") is None or shutil.which("useradd") is None:
        pytest.skip("this machine lacks newuidmap or useradd")
    subprocess.run(["userdel", NAME], check=False, capture_output=True)
    subprocess.run(["useradd", "--no-create-home", "--user-group", NAME], check=True)
    if NAME not in Path("/etc/subuid").read_text():
        span = "3000000000-3000065535"
        subprocess.run(["usermod", "--add-subuids", span, "--add-subgids", span, NAME], check=True)
    yield NAME
    subprocess.run(["userdel", NAME], check=True, capture_output=True)


@pytest.fixture
def stage(tiny_tar: bytes) -> Iterator[Path]:
    """A folder that anybody may enter, with the package and the tiny root in it."""
    folder = Path(tempfile.mkdtemp(prefix="ohr-users-"))
    folder.chmod(0o755)
    ignored = shutil.ignore_patterns("__pycache__", ".venv")
    shutil.copytree(REPOSITORY / "openhands_recipes", folder / "package/openhands_recipes", ignore=ignored)
    shutil.copy(SCRIPT, folder)
    (folder / "tiny.tar").write_bytes(tiny_tar)
    yield folder
    shutil.rmtree(folder)


def run_as(
    user: str, stage: Path, path: str = "/usr/sbin:/usr/bin:/sbin:/bin"
) -> subprocess.CompletedProcess[str]:
    home = stage / f"home-{user}"
    home.mkdir(mode=0o700)
    (home / "tiny.tar").symlink_to(stage / "tiny.tar")
    entry = pwd.getpwnam(user)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    return subprocess.run(
        [python_for(user), str(stage / SCRIPT.name), str(home)],
        cwd=stage / "package",
        env={"PATH": path, "PYTHONPATH": str(stage / "package"), "PYTHONDONTWRITEBYTECODE": "1"},
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def test_root_and_an_ordinary_user_see_the_same(user: str, stage: Path) -> None:
    theirs, roots = run_as(user, stage), run_as("root", stage)
    assert (theirs.returncode, roots.returncode) == (0, 0), theirs.stdout + theirs.stderr + roots.stderr
    assert json.loads(theirs.stdout) == json.loads(roots.stdout)
    maintainer, user_inside, slow, *changes = json.loads(theirs.stdout)
    assert maintainer[0] == 0, maintainer
    assert "for the sandbox alone" in maintainer[1]
    assert "CapEff:\t00000000a80425fb" in maintainer[1]
    assert "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2" in user_inside[1]
    assert slow == [137, True]
    assert [change[0] for change in changes[:-2]] == [
        *("home", "usr", "usr/bin", "usr/bin/true", "usr/bin/tty"),
        *("var", "var/x", "var/x/y", "var/x/y/l", "var/x/y/z"),
    ]
    owners = "from outside. 10001 10001\nmine 10001 10001\ntheirs 10001 10001\nsub 10001 10001\n"
    assert changes[-2] == [0, f"{owners}/home/user 10001 10001\n", "", "from inside\n", True]
    assert all(changes[-1])


def test_a_user_without_subordinate_ids_learns_how_to_get_them(user: str, stage: Path) -> None:
    system_user = f"{user}-bare"  # useradd gives users of the system none
    subprocess.run(["useradd", "--system", "--user-group", system_user], check=True)
    try:
        done = run_as(system_user, stage)
    finally:
        subprocess.run(["userdel", system_user], check=True, capture_output=True)
    assert done.returncode == 3
    message, where, hint = done.stdout.splitlines()
    assert message == f"user {system_user} has no 65536 subordinate uids"
    assert where == "  --> /etc/subuid"
    assert re.fullmatch(rf"  hint: as root: `usermod --add-subuids \d+-\d+ {system_user}`", hint)


def test_a_user_without_newuidmap_learns_what_to_install(user: str, stage: Path) -> None:
    done = run_as(user, stage, path=str(stage / "nothing"))
    assert done.returncode == 3
    assert done.stdout == (
        "newuidmap is missing, and without it only root can open a sandbox\n"
        "  hint: install it: `apt-get install uidmap`\n"
    )
