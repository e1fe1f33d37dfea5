"""Run a program and learn how long it took, when it first spoke, and how much memory its tree had at most."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Ran:
    """A program that ended well."""

    seconds: float
    first_output: float
    """Seconds until its first byte on stdout; as long as it ran when it printed nothing."""
    peak_mib: float
    """Most memory of its whole process tree (proportional set size) at any one sample."""
    stdout: str


class FailedError(Exception):
    """A program ended badly."""


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    sample_memory: bool = False,
) -> Ran:
    """Run to the end.

    Raises:
        FailedError: it ended with another code than 0; carries what it said.
    """
    began = time.perf_counter()
    first = 0.0
    chunks = []
    with subprocess.Popen(
        [str(word) for word in command],
        env=_usual_environment() | dict(environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin  # noqa: S101 - for the type checker: it is a pipe
        assert process.stdout  # noqa: S101
        assert process.stderr  # noqa: S101
        sampler = Sampler(process.pid) if sample_memory else None
        talk = _Drain(process.stderr.fileno())
        process.stdin.write(stdin)
        process.stdin.close()
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            first = first or time.perf_counter() - began
            chunks.append(chunk)
        code = process.wait()
        seconds = time.perf_counter() - began
        peak = sampler.stop() if sampler else 0.0
        talk.join()
    if code:
        said = b"".join(talk.chunks)[-3000:].decode(errors="replace")
        shown = " ".join(map(str, command))
        raise FailedError(f"exit code {code} of: {shown}\n{said}")
    return Ran(seconds, first or seconds, peak, b"".join(chunks).decode(errors="replace"))


def _usual_environment() -> dict[str, str]:
    """Ours, but Python may keep its bytecode, as it does for whoever installed the package."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class _Drain(threading.Thread):
    """Reads a stream to its end, so that nobody waits for a full pipe."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self.chunks: list[bytes] = []
        self._descriptor = descriptor
        self.start()

    def run(self) -> None:
        """Read until the other side is closed."""
        while chunk := os.read(self._descriptor, 1 << 16):
            self.chunks.append(chunk)


class Sampler(threading.Thread):
    """Adds up the memory of a process and all it started, fifty times a second.

    Orphans come to us (`PR_SET_CHILD_SUBREAPER`), so a daemon of the tree is not lost from sight.
    """

    INTERVAL = 0.02

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._pid = pid
        self._seen = {pid}
        self._done = threading.Event()
        self.peak_bytes = 0
        self.start()

    def run(self) -> None:
        """Sample until told to stop."""
        while not self._done.wait(self.INTERVAL):
            self.peak_bytes = max(self.peak_bytes, sum(map(memory_of, self._tree())))

    def stop(self) -> float:
        """The peak in MiB."""
        self._done.set()
        self.join()
        return self.peak_bytes / 2**20

    def _tree(self) -> set[int]:
        """The process, its descendants, and descendants seen before whose parent has gone."""
        parents = dict(_parents())
        self._seen &= parents.keys()
        grew = True
        while grew:
            new = {pid for pid, parent in parents.items() if parent in self._seen} - self._seen
            self._seen |= new
            grew = bool(new)
        return self._seen


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        found.append(
            (int(folder.name), int(stat.rpartition(")")[2].split()[1]))
        )  # proc_pid_stat(5): state, ppid
    return found


def memory_of(pid: int) -> int:
    """Bytes of one process, shared pages divided among those who share them; 0 when it has gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
