from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

import pytest

from openhands_recipes.adapters.clock import SystemClock
from openhands_recipes.adapters.evidence import EvidenceLedger, this_machine


def lines(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_records_are_appended_as_lines_of_json(tmp_path: Path) -> None:
    ledger = EvidenceLedger(tmp_path / "state" / "evidence.jsonl")
    ledger.append({"verb": "build", "recipe": "größe"})
    ledger.append({"verb": "test"})
    assert lines(ledger.path) == [{"verb": "build", "recipe": "größe"}, {"verb": "test"}]


def test_the_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    EvidenceLedger(tmp_path / "evidence.jsonl").append({})
    assert (tmp_path / "evidence.jsonl").stat().st_mode & 0o077 == 0


def test_parallel_runs_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"

    def run() -> None:
        for _ in range(50):
            EvidenceLedger(path).append({"x": "y" * 500})

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(path)) == 200


def test_a_line_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"
    path.write_text('{"verb": "bui')
    EvidenceLedger(path).append({"verb": "test"})
    assert path.read_text().splitlines() == ['{"verb": "bui', '{"verb":"test"}']


def test_a_ledger_that_cannot_be_written_only_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    logging.getLogger("openhands_recipes").propagate = True
    EvidenceLedger(tmp_path / "file" / "evidence.jsonl").append({})
    assert "no evidence kept" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_only_warns(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("openhands_recipes").propagate = True
    EvidenceLedger(Path("/dev/full")).append({})
    assert "No space left" in caplog.text


def test_the_machine_class_fits_this_machine() -> None:
    machine = this_machine()
    assert machine.cpus >= 1
    assert machine.root == (os.geteuid() == 0)


def test_the_clock_speaks_utc_and_never_runs_backwards() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.now().utcoffset() is not None
    assert str(clock.now().tzinfo) == "UTC"
    assert clock.monotonic() >= first
