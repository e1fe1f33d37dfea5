"""Run one test of a recipe inside a Nix build and judge it as `ohr test` does.

    judge.py BASH EXPORTS CASE

BASH runs the test, EXPORTS is sourced before it, CASE is the test as recipe.json has it. Needs nothing but
Python's own library. Exit code 0: the test passed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = '. "$1" && exec "$BASH" -euo pipefail -c "$2"'
DEFAULT_TIMEOUT = 60


def mismatches(check: dict[str, str] | None, text: str) -> list[str]:
    """What is not as promised in one stream."""
    found = []
    for kind, wanted in (check or {}).items():
        if wanted is None:
            continue
        if kind == "equals" and text.removesuffix("\n") != wanted.removesuffix("\n"):
            found.append(f"is not {wanted!r}")
        if kind == "contains" and wanted not in text:
            found.append(f"does not contain {wanted!r}")
        if kind == "matches" and not re.search(wanted, text, re.MULTILINE):
            found.append(f"does not match {wanted!r}")
    return found


def environment(bash: str, home: str) -> dict[str, str]:
    """What a test sees of the build around it: the tools of every build, locales, and a home of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "LOCALE_ARCHIVE", "LOCPATH") if name in os.environ}
    return kept | {"HOME": home, "TMPDIR": home, "USER": "nixbld", "SHELL": bash}


def run(command: list[str], seconds: float) -> tuple[int | None, str, str]:
    """Exit code (None: no end in time), output and errors; nothing the test started goes on."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(command[0], home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        code: int | None
        try:
            stdout, stderr = process.communicate(timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            code = None
    return code, stdout.decode(errors="replace"), stderr.decode(errors="replace")


def main(bash: str, exports: str, case: str) -> int:
    """Say what the test said, and what is wrong with it."""
    test = json.loads(Path(case).read_text(encoding="utf-8"))
    timeout = test.get("timeout", DEFAULT_TIMEOUT)
    code, stdout, stderr = run([bash, "-c", SCRIPT, "test", exports, test["run"]], timeout)
    wanted = test.get("exit_code", 0)
    reasons = [f"no end after {timeout} s"] if code is None else []
    if code is not None and code != wanted:
        reasons.append(f"exit code {code}, not {wanted}")
    reasons += [f"stdout {reason}" for reason in mismatches(test.get("stdout"), stdout)]
    reasons += [f"stderr {reason}" for reason in mismatches(test.get("stderr"), stderr)]
    talk = sys.stderr if reasons else sys.stdout
    print(f"{test['name']}: {'; '.join(reasons) or 'passed'}", file=talk)
    for name, text in (("stdout", stdout), ("stderr", stderr)):
        if reasons and text:
            print(f"--- {name}\n{text.rstrip()}", file=talk)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
