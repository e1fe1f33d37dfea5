"""What a bench is, how often it runs, and what is reported of it: medians, ratios, verdicts."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parent.parent
OURS = "ohr"

Once = Callable[[], float]
"""Does the thing once; the number that counts (mostly seconds)."""


class LackingError(Exception):
    """This machine lacks what the bench or a peer needs."""


@dataclass(frozen=True)
class Target:
    """What must hold: at most (or at least) `limit`, of ours alone or as a ratio to a peer."""

    limit: float
    peer: str = ""
    at_least: bool = False

    def text(self, unit: str) -> str:
        """As the table shows it: `<= 0.2 s`, `<= 0.5 x docker`."""
        sign = ">=" if self.at_least else "<="
        if self.peer:
            return f"{sign} {self.limit:g} x {self.peer}"
        return f"{sign} {self.limit:g} {unit}".rstrip()

    def met(self, medians: dict[str, float]) -> bool | None:
        """Whether it holds; None where the peer is missing."""
        if OURS not in medians or (self.peer and self.peer not in medians):
            return None
        value = medians[OURS] / (medians[self.peer] if self.peer else 1)
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass
class Bench:
    """One thing that is measured: ours and peers take turns, so that a busy minute hits them alike."""

    name: str
    what: str
    unit: str
    ours: Once
    peers: dict[str, Once] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    runs: int = 5
    facts: dict[str, Any] = field(default_factory=dict)
    """Other numbers learned on the way; filled in while it runs."""
    missing: dict[str, str] = field(default_factory=dict)
    """Peers this machine cannot have, and why."""

    def measure(self, *, runs: int | None = None) -> dict[str, Any]:
        """Run all of them in turns; what the report says about it."""
        taken: dict[str, list[float]] = {}
        contestants = {OURS: self.ours, **self.peers}
        for turn in range(runs or self.runs):
            for name, once in contestants.items():
                say(f"{self.name}: {name}, run {turn + 1} of {runs or self.runs}")
                taken.setdefault(name, []).append(once())
        return self.report(taken)

    def report(self, taken: dict[str, list[float]]) -> dict[str, Any]:
        """Medians, ratios and verdicts of the numbers taken."""
        medians = {name: statistics.median(numbers) for name, numbers in taken.items()}
        ours = medians[OURS]
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "median": ours,
            "runs": taken[OURS],
            "peers": {
                name: {"median": medians[name], "ratio": ours / medians[name], "runs": taken[name]}
                for name in self.peers
            },
            "targets": [{"text": t.text(self.unit), "met": t.met(medians)} for t in self.targets],
            "facts": self.facts,
            "missing": self.missing,
        }


def say(text: str) -> None:
    """Talk goes to stderr; the table is the result."""
    print(f"== {text}", file=sys.stderr, flush=True)


def header() -> dict[str, Any]:
    """What the numbers were taken with and on."""
    described = subprocess.run(
        ["git", "-C", str(TREE), "describe", "--always", "--dirty", "--abbrev=40"],
        check=False,
        capture_output=True,
        text=True,
    )
    return {
        "schema": 1,
        "commit": described.stdout.strip(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)),
        "arch": platform.machine(),
        "kernel": platform.release(),
        "root": os.geteuid() == 0,
    }


def number(value: float) -> str:
    """Three figures that matter."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(reports: Sequence[dict[str, Any]]) -> str:
    """All results as people read them."""
    rows: list[tuple[str, ...]] = [("bench", "ours", "peer", "its", "ratio", "target", "met")]
    for report in reports:
        rows.extend(_rows(report))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    if "failed" in report:
        return [(report["name"], "failed", "", "", "", report["failed"].splitlines()[0], "NO")]
    if "lacking" in report:
        return [(report["name"], "-", "", "", "", f"this machine lacks {report['lacking']}", "-")]
    ours = f"{number(report['median'])} {report['unit']}"
    verdict = {True: "yes", False: "NO", None: "-"}
    peers = [
        (name, f"{number(peer['median'])} {report['unit']}", f"{peer['ratio']:.2f}")
        for name, peer in report["peers"].items()
    ]
    peers += [(name, "-", why) for name, why in report["missing"].items()]
    targets = [(target["text"], verdict[target["met"]]) for target in report["targets"]]
    rows = []
    for at in range(max(1, len(peers), len(targets))):
        first = (report["name"], ours) if at == 0 else ("", "")
        peer = peers[at] if at < len(peers) else ("", "", "")
        target = targets[at] if at < len(targets) else ("", "")
        rows.append((*first, *peer, *target))
    return rows


def write_report(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """The same as JSON, for comparing runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(header() | {"benches": list(reports)}, indent=2) + "\n")
