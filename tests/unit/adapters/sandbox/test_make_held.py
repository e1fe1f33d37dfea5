from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from openhands_recipes.adapters.sandbox.unpack import make_held


def is_locked(folder: Path) -> bool:
    other = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(other)
    return False


def test_a_folder_is_locked_as_long_as_its_descriptor_is_open(tmp_path: Path) -> None:
    held = make_held(str(tmp_path / "new"))
    assert is_locked(tmp_path / "new")
    os.close(held)
    assert not is_locked(tmp_path / "new")


def test_a_folder_kept_from_before_is_taken_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "kept" / "data").mkdir(parents=True)
    held = make_held(str(tmp_path / "kept"))
    assert (tmp_path / "kept" / "data").is_dir()
    os.close(held)


@pytest.mark.parametrize("moment", ["before it is opened", "before it is locked", "and made by another"])
def test_a_folder_that_a_sweeper_takes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    folder = tmp_path / "new"
    swept: list[str] = []

    def sweep() -> None:
        if not swept:
            swept.append(moment)
            folder.rmdir()
            if moment == "and made by another":
                (tmp_path / "other").mkdir()
                (tmp_path / "other").rename(folder)

    real_open, real_flock = os.open, fcntl.flock

    def opening(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if moment == "before it is opened":
            sweep()
        return real_open(path, flags, dir_fd=dir_fd)

    def locking(held: int, how: int) -> None:
        if moment != "before it is opened":
            sweep()
        real_flock(held, how)

    monkeypatch.setattr("openhands_recipes.adapters.sandbox.unpack.os.open", opening)
    monkeypatch.setattr("openhands_recipes.adapters.sandbox.unpack.fcntl.flock", locking)
    held = make_held(str(folder))
    monkeypatch.undo()
    assert swept
    assert os.path.samestat(os.fstat(held), folder.stat())
    assert is_locked(folder)
    os.close(held)
