from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.adapters.sandbox import tarstream
from openhands_recipes.adapters.sandbox.tarstream import MalformedTarError

NAMES = (
    st.lists(
        st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=90),
        min_size=1,
        max_size=4,
    )
    .map("/".join)
    .filter(lambda name: not {"", ".", ".."} & set(name.split("/")))
)
MEMBERS = st.tuples(
    NAMES, st.binary(max_size=1500), st.integers(0, 0o7777), st.integers(0, 2**31), st.integers(0, 2**34)
)


def tar_of(members: list[tuple[str, bytes, int, int, int]], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content, mode, uid, mtime in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid, info.mtime = len(content), mode, uid, uid // 2, mtime
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(content: bytes) -> list[tuple[str, bytes, int, int, int]]:
    stream = io.BytesIO(content)
    return [
        (m.path.decode(), tarstream.exactly(stream, m.size), m.mode, m.uid, m.mtime)
        for m in tarstream.members(stream)
    ]


@given(st.lists(MEMBERS, max_size=5))
def test_what_the_standard_library_writes_is_read(members: list[tuple[str, bytes, int, int, int]]) -> None:
    assert read(tar_of(members)) == members


@given(st.lists(MEMBERS, max_size=3), st.lists(MEMBERS, max_size=3))
def test_streams_may_be_laid_end_to_end(
    first: list[tuple[str, bytes, int, int, int]], second: list[tuple[str, bytes, int, int, int]]
) -> None:
    assert read(tar_of(first) + tar_of(second)) == first + second


def test_links_attributes_and_odd_spellings_are_read() -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x"}
    ) as tar:
        for name, kind, link in (
            ("./a//b/", tarfile.DIRTYPE, ""),
            ("/etc/./x", tarfile.LNKTYPE, "./a/b"),
            ("./", tarfile.DIRTYPE, ""),
            ("s", tarfile.SYMTYPE, "../" + "t" * 150),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.pax_headers = {"SCHILY.xattr.user.x": "v", "mtime": "12.75", "SCHILY.acl": "unread"}
            tar.addfile(info)
    found = list(tarstream.members(io.BytesIO(buffer.getvalue())))
    assert [(m.path, m.kind, m.link) for m in found] == [
        (b"a/b", b"5", b""),
        (b"etc/x", b"1", b"a/b"),
        (b"", b"5", b""),
        (b"s", b"2", b"../" + b"t" * 150),
    ]
    assert found[0].xattrs == {"user.x": b"v"}
    assert found[0].mtime == 12


def test_old_prefixes_and_large_numbers_are_read() -> None:
    ustar = tar_of([("d" * 90 + "/" + "f" * 90, b"x", 0o644, 1, 1)], tarfile.USTAR_FORMAT)
    assert read(ustar)[0][0] == "d" * 90 + "/" + "f" * 90
    assert read(tar_of([("f", b"", 0o644, 2**30, 1)], tarfile.GNU_FORMAT))[0][3] == 2**30


GOOD = tar_of([("file", b"x" * 600, 0o644, 0, 0)])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (GOOD[:300], "inside a header"),
        (GOOD[:700], "inside a file"),
        (b"X" + GOOD[1:], "checksum is wrong"),
        (GOOD[:148] + b"zzzzzz\0 " + GOOD[156:], "not an octal number"),
    ],
)
def test_broken_streams_are_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(MalformedTarError, match=complaint):
        read(content)


@pytest.mark.parametrize(
    ("records", "complaint"),
    [(b"zz path=x\n", "no length"), (b"9 nothing\n", "is broken"), (b"0 a=b\n", "is broken")],
)
def test_broken_records_are_refused(records: bytes, complaint: str) -> None:
    info = tarfile.TarInfo("head")
    info.type, info.size = b"x", len(records)
    content = info.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0")
    with pytest.raises(MalformedTarError, match=complaint):
        read(content)
