"""`make verify`: the whole matrix, one step at a time; goes on where it stopped.

The report, reports/verify.json, is evidence: commit, commands, dates, verdicts. A step that passed for
exactly this tree is not run again (`--fresh` runs all). Every step's talk is kept in reports/verify/.
Exit code 1 when a step failed; what this machine lacks is listed and is no failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.harness import TREE, LackingError, header, say
from bench.processes import FailedError
from bench.verify_steps import Matrix, Step, StepError, steps


def tree_key() -> str:
    """What is being verified: the commit, and what differs from it."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", "-C", str(TREE), *arguments], check=True, capture_output=True).stdout

    changes = git("diff", "HEAD", "--binary") + git("status", "--porcelain", "--untracked-files=all")
    commit = git("rev-parse", "HEAD").decode().strip()
    return f"{commit}+{hashlib.sha256(changes).hexdigest()[:12]}" if changes else commit


class Report:
    """reports/verify.json: read when it is about this tree, written after every step."""

    def __init__(self, path: Path, key: str, *, fresh: bool) -> None:
        self.path = path
        self.content: dict[str, Any] = header() | {"tree": key, "steps": {}}
        if not fresh and path.exists():
            before = json.loads(path.read_text())
            if before.get("tree") == key:
                self.content["steps"] = before["steps"]
        self.steps: dict[str, dict[str, Any]] = self.content["steps"]

    def passed(self, step: Step) -> bool:
        """Whether it passed before."""
        return self.steps.get(step.name, {}).get("verdict") == "pass"

    def keep(self, step: Step, **told: object) -> None:
        """Note how a step ended."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.steps[step.name] = {"what": step.what, "date": stamp, **told}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content, indent=2).replace(f"{TREE}/", "").replace(str(Path.home()), "~")
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text(text + "\n")
        unfinished.replace(self.path)


def log_file(folder: Path, step: Step) -> Path:
    """Where a step's talk goes."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^a-z0-9]+", "-", step.name.lower()).strip("-") + ".log")


def run_step(step: Step, matrix: Matrix, report: Report, logs: Path) -> str:
    """Run one step and note its verdict."""
    began = time.monotonic()
    matrix.log = log_file(logs, step)
    matrix.commands.clear()
    matrix.log.write_text("")
    detail = ""
    try:
        detail = step.run(matrix)
        verdict = "pass"
    except LackingError as error:
        verdict, detail = "lacks", f"this machine lacks {error}"
    except (StepError, FailedError, OSError, subprocess.SubprocessError) as error:
        verdict, detail = "fail", str(error)[-2000:]
    seconds = round(time.monotonic() - began, 1)
    commands = list(matrix.commands)
    report.keep(step, verdict=verdict, detail=detail, seconds=seconds, commands=commands)
    say(f"{verdict:5} {step.name} ({seconds} s) {detail.splitlines()[-1] if detail else ''}")
    return verdict


def main() -> int:
    """Run what has not passed yet."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="only steps whose name holds this (regex)")
    parser.add_argument("--fresh", action="store_true", help="forget what passed before")
    parser.add_argument("--list", action="store_true", help="print the steps and leave")
    arguments = parser.parse_args()
    chosen = [step for step in steps() if re.search(arguments.pattern, step.name)]
    if arguments.list:
        print("\n".join(f"{step.name}: {step.what}" for step in chosen))
        return 0
    key = tree_key()
    report = Report(TREE / "reports" / "verify.json", key, fresh=arguments.fresh)
    with Matrix(key, report.steps) as matrix:
        for step in chosen:
            if not report.passed(step):
                run_step(step, matrix, report, TREE / "reports" / "verify")
    return conclude(report, chosen)


def conclude(report: Report, chosen: list[Step]) -> int:
    """The closing lines; exit code."""
    verdicts = {step.name: report.steps[step.name]["verdict"] for step in chosen}
    for name, verdict in verdicts.items():
        if verdict != "pass":
            print(f"{verdict}: {name}: {report.steps[name]['detail'].splitlines()[-1:]}")
    counts = {kind: list(verdicts.values()).count(kind) for kind in ("pass", "fail", "lacks")}
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['lacks']} lacking on this machine")
    return int(counts["fail"] > 0)


if __name__ == "__main__":
    sys.exit(main())
