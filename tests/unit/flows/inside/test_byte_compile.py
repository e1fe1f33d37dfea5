"""The program that compiles modules: the same bytes whatever came before and beside."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from openhands_recipes.flows.inside import byte_compile, program

SHARED = (
    'METHODS = frozenset({"GET", "HEAD", "OPTIONS"})\ndef f(x):\n    return x in {"GET", "HEAD", "OPTIONS"}\n'
)
INTERNS = 'A = "GET"\nB = ("HEAD", "OPTIONS")\n'


def modules(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True)
    for number in range(count):
        body = INTERNS if number % 3 else SHARED
        (folder / f"m{number:03}.py").write_text(
            f'"""Module {number}."""\n{body}N = {{1, 2.5, "x{number}", None}}\n'
        )
    return [str(path) for path in sorted(folder.glob("*.py"))]


def run(parts: Sequence[Sequence[str]], jobs: int, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-s", "-S", "-P", "-B", "-c", program("byte_compile")],
        input=json.dumps({"jobs": jobs, "parts": parts}).encode(),
        capture_output=True,
        env={"PYTHONHASHSEED": "0", **environment},
        check=False,
    )


def bytecode(files: Sequence[str]) -> dict[str, bytes]:
    made = {}
    for file in files:
        path = Path(importlib.util.cache_from_source(file))
        made[file] = path.read_bytes()
        path.unlink()
    return made


def test_neither_order_nor_jobs_nor_other_parts_change_a_byte(tmp_path: Path) -> None:
    first, second = modules(tmp_path / "first", 70), modules(tmp_path / "second", 10)
    assert run([first, second], 1).returncode == 0
    whole = bytecode([*first, *second])
    assert run([second, first[::-1]], 4).returncode == 0
    assert bytecode([*first, *second]) == whole
    assert run([second], 2).returncode == 0
    assert bytecode(second) == {file: whole[file] for file in second}


def test_bytecode_is_never_checked_against_its_source_and_readable_by_all(tmp_path: Path) -> None:
    files = modules(tmp_path / "part", 1)
    assert run([files], 1).returncode == 0
    path = Path(importlib.util.cache_from_source(files[0]))
    assert path.read_bytes()[4:8] == (1).to_bytes(4, "little")  # PEP 552: hash-based, unchecked
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_is_no_valid_python_is_left_out_by_name(tmp_path: Path) -> None:
    files = modules(tmp_path / "part", 2)
    (tmp_path / "part" / "old.py").write_text("print 'hello'\n")
    (tmp_path / "part" / "nul.py").write_bytes(b"\0")
    done = run([[*files, *(str(tmp_path / "part" / name) for name in ("old.py", "nul.py"))]], 2)
    assert done.returncode == 0
    assert sorted(line.split(":")[0].rpartition("/")[2] for line in done.stderr.decode().splitlines()) == [
        "nul.py", "old.py"
    ]  # fmt: skip
    assert len(list((tmp_path / "part" / "__pycache__").iterdir())) == 2


def test_a_source_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    done = run([[str(tmp_path / "gone.py")]], 1)
    assert done.returncode == 2
    assert b"gone.py" in done.stderr
    assert run([[str(tmp_path / f"gone{n}.py")] for n in range(3)], 1).returncode == 2


def test_a_random_hash_seed_is_refused(tmp_path: Path) -> None:
    done = run([modules(tmp_path / "part", 1)], 1, PYTHONHASHSEED="random")
    assert (done.returncode, done.stderr) == (2, b"PYTHONHASHSEED must be 0\n")


def test_processes_get_a_few_neighbours_of_one_part_each() -> None:
    files = [f"{n:03}" for n in range(100)]
    assert [len(chunk) for chunk in byte_compile.chunks([files[::-1], ["x"]])] == [48, 48, 4, 1]
    assert next(byte_compile.chunks([files[::-1]]))[0] == "000"


def test_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = modules(tmp_path / "part", 1)
    (tmp_path / "part" / "old.py").write_text("print 'hello'\n")
    byte_compile.compile_all([*files, str(tmp_path / "part" / "old.py")])
    assert "left out" in capsys.readouterr().err
    child = byte_compile.forked(files)
    assert os.waitpid(child, 0)[1] == 0
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    assert byte_compile.main() == 2


def test_the_whole_program_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    files = [modules(tmp_path / name, 1) for name in ("a", "b", "c")]
    mask = os.umask(0o022)
    try:
        for parts, code in ((files, 0), ([["/gone.py"], ["/gone.py"]], 2), ([["/gone.py"]], 2)):
            monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"jobs": 1, "parts": parts})))
            assert byte_compile.main() == code
    finally:
        os.umask(mask)
    assert len(bytecode([file for listed in files for file in listed])) == 3
