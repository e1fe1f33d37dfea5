from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from openhands_recipes.adapters import blobs as module
from openhands_recipes.adapters.atomic import atomic_file, atomic_write
from openhands_recipes.adapters.blobs import BlobStore, Stopped
from openhands_recipes.adapters.cache_dir import CacheDir, cache_error
from openhands_recipes.errors import OutsideError, VerificationError
from openhands_recipes.model.digest import digest_of, hex_of


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(CacheDir(tmp_path / "cache"))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# --- the cache folder ----------------------------------------------------------------------------


def test_the_cache_is_where_ohr_cache_says(tmp_path: Path) -> None:
    assert CacheDir.default({"OHR_CACHE": str(tmp_path), "XDG_CACHE_HOME": "/x"}).root == tmp_path


def test_the_cache_is_below_xdg_cache_home(tmp_path: Path) -> None:
    assert CacheDir.default({"XDG_CACHE_HOME": str(tmp_path)}).root == tmp_path / "openhands-recipes"


def test_a_relative_xdg_cache_home_is_ignored(tmp_path: Path) -> None:
    found = CacheDir.default({"XDG_CACHE_HOME": "here", "HOME": str(tmp_path)}).root
    assert found == tmp_path / ".cache" / "openhands-recipes"


def test_the_environment_of_the_process_decides_by_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OHR_CACHE", str(tmp_path))
    assert CacheDir.default().root == tmp_path


def test_a_cache_that_is_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(OutsideError, match="cannot be written") as caught:
        CacheDir(tmp_path / "cache").folder("blobs")
    assert caught.value.where == str(tmp_path / "cache" / "blobs")
    assert "OHR_CACHE" in (caught.value.hint or "")


def test_a_read_only_cache_is_an_error_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(OutsideError, match="Permission denied"):
        CacheDir(tmp_path).folder("blobs")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_folder_and_bytes(number: int, tmp_path: Path) -> None:
    error = cache_error(OSError(number, os.strerror(number)), tmp_path, needed=12345)
    assert "no room left for the cache: 12,345 bytes are needed" in error.message
    assert error.where == str(tmp_path)


# --- atomic files --------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "f", b"old", durable=True)
    with pytest.raises(TypeError), atomic_file(tmp_path / "f") as stream:
        stream.writelines([b"new", "not bytes"])  # type: ignore[list-item]
    assert (tmp_path / "f").read_bytes() == b"old"
    assert files(tmp_path) == ["f"]


