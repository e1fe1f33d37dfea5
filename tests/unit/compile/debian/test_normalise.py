from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.debian.normalise import Change, Reader, normalise
from openhands_recipes.model.fragment import Entry, Kind

EPOCH = 1_700_000_000


def file(path: str, content: bytes = b"x", **more: object) -> Change:
    entry = Entry(path, Kind.FILE, size=len(content), mtime=123)._replace(**more)  # type: ignore[arg-type]
    return entry, reader(content)


def reader(content: bytes) -> Reader:
    def read() -> Iterator[bytes]:
        yield content

    return read


def folder(path: str, mode: int = 0o755) -> Change:
    return Entry(path, Kind.DIRECTORY, mode, mtime=5), None


def known(path: str, content: bytes = b"x") -> dict[str, Entry]:
    digest = hashlib.sha256(content).hexdigest()
    return {path: Entry(path, Kind.FILE, size=len(content), mtime=9, sha256=digest)}


def paths(changes: list[Change], below: dict[str, Entry] | None = None) -> list[str]:
    return [entry.path for entry, _ in normalise(changes, below or {}, epoch=EPOCH)]


def test_logs_caches_backups_locks_and_scratch_are_left_out() -> None:
    gone = ["var/log/dpkg.log", "var/cache/ldconfig/aux-cache", "etc/passwd-", "var/lib/dpkg/status-old"]
    gone += ["var/cache/debconf/config.dat-old", "run/x", "tmp/x", "var/lib/dpkg/lock", "var/lib/apt/lists/x"]
    kept = ["etc/passwd", "var/cache/debconf/config.dat", "var/lib/dpkg/status"]
    assert paths([file(path) for path in gone + kept]) == kept


def test_empty_log_files_with_their_owners_stay() -> None:
    assert paths([file("var/log/btmp", b"")]) == ["var/log/btmp"]


def test_every_time_becomes_the_epoch() -> None:
    assert {e.mtime for e, _ in normalise([file("etc/a"), folder("etc")], {}, epoch=EPOCH)} == {EPOCH}


def test_a_file_that_was_only_touched_is_no_change() -> None:
    assert paths([folder("etc"), file("etc/a")], known("etc/a") | {"etc": folder("etc")[0]}) == []


def test_a_file_with_another_mode_or_content_is_a_change() -> None:
    assert paths([file("etc/a", mode=0o600)], known("etc/a")) == ["etc/a"]
    assert paths([file("etc/a", b"y")], known("etc/a")) == ["etc/a"]


def test_folders_stay_for_what_is_below_or_for_their_own_mode() -> None:
    below = {"etc": folder("etc")[0], "opt": folder("opt")[0]}
    assert paths([folder("etc"), file("etc/a"), folder("opt")], below) == ["etc", "etc/a"]
    assert paths([folder("opt", 0o700)], below) == ["opt"]


def test_folders_of_run_stay_without_their_files() -> None:
    assert paths([folder("run"), folder("run/lock", 0o1777), file("run/lock/x")]) == ["run", "run/lock"]


def test_a_folder_above_a_new_empty_one_is_told_with_its_own_owner() -> None:
    cache = Entry("var/cache/man", Kind.DIRECTORY, 0o755, 6, 12)
    below = {"var": folder("var")[0], "var/cache": folder("var/cache")[0], "var/cache/man": cache}
    changes = [folder("var"), folder("var/cache"), (cache, None), folder("var/cache/man/cs")]
    changes.append(file("var/cache/man/cs/index.db"))
    owners = {entry.path: entry.uid for entry, _ in normalise(changes, below, epoch=EPOCH)}
    assert owners == {"var": 0, "var/cache": 0, "var/cache/man": 6, "var/cache/man/cs": 0}


def test_removed_files_become_whiteouts_and_replaced_folders_opaque() -> None:
    gone = (Entry("etc/a", Kind.CHAR, device=(0, 0)), None)
    opaque = (Entry("etc/d", Kind.DIRECTORY, 0o755, xattrs=(("user.overlay.opaque", b"y"),)), None)
    below = known("etc/a") | {"etc/d": folder("etc/d")[0]}
    result = normalise([gone, opaque], below, epoch=EPOCH)
    assert [e.path for e, _ in result] == ["etc/.wh.a", "etc/d", "etc/d/.wh..wh..opq"]
    assert all(not e.xattrs for e, _ in result)


def test_a_whiteout_of_something_that_never_was_is_no_change() -> None:
    assert paths([(Entry("etc/a", Kind.CHAR, device=(0, 0)), None)]) == []


def test_compiled_python_is_marked_unchecked() -> None:
    checked = b"MAGC" + (3).to_bytes(4, "little") + b"hashhash" + b"code"
    ((_, content),) = normalise([file("usr/lib/x.pyc", checked)], {}, epoch=EPOCH)
    assert content == b"MAGC" + (1).to_bytes(4, "little") + b"hashhash" + b"code"


def test_time_stamped_python_is_left_as_it_is() -> None:
    stamped = b"MAGC" + bytes(4) + b"timesize" + b"code"
    ((_, content),) = normalise([file("usr/lib/x.pyc", stamped)], {}, epoch=EPOCH)
    assert content == stamped


@given(
    st.lists(
        st.sampled_from([file("etc/b"), file("etc/a"), folder("etc"), file("tmp/x"), file("opt/c", b"z")])
    )
)
def test_the_order_of_changes_does_not_matter(changes: list[Change]) -> None:
    assert normalise(changes, {}, epoch=EPOCH) == normalise(changes[::-1], {}, epoch=EPOCH)
