from __future__ import annotations

import hashlib
import io

import pytest

from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports import Content
from tests.parts import read_tar


def build(*entries: tuple[Entry, Content]) -> tuple[Fragment, bytes]:
    sink = io.BytesIO()
    return build_fragment(entries, sink, "sha256:key"), sink.getvalue()


def test_bytes_decide_the_size_and_the_hash() -> None:
    fragment, raw = build((Entry("etc/motd", Kind.FILE, size=99), b"hello"))
    assert fragment.entries[-1].size == 5
    assert fragment.entries[-1].sha256 == hashlib.sha256(b"hello").hexdigest()
    assert read_tar(raw)["etc/motd"][1] == b"hello"


def test_missing_folders_are_roots_and_come_first() -> None:
    fragment, _ = build(
        (Entry("a/b/c", Kind.SYMLINK, 0o777, link="x"), None), (Entry("a/d", Kind.FILE), None)
    )
    assert [e.path for e in fragment.entries] == ["a", "a/b", "a/b/c", "a/d"]
    assert fragment.entries[0] == Entry("a", Kind.DIRECTORY, 0o755)


def test_a_callable_is_read_piece_by_piece() -> None:
    fragment, raw = build((Entry("f", Kind.FILE, size=6), lambda: iter([b"abc", b"", b"def"])))
    assert fragment.size == len(raw) == 1024
    assert read_tar(raw)["f"][1] == b"abcdef"


def test_content_of_another_size_than_promised_is_refused() -> None:
    with pytest.raises(VerificationError, match="has 3 bytes instead of 6: 'f'"):
        build((Entry("f", Kind.FILE, size=6), lambda: iter([b"abc"])))


def test_whiteouts_of_our_own_are_allowed() -> None:
    fragment, _ = build((Entry("etc/.wh.gone", Kind.FILE), None))
    assert fragment.entries[-1].path == "etc/.wh.gone"


@pytest.mark.parametrize("path", ["/etc", "./etc", "etc/", "a//b", "a/../b", "a/./b"])
def test_paths_must_be_plain(path: str) -> None:
    with pytest.raises(VerificationError):
        build((Entry(path, Kind.DIRECTORY), None))


def test_an_empty_fragment_is_empty() -> None:
    fragment, raw = build()
    assert (fragment.entries, fragment.size, raw) == ((), 0, b"")


def test_the_root_itself_is_left_out() -> None:
    fragment, raw = build((Entry("", Kind.DIRECTORY, 0o755), None))
    assert fragment.entries == ()
    assert raw == b""
