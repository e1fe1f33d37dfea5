from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from openhands_recipes.errors import SandboxError
from openhands_recipes.flows.byte_compile import byte_compile, bytecode_entries, bytecode_key
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports import Command, Completed


class ScriptedBox:
    """Answers as told and shows what it was asked."""

    def __init__(self, exit_code: int = 0, stderr: str = "", *, timed_out: bool = False) -> None:
        self.done = Completed(exit_code, b"", stderr.encode(), timed_out, 0.1)
        self.asked: list[tuple[Command, bytes | None]] = []
        self.found: list[tuple[Entry, Any]] = []

    def run(self, command: Command, *, stdin: bytes | None = None, **_: Any) -> Completed:
        self.asked.append((command, stdin))
        return self.done

    def start(self, command: Command) -> Any:
        raise NotImplementedError

    def changes(self) -> Iterator[tuple[Entry, Any]]:
        return iter(self.found)


def test_modules_are_compiled_by_their_owner_with_a_fixed_seed() -> None:
    box = ScriptedBox(stderr="noise\nleft out /a/b.py: PyCompileError\n")
    left_out = byte_compile(box, [["a/b.py"]], python="/usr/bin/python3.13", jobs=2, owner=(10001, 10002))
    assert left_out == ("/a/b.py: PyCompileError",)
    command, stdin = box.asked[0]
    assert command.argv[:2] == ("/usr/bin/python3.13", "-s")
    assert (command.uid, command.gid) == (10001, 10002)
    assert command.environment["PYTHONHASHSEED"] == "0"
    assert json.loads(stdin or b"")["parts"] == [["/a/b.py"]]


def test_an_interpreter_that_fails_is_quoted() -> None:
    with pytest.raises(SandboxError, match="compiling Python modules failed: no such module"):
        byte_compile(ScriptedBox(1, "no such module"), [["a.py"]], python="/usr/bin/python3.13", jobs=1)
    with pytest.raises(SandboxError, match="it took too long"):
        byte_compile(ScriptedBox(137, timed_out=True), [["a.py"]], python="/usr/bin/python3.13", jobs=1)


def test_bytecode_goes_to_the_part_of_its_source_with_its_folder() -> None:
    box = ScriptedBox()
    folder = Entry("a/__pycache__", Kind.DIRECTORY, 0o700, 5, 6, mtime=99)
    box.found = [
        (Entry("a", Kind.DIRECTORY), None),
        (folder, None),
        (Entry("a/__pycache__/x.cpython-313.pyc", Kind.FILE, 0o600, 5, 6, 3, 99), lambda: iter([b"abc"])),
        (Entry("a/__pycache__/nobody.cpython-313.pyc", Kind.FILE), lambda: iter([b""])),
        (Entry("tmp/log", Kind.FILE), lambda: iter([b""])),
    ]
    made = dict(bytecode_entries(box, {"one": ["a/x.py"], "two": ["a/y.py"]}, python_version="3.13.5"))
    assert made["two"] == []
    entries = [entry for entry, _ in made["one"]]
    assert entries == [
        Entry("a/__pycache__", Kind.DIRECTORY, 0o755, 5, 6, mtime=315532800),
        Entry("a/__pycache__/x.cpython-313.pyc", Kind.FILE, 0o644, 5, 6, 3, 315532800),
    ]


def test_the_key_tells_parts_and_interpreters_apart() -> None:
    keys = {bytecode_key(part, python=python) for part in ("a", "b") for python in ("x", "y")}
    assert len(keys) == 4
