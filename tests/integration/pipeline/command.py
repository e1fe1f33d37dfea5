"""The command `ohr` as a user types it, run in this process so that coverage sees it."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhands_recipes.cli.main import run_with


@dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Ohr:
    """The command over one project and one cache."""

    root: Path
    cache: Path

    def __call__(self, *arguments: str, expect: int | None = 0) -> Result:
        out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO())
        options = ["--root", str(self.root), "--cache", str(self.cache), "--color", "never"]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = run_with([*options, *arguments])
                except SystemExit as left:
                    code = int(left.code or 0)
        finally:
            sys.stdin = stdin
        result = Result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))
        if expect is not None:
            assert code == expect, f"ohr {' '.join(arguments)}: {result.stdout}\n{result.stderr}"
        return result

    def with_cache(self, cache: Path) -> Ohr:
        return Ohr(self.root, cache)

    def build(self, name: str, *more: str) -> Any:
        return self("build", name, "--format", "json", *more).json
