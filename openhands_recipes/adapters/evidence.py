"""The local ledger of evidence: a file of JSON lines that is only ever appended to.

Nothing is uploaded and nothing is rotated: a record is a few hundred bytes.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openhands_recipes.model.evidence import MachineClass

log = logging.getLogger(__name__)


class EvidenceLedger:
    """`ports.Evidence` over `evidence.jsonl` in the state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record as one line; a ledger that cannot be written only warns.

        One `write` on a locked file opened for appending, so that parallel runs never mix their lines. A
        line cut short by a full disk is closed by the next record, and readers skip it.
        """
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                written = os.write(handle, _closing_cut_line(handle) + line)
            finally:
                os.close(handle)
        except OSError as error:
            log.warning("no evidence kept in %s: %s", self.path, error.strerror or error)
            return
        if written < len(line):
            log.warning("evidence cut short in %s: the disk is full", self.path)


def _closing_cut_line(handle: int) -> bytes:
    size = os.fstat(handle).st_size
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""


def this_machine() -> MachineClass:
    """The class of the machine this process runs on."""
    return MachineClass(
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        arch=platform.machine(),
        kernel=platform.release(),
        root=os.geteuid() == 0,
    )
