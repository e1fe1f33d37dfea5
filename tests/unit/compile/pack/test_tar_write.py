from __future__ import annotations

import io
import subprocess
import tarfile

import pytest

from openhands_recipes.compile.pack.tar_write import END, byte_sum, header, padding
from openhands_recipes.model.fragment import Entry, Kind

LONG = "usr/share/" + "/".join(["a-folder-with-a-long-name"] * 5) + "/and-a-file.txt"
VERY_LONG = "/".join(["x" * 90] * 5)


def parsed(*entries: Entry) -> list[tarfile.TarInfo]:
    raw = b"".join(header(e) + b"x" * e.size * (e.kind is Kind.FILE) + padding(e.size) for e in entries) + END
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
        return archive.getmembers()


def test_a_plain_file_takes_one_ustar_block_without_names_of_owners() -> None:
    block = header(Entry("etc/motd", Kind.FILE, 0o640, 5, 7, 3, 1700000000))
    assert len(block) == 512
    assert block[257:265] == b"ustar\x0000"
    assert block[265:329] == bytes(64)
    (info,) = parsed(Entry("etc/motd", Kind.FILE, 0o640, 5, 7, 3, 1700000000))
    assert (info.name, info.mode, info.uid, info.gid, info.size, info.mtime, info.uname) == (
        "etc/motd", 0o640, 5, 7, 3, 1700000000, "",
    )  # fmt: skip


def test_names_of_owners_never_reach_the_bytes() -> None:
    plain = Entry("f", Kind.FILE, uid=101, gid=102)
    assert header(plain._replace(uname="someone", gname="group")) == header(plain)


def test_a_long_path_with_a_good_slash_stays_ustar() -> None:
    assert len(LONG) > 100
    assert len(header(Entry(LONG, Kind.FILE))) == 512
    assert parsed(Entry(LONG, Kind.FILE))[0].name == LONG


@pytest.mark.parametrize(
    "path", [VERY_LONG, "y" * 101, "a/" + "z" * 101, "d" * 160 + "/f", "é", "usr/share/日本語.txt"]
)
def test_a_path_ustar_cannot_say_gets_a_pax_header(path: str) -> None:
    assert len(header(Entry(path, Kind.FILE))) > 512
    assert parsed(Entry(path, Kind.FILE))[0].name == path


def test_a_path_that_is_not_utf8_keeps_its_bytes() -> None:
    path = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert parsed(Entry(path, Kind.FILE))[0].name == path


def test_a_folder_ends_with_a_slash_and_may_be_split_before_it() -> None:
    path = "p" * 60 + "/" + "q" * 60
    assert header(Entry("a", Kind.DIRECTORY, 0o755))[:3] == b"a/\0"
    info = parsed(Entry(path, Kind.DIRECTORY, 0o755))[0]
    assert (info.name, info.isdir()) == (path, True)


def test_the_root_is_written_as_a_dot() -> None:
    assert header(Entry("", Kind.DIRECTORY, 0o755)).startswith(b"./\0")


def test_links_devices_and_pipes_carry_no_content() -> None:
    entries = [
        Entry("f", Kind.FILE, size=5),
        Entry("h", Kind.HARDLINK, size=5, link="f"),
        Entry("s", Kind.SYMLINK, 0o777, link="../somewhere"),
        Entry("c", Kind.CHAR, device=(1, 3)),
        Entry("b", Kind.BLOCK, device=(8, 1)),
        Entry("p", Kind.FIFO),
    ]
    infos = parsed(entries[0]) + [parsed(e)[0] for e in entries[2:]]
    assert [i.size for i in infos] == [5, 0, 0, 0, 0]
    assert infos[1].linkname == "../somewhere"
    assert (infos[2].devmajor, infos[2].devminor) == (1, 3)
    assert (infos[3].type, infos[3].devmajor, infos[3].devminor) == (tarfile.BLKTYPE, 8, 1)
    assert infos[4].isfifo()
    raw = header(entries[0]) + b"hello" + padding(5) + header(entries[1]) + END
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        linked = archive.extractfile("h")
        assert linked is not None
        assert linked.read() == b"hello"


def test_a_long_link_target_gets_a_pax_header() -> None:
    assert parsed(Entry("s", Kind.SYMLINK, link="t" * 150))[0].linkname == "t" * 150


def test_numbers_beyond_ustar_get_a_pax_header() -> None:
    entry = Entry("f", Kind.FILE, uid=3_000_000, gid=4_000_000_000, size=0, mtime=-5)
    info = parsed(entry)[0]
    assert (info.uid, info.gid, info.mtime) == (3_000_000, 4_000_000_000, -5)
    block = header(Entry("big", Kind.FILE, size=9 << 30))
    assert b"19 size=9663676416\n" in block
    with tarfile.open(fileobj=io.BytesIO(block + END), mode="r:") as archive:
        assert archive.next().size == 9 << 30  # type: ignore[union-attr]


def test_extended_attributes_are_schily_records_with_any_bytes() -> None:
    capability = bytes([1, 0, 0, 2, 0, 32, 0, 0]) + bytes(12)
    raw = header(Entry("ping", Kind.FILE, xattrs=(("security.capability", capability), ("user.é", b"\xff="))))
    assert b"SCHILY.xattr.security.capability=" + capability + b"\n" in raw
    with tarfile.open(fileobj=io.BytesIO(raw + END), mode="r:") as archive:
        records = archive.getmembers()[0].pax_headers
    assert records["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape") == capability


@pytest.mark.parametrize("length", range(85, 110))
def test_a_record_counts_the_digits_of_its_own_length(length: int) -> None:
    assert parsed(Entry("ü" + "x" * length, Kind.FILE))[0].name == "ü" + "x" * length


def test_the_checksum_is_the_plain_sum_of_all_bytes() -> None:
    for block in (bytes(512), b"\xff" * 512, bytes(range(256)) * 2, b"\xff" * 148, b"a"):
        assert byte_sum(block) == sum(block)


def test_gnu_tar_lists_what_we_write() -> None:
    entries = [
        Entry("usr", Kind.DIRECTORY, 0o1777, mtime=1),
        Entry(LONG, Kind.FILE, 0o4755, 0, 42, 3, 1700000000),
        Entry(VERY_LONG, Kind.SYMLINK, 0o777, link="z" * 120),
        Entry("日本語", Kind.FILE, 0o600, 3_000_000, 1, 1000),
        Entry("hard", Kind.HARDLINK, 0o4755, link=LONG),
        Entry("null", Kind.CHAR, 0o666, device=(1, 3)),
    ]
    raw = b"".join(header(e) + b"x" * e.size + padding(e.size) for e in entries) + END
    listed = subprocess.run(
        ["tar", "--numeric-owner", "--quoting-style=literal", "--full-time", "--utc", "-tvf", "-"],
        input=raw, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in listed.stdout.decode().splitlines()]
    assert listed.stderr == b""
    assert lines == [
        "drwxrwxrwt 0/0 0 1970-01-01 00:00:01 usr/",
        f"-rwsr-xr-x 0/42 3 2023-11-14 22:13:20 {LONG}",
        f"lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 {VERY_LONG} -> {'z' * 120}",
        "-rw------- 3000000/1 1000 1970-01-01 00:00:00 日本語",
        f"hrwsr-xr-x 0/0 0 1970-01-01 00:00:00 hard link to {LONG}",
        "crw-rw-rw- 0/0 1,3 1970-01-01 00:00:00 null",
    ]
