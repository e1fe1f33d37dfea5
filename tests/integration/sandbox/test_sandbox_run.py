"""What a command in a box may expect: its exit code, its streams, its ids, its time."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import coverage
import pytest

from openhands_recipes.adapters.sandbox.box import NamespaceBox
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import BoxOptions, Command, Completed, Limits

pytestmark = pytest.mark.sandbox
Shell = Callable[..., Completed]
PATH = {"PATH": "/usr/bin"}


def test_streams_stay_apart_and_the_exit_code_comes_back(sh: Shell) -> None:
    done = sh("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert not done.timed_out
    assert done.seconds < 10


def test_a_killed_command_has_128_plus_its_signal(sh: Shell) -> None:
    assert sh("kill -TERM $$").exit_code == 143


@pytest.mark.parametrize(
    ("name", "code"), [("no-such-program", 127), ("/etc/passwd", 126), ("/nowhere", 127)]
)
def test_a_command_that_cannot_start_says_so_as_shells_do(box: NamespaceBox, name: str, code: int) -> None:
    done = box.run(Command((name,), environment=PATH))
    assert done.exit_code == code
    assert name in done.stderr.decode()


def test_a_missing_workdir_is_named(sh: Shell) -> None:
    done = sh("true", workdir="/not/here")
    assert done.exit_code == 126
    assert b"cannot start sh" in done.stderr


def test_input_is_read_to_its_end(sh: Shell) -> None:
    assert sh("wc -c", stdin=b"x" * 3_000_000).stdout.strip() == b"3000000"
    assert sh("wc -c").stdout.strip() == b"0"


def test_input_nobody_reads_does_no_harm(sh: Shell) -> None:
    assert sh("exec 0<&-; echo done", stdin=b"x" * 3_000_000).stdout == b"done\n"


def test_output_may_be_handed_over_while_it_comes(box: NamespaceBox) -> None:
    pieces: list[tuple[float, bytes]] = []
    errors = io.BytesIO()
    done = box.run(
        Command(("sh", "-c", "echo first; echo bad >&2; sleep 0.3; echo second"), environment=PATH),
        stdout=lambda piece: pieces.append((time.monotonic(), piece)),
        stderr=errors,
    )
    assert b"".join(piece for _, piece in pieces) == b"first\nsecond\n"
    assert pieces[-1][0] - pieces[0][0] > 0.2
    assert errors.getvalue() == b"bad\n"
    assert done.stdout == done.stderr == b""


def test_of_huge_output_both_ends_are_kept(sh: Shell) -> None:
    done = sh("echo begin; head -c 60000000 /dev/zero; echo end")
    assert len(done.stdout) < 26_000_000
    assert done.stdout.startswith(b"begin\n")
    assert done.stdout.endswith(b"end\n")
    assert b"bytes left out" in done.stdout


def test_nothing_of_the_callers_environment_comes_along(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    lines = sh("env").stdout.decode().splitlines()
    assert {line.partition("=")[0] for line in lines} == {"PATH", "PYTHONHOME", "PWD"}


def test_a_command_has_the_ids_and_groups_it_was_given(sh: Shell) -> None:
    done = sh("id", uid=10001, gid=10001, groups=(44,))
    assert done.stdout == b"uid=10001(user) gid=10001(user) groups=10001(user),44\n"
    assert sh("id -u").stdout == b"0\n"


def test_an_ordinary_user_may_open_its_streams_again(sh: Shell) -> None:
    done = sh(
        "echo a > /dev/stdout; echo b > /dev/stderr; cat /dev/stdin", uid=10001, gid=10001, stdin=b"c\n"
    )
    assert (done.stdout, done.stderr) == (b"a\nc\n", b"b\n")


def test_new_files_get_the_usual_mode(sh: Shell) -> None:
    assert sh("touch /tmp/f; stat -c %a /tmp/f").stdout == b"644\n"


def test_a_timeout_kills_the_whole_tree_daemons_included(
    sh: Shell, processes_with: Callable[[str], list[int]]
) -> None:
    line = "(setsid sleep 77.125 &); setsid sh -c '(setsid sleep 77.125 &)'; sleep 77.125 & wait"
    done = sh(line, timeout=1)
    assert done.timed_out
    assert done.exit_code == 137
    assert 0.9 < done.seconds < 8
    assert not processes_with("77.125")


def test_what_a_command_leaves_running_neither_holds_it_up_nor_dies(sh: Shell) -> None:
    done = sh("sleep 55.25 & echo $!")
    assert done.seconds < 5
    assert sh(f"kill -0 {done.stdout.decode()}").exit_code == 0


def test_closing_the_box_ends_everything_in_it(
    engine: NamespaceEngine, processes_with: Callable[[str], list[int]]
) -> None:
    with engine.open(["tiny"]) as box:
        running = box.start(Command(("sleep", "66.125"), environment=PATH))
        assert running.wait(0.05) is None
        assert processes_with("66.125")
    with pytest.raises(SandboxError, match="closed while a command was running"):
        running.wait(5)
    assert not processes_with("66.125")
    with pytest.raises(SandboxError, match="the sandbox is closed"):
        box.run(Command(("true",)))


def test_a_background_command_can_be_waited_for_and_killed(box: NamespaceBox) -> None:
    quick = box.start(Command(("sh", "-c", "echo hello; exit 4"), environment=PATH)).wait(10)
    assert quick is not None
    assert (quick.exit_code, quick.stdout) == (4, b"hello\n")
    slow = box.start(Command(("sleep", "100"), environment=PATH))
    assert slow.wait(0.1) is None
    slow.kill()
    ended = slow.wait(10)
    assert ended is not None
    assert ended.exit_code == 137
    slow.kill()


def test_several_threads_may_use_one_box(sh: Shell) -> None:
    results: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda n=n: results.update({n: sh(f"sleep 0.1; echo {n}").stdout}))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: f"{n}\n".encode() for n in range(8)}


def test_a_sink_that_fails_ends_the_command(
    box: NamespaceBox, processes_with: Callable[[str], list[int]]
) -> None:
    def refuse(_piece: bytes) -> None:
        raise OSError(28, "no space left")

    with pytest.raises(OSError, match="no space left"):
        box.run(Command(("sh", "-c", "echo x; sleep 88.125"), environment=PATH), stdout=refuse)
    assert not processes_with("88.125")


def test_limits_hold(engine: NamespaceEngine, run_in: Callable[[NamespaceBox], Shell]) -> None:
    limits = Limits(processes=50, open_files=64, file_bytes=1_000_000)
    with engine.open(["tiny"], BoxOptions(limits=limits)) as box:
        sh = run_in(box)
        assert sh("ulimit -n; bash -c 'ulimit -u'").stdout == b"64\n50\n"
        assert sh("head -c 2000000 /dev/zero > /tmp/big").exit_code != 0
        assert (
            sh("for i in $(seq 100); do sleep 5 & done; wait", timeout=5, uid=10001, gid=10001).exit_code != 0
        )


def test_memory_is_limited(
    engine: NamespaceEngine, run_in: Callable[[NamespaceBox], Shell], python_options: BoxOptions
) -> None:
    options = BoxOptions(binds=python_options.binds, limits=Limits(memory_bytes=64 << 20))
    with engine.open(["tiny"], options) as box:
        done = run_in(box)("python3 -c 'x = bytearray(200 << 20); print(len(x))'")
        assert done.exit_code in (1, 137)  # a MemoryError, or the kernel's end
        assert not done.stdout
        assert run_in(box)("python3 -c 'print(len(bytearray(9 << 20)))'").exit_code == 0


def test_the_first_output_comes_quickly(engine: NamespaceEngine) -> None:
    def once() -> float:
        start = time.monotonic()
        with engine.open(["tiny"]) as box:
            box.run(Command(("true",), environment=PATH))
            return time.monotonic() - start

    limit = 0.3 if coverage.Coverage.current() is None else 2  # 0.05 s on an idle machine
    assert min(once() for _ in range(5)) < limit
