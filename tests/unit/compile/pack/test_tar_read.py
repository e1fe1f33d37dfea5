from __future__ import annotations

import io
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from openhands_recipes.compile.pack.tar_read import Member, TarReader
from openhands_recipes.compile.pack.tar_write import END, byte_sum, header
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Entry, Kind
from tests.parts import make_tar, member


class Trickle:
    """Gives few bytes at a time, as pipes do."""

    def __init__(self, raw: bytes, step: int) -> None:
        self._raw = io.BytesIO(raw)
        self._step = step

    def read(self, size: int, /) -> bytes:
        return self._raw.read(min(size, self._step))


def everything(raw: bytes, *, step: int = 1 << 20) -> list[tuple[Member, bytes]]:
    reader = TarReader(Trickle(raw, step))
    return [(found, b"".join(reader.content())) for found in reader]


def resealed(block: bytes) -> bytes:
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % byte_sum(blank) + block[156:]


SAMPLES = [
    member("./usr/"),
    member("./usr/" + "long/" * 60 + "file", b"content of a long name"),
    member("./usr/é", b"x" * 1000, uid=5, gid=6, mode=0o4711, mtime=1234567890),
    member("./link", link="t" * 300),
    member("./hard", type=tarfile.LNKTYPE, linkname="./usr/é"),
    member("./null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    member("./pipe", type=tarfile.FIFOTYPE),
    member("./old", b"contiguous", type=tarfile.CONTTYPE),
    member("./empty"),
]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("step", [1, 511, 1 << 20])
def test_it_reads_what_the_standard_library_writes(form: int, step: int) -> None:
    found = everything(make_tar(SAMPLES, form=form), step=step)
    assert [(m.path.rstrip("/"), m.link, body) for m, body in found] == [
        (info.name, info.linkname, content) for info, content in SAMPLES
    ]
    assert [m.kind for m, _ in found] == [
        Kind.DIRECTORY, Kind.FILE, Kind.FILE, Kind.SYMLINK, Kind.HARDLINK, Kind.CHAR, Kind.FIFO, Kind.FILE,
        Kind.FILE,
    ]  # fmt: skip
    file = found[2][0]
    assert (file.uid, file.gid, file.mode, file.mtime) == (5, 6, 0o4711, 1234567890)
    assert found[5][0].device == (1, 3)


def test_content_that_is_not_taken_is_skipped() -> None:
    reader = TarReader(io.BytesIO(make_tar([member("a", b"1" * 700), member("b", b"2")])))
    taken = {}
    for found in reader:
        if found.path == "b":
            taken[found.path] = b"".join(reader.content())
    assert taken == {"b": b"2"}


def test_it_reads_what_gnu_tar_writes(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / ("deep" * 40)).mkdir(parents=True)
    (folder / ("deep" * 40) / "file").write_bytes(b"hello")
    (folder / "same").hardlink_to(folder / ("deep" * 40) / "file")
    for form in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        short = ["same"] if form in {"v7", "ustar"} else ["."]
        raw = subprocess.run(
            ["tar", f"--format={form}", "--sort=name", "-C", folder, "-cf", "-", *short],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        found = {m.path.strip("./"): (m, body) for m, body in everything(raw)}
        bodies = [body for m, body in found.values() if m.kind is Kind.FILE]
        assert bodies == [b"hello"], form


def test_pax_records_override_and_global_ones_last() -> None:
    def record(key: str, value: str) -> bytes:
        rest = len(f" {key}={value}\n".encode())
        return f"{rest + len(str(rest + 2))} {key}={value}\n".encode()

    def extension(flag: bytes, body: bytes) -> bytes:
        block = header(Entry("x", Kind.FILE, size=len(body)))
        return resealed(block[:156] + flag + block[157:]) + body + bytes(-len(body) % 512)

    raw = (
        extension(b"g", record("uid", "77") + record("mtime", "5"))
        + extension(b"x", record("mtime", "-1.5") + record("path", "renamed") + record("gname", "staff"))
        + header(Entry("short", Kind.FILE, uid=1))
        + header(Entry("second", Kind.FILE, uid=2))
        + END
    )
    first, second = (m for m, _ in everything(raw))
    assert (first.path, first.uid, first.mtime, first.gname) == ("renamed", 77, -2, "staff")
    assert (second.path, second.uid, second.mtime, second.gname) == ("second", 77, 5, "")


def test_numbers_in_base_256_are_read() -> None:
    block = bytearray(header(Entry("f", Kind.FILE)))
    block[108:116] = b"\x80" + (5_000_000_000).to_bytes(7, "big")
    block[136:148] = (-7).to_bytes(12, "big", signed=True)
    ((found, _),) = everything(resealed(bytes(block)) + END)
    assert (found.uid, found.mtime) == (5_000_000_000, -7)


def test_an_old_v7_folder_is_a_folder() -> None:
    block = bytearray(header(Entry("d/", Kind.FILE)))
    block[156:157] = b"\0"
    block[257:512] = bytes(255)
    ((found, _),) = everything(resealed(bytes(block)) + END)
    assert found.kind is Kind.DIRECTORY


def test_suns_signed_checksums_are_accepted() -> None:
    block = bytearray(header(Entry("f", Kind.FILE)))
    block[0:2] = b"\xe9\xe8"
    blank = bytes(block[:148]) + b" " * 8 + bytes(block[156:])
    block[148:156] = b"%06o\0 " % sum(struct.unpack("512b", blank))
    ((found, _),) = everything(bytes(block) + END)
    assert found.path.encode("utf-8", "surrogateescape") == b"\xe9\xe8"


def test_extended_attributes_come_sorted() -> None:
    written = Entry("f", Kind.FILE, xattrs=(("security.capability", b"\x01\x00\xff"), ("user.a", b"=\n")))
    ((found, _),) = everything(header(written) + END)
    assert found.xattrs == written.xattrs


def flagged(flag: bytes, body: bytes = b"") -> bytes:
    block = header(Entry("x", Kind.FILE, size=len(body)))
    return resealed(block[:156] + flag + block[157:]) + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"x" * 512, "bad number"),
        (header(Entry("f", Kind.FILE))[:-1] + b"x", "wrong checksum"),
        (header(Entry("f", Kind.FILE))[:100], "cut short"),
        (header(Entry("f", Kind.FILE, size=600)) + bytes(512), "cut short"),
        (flagged(b"S"), "a sparse file"),
        (flagged(b"V"), "type b'V'"),
        (flagged(b"x", b"garbage"), "malformed pax header"),
        (flagged(b"x", b"0 a=\n\n"), "malformed pax header"),
        (flagged(b"x", b"99 path=a\n"), "malformed pax header"),
        (flagged(b"x", b"12 uid=-100\n") + header(Entry("f", Kind.FILE)), "bad uid"),
        (flagged(b"x", b"12 size=1.5\n") + header(Entry("f", Kind.FILE)), "bad size"),
        (flagged(b"x", b"22 GNU.sparse.major=1\n"), "a sparse file"),
        (flagged(b"x", b"10 path=a\n"), "ends after an extended header"),
        (flagged(b"L", b"x" * (1 << 20) + b"y"), "extended header of 1048577 bytes"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        everything(raw)


def test_negative_numbers_are_refused() -> None:
    block = bytearray(header(Entry("f", Kind.FILE)))
    block[124:136] = (-512).to_bytes(12, "big", signed=True)
    with pytest.raises(VerificationError, match="negative number"):
        everything(resealed(bytes(block)) + END)


def test_a_missing_end_mark_is_only_refused_where_it_is_required() -> None:
    raw = header(Entry("f", Kind.FILE))
    assert len(everything(raw)) == 1
    with pytest.raises(VerificationError, match="without its end mark"):
        list(TarReader(io.BytesIO(raw), end_required=True))


def test_draining_reads_to_the_end_of_the_stream() -> None:
    stream = io.BytesIO(make_tar([member("a", b"1")]) + bytes(10240))
    reader = TarReader(stream)
    assert [m.path for m in reader] == ["a"]
    reader.drain()
    assert stream.read() == b""
