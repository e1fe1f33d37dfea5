"""Hostile scripts stay inside, whoever they are inside; and nothing survives its owner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters.machine_ca import network_offer
from openhands_recipes.adapters.sandbox.box import NamespaceBox
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import Bind, BoxOptions, Command, Completed

pytestmark = pytest.mark.sandbox
Shell = Callable[..., Completed]
RunIn = Callable[[NamespaceBox], Shell]
HOSTILE = Path(__file__).with_name("hostile.py")
REPOSITORY = Path(__file__).parents[3]
ENVIRONMENT = {"PATH": "/usr/bin", "PYTHONHOME": "/usr", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def host_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        port = server.getsockname()[1]
        abstract.bind(f"\0ohr-test-{port}")
        abstract.listen()
        yield port


@pytest.mark.parametrize(
    ("uid", "keep"), [(0, True), (0, False), (10001, False)], ids=["maintainer script", "root", "user"]
)
def test_a_hostile_script_is_contained(
    engine: NamespaceEngine, python_bind: Bind, host_port: int, tmp_path: Path, uid: int, *, keep: bool
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    binds = (python_bind, Bind(HOSTILE, "/opt/hostile.py"))
    arguments = (str(secret), str(host_port), str(os.getpid()))
    command = Command(
        ("python3", "/opt/hostile.py", *arguments),
        environment=ENVIRONMENT,
        uid=uid,
        gid=uid,
        keep_capabilities=keep,
        timeout=60,
    )
    with engine.open(["tiny"], BoxOptions(binds=binds)) as box:
        done = box.run(command)
        assert done.stdout.decode().splitlines() == ["finished"], done.stderr.decode()
        assert done.exit_code == 0
        assert box.run(Command(("true",), environment=ENVIRONMENT)).exit_code == 0


def test_a_fork_bomb_is_held_back_and_ends_by_timeout(
    engine: NamespaceEngine, run_in: RunIn, processes_with: Callable[[str], list[int]]
) -> None:
    with engine.open(["tiny"], BoxOptions()) as box:
        sh = run_in(box)
        bomb = "exec 2>/dev/null; (b() { b b-bomb | b & b; }; b) & sleep 20"
        done = sh(bomb, uid=10001, gid=10001, timeout=2)
        assert done.timed_out
        assert sh("echo alive", timeout=30).stdout == b"alive\n"
        assert not processes_with("b-bomb")


def test_setuid_programs_work_only_where_they_are_under_test(
    engine: NamespaceEngine, python_options: BoxOptions
) -> None:
    line = "import os; print(os.geteuid(), end='')"
    command = Command(("setuid-python", "-c", line), environment={"PATH": "/usr/bin"}, uid=10001, gid=10001)
    may = Command(**{**command.__dict__, "may_gain_privileges": True})
    with engine.open(["tiny"], python_options) as box:
        assert box.run(command).stdout == b"10001"
        assert box.run(may).stdout == b"0"


def test_process_1_and_the_minder_hide_where_they_come_from(sh: Shell) -> None:
    assert (
        sh('for p in 1 $PPID; do tr=$(cat /proc/$p/cmdline); echo "[$tr]"; done').stdout == b"[sandbox]\n" * 2
    )


def test_a_command_that_kills_its_minder_loses_its_family(
    sh: Shell, processes_with: Callable[[str], list[int]]
) -> None:
    with pytest.raises(SandboxError, match="closed while a command was running"):
        sh("sleep 44.625 & kill -9 $PPID; sleep 44.625", keep_capabilities=True)
    end = time.monotonic() + 10
    while processes_with("44.625") and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes_with("44.625")
    assert sh("echo still here").stdout == b"still here\n"


@pytest.mark.parametrize("victim", ["owner", "launcher"])
def test_killing_the_owner_leaves_no_process_and_no_mount(
    engine: NamespaceEngine, processes_with: Callable[[str], list[int]], victim: str
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from openhands_recipes.adapters.sandbox.engine import NamespaceEngine\n"
        "from openhands_recipes.ports import Command\n"
        "with NamespaceEngine(Path(sys.argv[1])).open(['tiny']) as box:\n"
        "    line = 'echo x > /etc/x; setsid sleep 33.875 & echo up; sleep 33.875'\n"
        "    pid = box._launcher.process.pid\n"
        "    show = lambda piece: print(pid, flush=True)\n"
        "    box.run(Command(('sh', '-c', line), environment={'PATH': '/usr/bin'}), stdout=show)\n"
    )
    mounts = Path("/proc/self/mountinfo").read_text()
    folder = engine._store.base
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.parent)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert owner.stdout
    launcher = int(owner.stdout.readline())
    assert len(processes_with("33.875")) >= 3
    os.kill(owner.pid if victim == "owner" else launcher, signal.SIGKILL)
    owner.communicate(timeout=20)
    end = time.monotonic() + 10
    while (processes_with("33.875") or any((folder / "uppers").iterdir())) and time.monotonic() < end:
        if victim == "launcher":
            engine.add_tree(f"sweeper {time.monotonic()}", [])
        time.sleep(0.05)
    assert not processes_with("33.875")
    assert list((folder / "uppers").iterdir()) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_binds_are_read_only_unless_they_say_otherwise(
    engine: NamespaceEngine, run_in: RunIn, tmp_path: Path
) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    (tmp_path / "file").write_text("content")
    binds = (
        Bind(tmp_path / "closed", "/closed"),
        Bind(tmp_path / "open", "/var/deep/open", writable=True),
        Bind(tmp_path / "file", "/etc/file"),
        Bind(tmp_path / "file", "/lib/through-a-link"),
    )
    with engine.open(["tiny"], BoxOptions(binds=binds)) as box:
        sh = run_in(box)
        assert sh("touch /closed/x; echo no > /etc/file").exit_code != 0
        assert sh("touch /var/deep/open/x; cat /etc/file /lib/through-a-link").stdout == b"contentcontent"
        assert [e.path for e, _ in box.changes() if e.kind != "5"] == []
    assert (tmp_path / "open/x").exists()
    assert not list((tmp_path / "closed").iterdir())


def test_a_bind_of_nothing_is_an_error(engine: NamespaceEngine, tmp_path: Path) -> None:
    options = BoxOptions(binds=(Bind(tmp_path / "nothing", "/x"),))
    with pytest.raises(SandboxError, match="nothing"), engine.open(["tiny"], options):
        pass


def test_without_network_there_is_only_loopback(sh: Shell) -> None:
    lines = sh("cat /proc/net/dev /etc/hosts /etc/hostname; ls /sys/class/net").stdout.decode()
    assert "lo:" in lines
    assert "eth" not in lines
    assert "127.0.1.1 sandbox" in lines


def test_with_network_the_hosts_own_can_be_reached(
    engine: NamespaceEngine, python_bind: Bind, run_in: RunIn, host_port: int
) -> None:
    options = BoxOptions(network=True, binds=(python_bind,), hostname="netted")
    line = f"import socket, os; socket.create_connection(('127.0.0.1', {host_port})); print(os.cpu_count())"
    with engine.open(["tiny"], options) as box:
        sh = run_in(box)
        done = sh(f'python3 -c "{line}"', uid=10001, gid=10001)
        assert done.stdout.decode().strip() == str(os.cpu_count()), done.stderr
        assert sh("cat /etc/resolv.conf").stdout == Path("/etc/resolv.conf").read_bytes()
        assert b"127.0.1.1 netted\n" in sh("cat /etc/hosts").stdout


def test_sandboxes_inside_are_possible_where_they_are_wanted(
    engine: NamespaceEngine, run_in: RunIn, python_options: BoxOptions
) -> None:
    line = (
        "import ctypes, os\n"
        "l = ctypes.CDLL(None, use_errno=True)\n"
        "assert l.unshare(0x10000000 | 0x20000 | 0x20000000) == 0\n"
        "pid = os.fork()\n"
        "if pid: os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "assert l.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0, ctypes.get_errno()\n"
        "assert l.mount(b'none', b'/proc', b'proc', 0, None) == 0, ctypes.get_errno()\n"
    )
    options = BoxOptions(binds=python_options.binds, nested_namespaces=True)
    with engine.open(["tiny"], options) as box:
        done = run_in(box)("python3 -", stdin=line.encode(), uid=10001, gid=10001)
        assert done.exit_code == 0, done.stderr


def test_files_of_ours_are_roots_and_never_a_change(
    engine: NamespaceEngine, run_in: RunIn, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    offer = network_offer(
        {"/etc/sudoers": b""}.get, ca_bundle=bundle, environment={"http_proxy": "http://p:1"}
    )
    with engine.open(["tiny"], BoxOptions(network=True, files=offer.files)) as box:
        sh = run_in(box)
        done = sh("stat -c '%n %a %u' /run/ohr/ca.pem /etc/ssl/certs/ca-certificates.crt /etc/sudoers.d/*")
        assert done.stdout.decode().splitlines() == [
            "/run/ohr/ca.pem 444 0",
            "/etc/ssl/certs/ca-certificates.crt 444 0",
            "/etc/sudoers.d/ohr-network 440 0",
        ]
        assert sh("cat $SSL_CERT_FILE /run/ohr/ca.pem").stdout == bundle.read_bytes()
        assert sh("cat /etc/sudoers.d/*", uid=10001, gid=10001).exit_code != 0
        assert sh("echo x > /run/ohr/ca.pem", keep_capabilities=True).exit_code != 0
        assert list(box.changes()) == []
