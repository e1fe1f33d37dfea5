from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from openhands_recipes.adapters.cache_upkeep import areas, clean, clean_unused
from openhands_recipes.errors import OutsideError, UsageError


def nothing() -> None:
    """Stands for a sandbox engine without trees."""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    for name in ("blobs/sha256/ab", "fragments/cd", "sandbox/1-1/trees"):
        (root / name).mkdir(parents=True)
    (root / "blobs/sha256/ab/abcd").write_bytes(b"x" * 5000)
    (root / "fragments/cd/cdef.tar").write_bytes(b"y" * 5000)
    (root / "fragments/cd/link").symlink_to("/etc/passwd")
    return root


def test_every_area_is_told_with_its_files_and_size(cache: Path) -> None:
    found = {area.name: area for area in areas(cache)}
    assert list(found) == ["blobs", "fragments", "sandbox"]
    assert (found["blobs"].files, found["fragments"].files, found["sandbox"].files) == (1, 2, 0)
    assert found["blobs"].size >= 5000


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert areas(tmp_path / "none") == ()
    clean(tmp_path / "none", clear_sandboxes=nothing)


def test_clearing_removes_everything_and_asks_for_the_sandboxes(cache: Path) -> None:
    asked = []
    clean(cache, clear_sandboxes=lambda: asked.append("sandboxes"))
    assert (list(cache.iterdir()), asked) == ([], ["sandboxes"])


def test_a_folder_with_strange_things_is_left_alone(cache: Path) -> None:
    (cache / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        clean(cache, clear_sandboxes=nothing)
    with pytest.raises(UsageError):
        clean_unused(cache, 0)
    assert (cache / "blobs/sha256/ab/abcd").exists()


def test_only_what_nobody_used_for_so_long_is_removed(cache: Path) -> None:
    long_ago = time.time() - 40 * 86400
    os.utime(cache / "blobs/sha256/ab/abcd", (long_ago, long_ago))
    os.utime(cache / "fragments/cd/cdef.tar", (time.time(), long_ago))
    clean_unused(cache, 30)
    assert not (cache / "blobs/sha256/ab/abcd").exists()
    assert (cache / "fragments/cd/cdef.tar").exists()


def test_what_cannot_be_removed_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("openhands_recipes.adapters.cache_upkeep.shutil.rmtree", refuse)
    with pytest.raises(OutsideError, match="could not be cleared"):
        clean(cache, clear_sandboxes=nothing)


@pytest.fixture
def nix(cache: Path) -> Path:
    store = cache / "nix" / "1-1"
    (store / "nix" / "store" / "hello" / "bin").mkdir(parents=True)
    (store / "nix" / "store" / "hello" / "bin" / "hello").touch()
    for folder in ("hello/bin", "hello"):
        (store / "nix" / "store" / folder).chmod(0o555)
    (store / "lock").touch()
    (cache / "nix" / "flakes" / "ab").mkdir(parents=True)
    return store


def test_a_store_of_nix_is_removed_although_its_folders_are_read_only(cache: Path, nix: Path) -> None:
    clean(cache, clear_sandboxes=nothing)
    assert not nix.parent.exists()


def test_a_store_of_nix_in_use_stays(cache: Path, nix: Path) -> None:
    with (nix / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        clean(cache, clear_sandboxes=nothing)
        assert (nix / "nix" / "store" / "hello" / "bin" / "hello").exists()
    clean(cache, clear_sandboxes=nothing)
    assert not nix.exists()


def test_a_store_of_nix_that_nobody_used_for_so_long_goes_as_a_whole(cache: Path, nix: Path) -> None:
    clean_unused(cache, 30)
    assert (nix / "nix" / "store" / "hello").exists()
    os.utime(nix / "lock", (0, time.time() - 40 * 86400))
    clean_unused(cache, 30)
    assert not nix.exists()
    assert (cache / "nix" / "flakes").exists()
