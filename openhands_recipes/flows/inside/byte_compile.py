"""Compiles Python sources to bytecode, always to the same bytes. Run by the image's own Python.

Standard input is JSON: `{"jobs": 2, "parts": [["/opt/x/a.py", ...], ...]}`. What is no valid Python of
this version (templates, other versions' sources) is named on standard error and left out, as pip does;
anything else that goes wrong ends with exit code 2.

Marshal writes whether a constant is shared, and that depends on every string the process has interned
before (CPython, `intern_constants`): the same source compiled after another gives other bytes. So each
few files of a part are compiled, in order, by a process forked for them alone.
"""

from __future__ import annotations

import json
import os
import py_compile
import sys
from collections.abc import Iterator, Sequence

FILES_PER_PROCESS = 48
"""Decides bytes: whoever changes it changes the rules of bytecode."""

MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH


def chunks(parts: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """What one process compiles: neighbours of one part."""
    for part in parts:
        files = sorted(part)
        for start in range(0, len(files), FILES_PER_PROCESS):
            yield files[start : start + FILES_PER_PROCESS]


def compile_all(files: Sequence[str]) -> None:
    """Write the .pyc of every file that is valid Python."""
    for file in files:
        try:
            py_compile.compile(file, doraise=True, invalidation_mode=MODE)
        except (py_compile.PyCompileError, ValueError, RecursionError, MemoryError) as error:
            sys.stderr.write(f"left out {file}: {type(error).__name__}\n")


def forked(files: Sequence[str]) -> int:
    """Compile in a process of its own; its id."""
    child = os.fork()
    if child:
        return child
    code = 2
    try:
        compile_all(files)
        sys.stderr.flush()
        code = 0
    except OSError as error:
        sys.stderr.write(f"{error}\n")
    finally:
        os._exit(code)


def main() -> int:
    """Compile everything, `jobs` processes at a time."""
    if os.environ.get("PYTHONHASHSEED") != "0" or sys.flags.ignore_environment:
        sys.stderr.write("PYTHONHASHSEED must be 0\n")
        return 2
    os.umask(0o022)
    os.nice(10)  # dpkg may be configuring beside us, and is what the build waits for
    order = json.load(sys.stdin)
    running = 0
    for files in chunks(order["parts"]):
        if running >= order["jobs"]:
            running -= 1
            if os.wait()[1]:
                return 2
        forked(files)
        running += 1
    while running:
        running -= 1
        if os.wait()[1]:
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