def test_an_atomic_write_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic_write(tmp_path / "f", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


# --- blobs ---------------------------------------------------------------------------------------


def test_an_added_blob_is_found_under_its_digest(store: BlobStore) -> None:
    digest = store.add(b"hello")
    path = store.path(digest)
    assert path is not None
    assert path.read_bytes() == b"hello"
    assert str(path).endswith(f"blobs/sha256/{hex_of(digest)[:2]}/{hex_of(digest)}")
    assert store.add(b"hello") == digest


def test_an_unknown_blob_is_none(store: BlobStore) -> None:
    assert store.path(digest_of(b"never")) is None


def test_a_blob_with_another_size_than_promised_is_removed(store: BlobStore) -> None:
    path = store.path(store.add(b"hello"))
    assert path is not None
    path.write_bytes(b"hel")
    assert store.path(digest_of(b"hello"), size=5) is None
    assert not path.exists()


def test_an_empty_file_that_a_power_cut_left_is_no_blob(store: BlobStore) -> None:
    path = store.path(store.add(b"hello"))
    assert path is not None
    path.write_bytes(b"")
    assert store.path(digest_of(b"hello")) is None
    assert store.path(store.add(b"")) is not None


def test_a_finished_file_is_adopted_by_renaming(store: BlobStore) -> None:
    file = store.temporary("x")
    file.write_bytes(b"adopted")
    path = store.adopt(file, digest_of(b"adopted"))
    assert path == store.path(digest_of(b"adopted"))
    assert not file.exists()


def test_adopting_a_missing_file_is_an_error(store: BlobStore) -> None:
    with pytest.raises(OutsideError, match="cannot be written"):
        store.adopt(store.temporary("x"), digest_of(b"adopted"))


def test_a_discarded_blob_is_gone(store: BlobStore) -> None:
    digest = store.add(b"hello")
    store.discard(digest)
    assert store.path(digest) is None


def test_a_failed_add_leaves_nothing(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(content[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutsideError, match="5 bytes are needed"):
        store.add(b"hello")
    assert files(tmp_path) == []


# --- partial files -------------------------------------------------------------------------------


def test_a_partial_file_is_continued_and_becomes_a_blob(store: BlobStore) -> None:
    digest = digest_of(b"hello world")
    first = store.partial(digest)
    assert first is not None
    with first:
        first.write(b"hello")
    assert store.path(digest) is None
    assert store.partial_size(digest) == 5
    second = store.partial(digest)
    assert second is not None
    with second:
        assert second.size == 5
        second.write(b" world")
        path = second.finish()
    assert path.read_bytes() == b"hello world"
    assert store.partial(digest) is None
    assert store.partial_size(digest) == 0


def test_a_blob_that_cannot_be_put_in_its_place_is_an_error(store: BlobStore, tmp_path: Path) -> None:
    partial = store.partial(digest_of(b"x"))
    assert partial is not None
    (tmp_path / "cache" / "blobs").write_text("in the way")
    with partial:
        partial.write(b"x")
        with pytest.raises(OutsideError, match="cannot be written"):
            partial.finish()


def test_a_partial_file_that_cannot_be_opened_is_an_error(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "cache" / "partial" / hex_of(digest_of(b"x"))).mkdir(parents=True)
    with pytest.raises(OutsideError, match="Is a directory"):
        store.partial(digest_of(b"x"))


def test_wrong_bytes_never_become_a_blob(store: BlobStore) -> None:
    partial = store.partial(digest_of(b"good"))
    assert partial is not None
    with partial:
        partial.write(b"evil")
        with pytest.raises(VerificationError, match="promised digest"):
            partial.finish()
        assert partial.size == 0
    assert store.path(digest_of(b"good")) is None


def test_a_second_worker_waits_and_then_finds_the_blob(store: BlobStore) -> None:
    digest = digest_of(b"x")
    first = store.partial(digest)
    assert first is not None
    seen: list[object] = []
    waiting = threading.Thread(target=lambda: seen.append(store.partial(digest)))
    with first:
        waiting.start()
        time.sleep(0.15)
        assert waiting.is_alive()
        first.write(b"x")
        first.finish()
    waiting.join(5)
    assert seen == [None]


def test_waiting_ends_when_told_to_stop(store: BlobStore) -> None:
    digest = digest_of(b"x")
    stop = threading.Event()
    stop.set()
    first = store.partial(digest)
    assert first is not None
    with first, pytest.raises(Stopped):
        store.partial(digest, stop=stop)


def test_a_lock_ends_with_its_partial_even_if_a_child_was_forked_meanwhile(store: BlobStore) -> None:
    digest = digest_of(b"x")
    first = store.partial(digest)
    assert first is not None
    with first:
        inherited = os.dup(first._descriptor)
    again = store.partial(digest)
    assert again is not None
    with again:
        pass
    os.close(inherited)


def test_a_partial_left_beside_its_blob_is_cleared_away(store: BlobStore, tmp_path: Path) -> None:
    digest = digest_of(b"x")

    def sneaky(descriptor: int) -> bool:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        store.add(b"x")
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_locked", sneaky)
        assert store.partial(digest) is None
    assert files(tmp_path / "cache" / "partial") == []


def test_left_over_temporary_files_are_swept_after_a_day(tmp_path: Path) -> None:
    cache = CacheDir(tmp_path)
    old, new = cache.folder("partial") / ".a.1.tmp", cache.folder("partial") / ".b.1.tmp"
    old.write_bytes(b"")
    new.write_bytes(b"")
    os.utime(old, (1, 1))
    BlobStore(cache).add(b"x")
    assert not old.exists()
    assert new.exists()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.digest import digest_of
from pathlib import Path
store, content = BlobStore(CacheDir(Path(sys.argv[1]))), bytes(300_000)
try:
    store.add(content)
except OutsideError as error:
    print(error.message)
partial = store.partial(digest_of(content))
with partial:
    try:
        partial.write(content)
    except OutsideError as error:
        print(error.message)
assert store.path(digest_of(content)) is None
print(store.partial_size(digest_of(content)))
"""


def test_a_write_that_does_not_fit_makes_nothing_visible(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    first, second, size = done.stdout.splitlines()
    assert first == "no room left for the cache: 300,000 bytes are needed (File too large)"
    assert second.startswith("no room left for the cache: 200,000 bytes are needed")
    assert size == "100000"
    assert files(tmp_path / "blobs") == []
