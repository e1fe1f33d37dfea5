from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.leftovers import DAY, SWEPT, sweep_once_a_day


def left_over(path: Path, *, age: float) -> Path:
    """A file as a killed run leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


@pytest.mark.parametrize("area", SWEPT)
def test_what_a_killed_run_left_yesterday_is_removed_wherever_it_lies(tmp_path: Path, area: str) -> None:
    old = left_over(tmp_path / area / "ab" / ".abcd.json.17.0a0b0c0d.tmp", age=DAY + 60)
    fresh = left_over(tmp_path / area / "ab" / ".abce.json.17.0a0b0c0d.tmp", age=DAY - 600)
    real = left_over(tmp_path / area / "ab" / "abcd.json", age=3 * DAY)
    sweep_once_a_day(tmp_path)
    assert (old.exists(), fresh.exists(), real.exists()) == (False, True, True)


def test_it_is_looked_for_once_a_day(tmp_path: Path) -> None:
    sweep_once_a_day(tmp_path)
    old = left_over(tmp_path / "layers" / ".x.17.0a0b0c0d.tmp", age=2 * DAY)
    sweep_once_a_day(tmp_path)
    assert old.exists()
    os.utime(tmp_path / "records" / ".swept", (time.time() - DAY - 1,) * 2)
    sweep_once_a_day(tmp_path)
    assert not old.exists()


def test_a_stamp_from_the_future_does_not_stop_it_for_good(tmp_path: Path) -> None:
    sweep_once_a_day(tmp_path)
    os.utime(tmp_path / "records" / ".swept", (time.time() + 30 * DAY,) * 2)
    old = left_over(tmp_path / "images" / ".x.17.0a0b0c0d.tmp", age=2 * DAY)
    sweep_once_a_day(tmp_path)
    assert not old.exists()


def test_whoever_writes_to_the_cache_sweeps_it(tmp_path: Path) -> None:
    old = left_over(tmp_path / "fragments" / "ab" / ".x.17.0a0b0c0d.tmp", age=2 * DAY)
    BlobStore(CacheDir(tmp_path)).add(b"something")
    assert not old.exists()


def test_a_cache_that_cannot_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("no folder at all")
    old = left_over(tmp_path / "layers" / ".x.17.0a0b0c0d.tmp", age=2 * DAY)
    sweep_once_a_day(tmp_path)
    assert not old.exists()
