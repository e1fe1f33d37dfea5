"""The caller's terminal and signals, as a person at a keyboard meets them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters.sandbox.box import NamespaceBox
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import Command

pytestmark = pytest.mark.sandbox
REPOSITORY = Path(__file__).parents[3]
CODE = """
import sys
from pathlib import Path
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.ports import Command
how = {sys.argv[2]: True}
with NamespaceEngine(Path(sys.argv[1])).open(["tiny"]) as box:
    argv = tuple(sys.argv[3:])
    done = box.run(Command(argv, environment={"PATH": "/usr/bin", "PS1": "$ "}, uid=10001, gid=10001, **how))
print("ended with", done.exit_code)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Keyboard:
    """A person's terminal, with a sandbox running in it."""

    def __init__(self, arguments: list[str]) -> None:
        self.main, other = pty.openpty()
        self.resize(30, 100)
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, *arguments],
            cwd=REPOSITORY,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - a fresh process
        )
        self.other = other
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.main, keys)

    def expect(self, text: bytes, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.main], [], [], 0.1)[0]:
                self.seen += os.read(self.main, 4096)
        self.seen = self.seen.partition(text)[2]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.main)
        os.close(self.other)


@pytest.fixture
def folder(engine: NamespaceEngine) -> Path:
    return engine._store.base.parent


@pytest.fixture
def keyboard(folder: Path) -> Iterator[Keyboard]:
    keyboard = Keyboard([str(folder), "terminal", "sh"])
    yield keyboard
    keyboard.close()


def test_a_shell_behaves_as_at_home(keyboard: Keyboard) -> None:
    before = termios.tcgetattr(keyboard.other)
    keyboard.expect(b"$ ")
    keyboard.type(b"tty; stty size; id -u\n")
    keyboard.expect(b"/dev/pts/0\r\n30 100\r\n10001\r\n$ ")
    keyboard.resize(40, 120)
    keyboard.process.send_signal(signal.SIGWINCH)
    time.sleep(0.2)
    keyboard.type(b"stty size\n")
    keyboard.expect(b"40 120\r\n$ ")
    keyboard.type(b"sleep 100\n")
    keyboard.expect(b"sleep 100\r\n")
    time.sleep(0.3)
    keyboard.type(b"\x03")
    keyboard.expect(b"$ ")
    keyboard.type(b"exit 7\n")
    keyboard.expect(b"ended with 7")
    keyboard.process.wait(10)
    assert termios.tcgetattr(keyboard.other) == before


def test_the_end_of_input_ends_a_shell(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), "terminal", "sh"],
        cwd=REPOSITORY,
        input=b"tty\n",
        stdout=subprocess.PIPE,
        check=True,
        timeout=30,
    )
    assert b"/dev/pts/0" in done.stdout
    assert done.stdout.rstrip().endswith(b"ended with 0")


def test_a_terminal_without_any_input_ends_too(box: NamespaceBox) -> None:
    pieces: list[bytes] = []
    command = Command(("sh", "-c", "cat; stty size"), environment={"PATH": "/usr/bin"}, terminal=True)
    done = box.run(command, stdout=pieces.append)
    assert done.exit_code == 0
    assert b"".join(pieces).endswith(b"24 80\r\n")


def test_the_background_has_no_terminal(box: NamespaceBox) -> None:
    with pytest.raises(SandboxError, match="cannot have the terminal"):
        box.start(Command(("sh",), terminal=True))


def is_asleep(pids: list[int]) -> bool:
    """Whether the command itself runs: a fork on its way to it still has its parent's command line."""
    names = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            names.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return "sleep" in names


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_go_to_the_command_where_they_are_meant_for_it(
    folder: Path, processes_with: Callable[[str], list[int]], number: signal.Signals, code: int
) -> None:
    mark = f"{90 + number}.375"  # tells it from the other one, which may run at the same time
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder), "forward_signals", "sleep", mark],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    wait_for(lambda: is_asleep(processes_with(mark)))
    process.send_signal(number)
    assert process.communicate(timeout=20)[0].decode().splitlines()[-1] == f"ended with {code}"


def test_an_interrupt_that_is_meant_for_us_ends_the_command_first(
    folder: Path, processes_with: Callable[[str], list[int]]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(folder), "keep_capabilities", "sleep", "98.375"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: is_asleep(processes_with("98.375")))
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=20)[1]
    assert not processes_with("98.375")
