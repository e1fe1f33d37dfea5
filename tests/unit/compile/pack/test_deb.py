from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterable

import pytest

from openhands_recipes.compile.pack.deb import deb_to_fragment
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from tests.parts import CONTROL, PACKED, make_ar, make_deb, make_tar, member, read_tar

Members = Iterable[tuple[tarfile.TarInfo, bytes]]


def convert(raw: bytes) -> tuple[Fragment, bytes]:
    sink = io.BytesIO()
    return deb_to_fragment(io.BytesIO(raw), sink, "sha256:key"), sink.getvalue()


def converted(members: Members) -> dict[str, Entry]:
    return {entry.path: entry for entry in convert(make_deb(members))[0].entries}


FILES = [
    member("./"),
    member("./usr/"),
    member("./usr/bin/", mtime=7),
    member("./usr/bin/tool", b"#!/bin/sh\n" * 200, mode=0o4755, mtime=1700000000),
    member("./usr/bin/alias", link="tool"),
    member("./usr/bin/twin", type=tarfile.LNKTYPE, linkname="./usr/bin/tool"),
    member("./etc/empty", mtime=-5),
]


@pytest.mark.parametrize("suffix", PACKED)
def test_every_compression_gives_the_same_fragment(suffix: str) -> None:
    fragment, raw = convert(make_deb(FILES, suffix=suffix, scripts={"postinst": b"#!/bin/sh\nexit 0\n"}))
    assert [e.path for e in fragment.entries] == [
        "usr", "usr/bin", "usr/bin/tool", "usr/bin/alias", "usr/bin/twin", "etc", "etc/empty",
    ]  # fmt: skip
    assert fragment.key == "sha256:key"
    assert fragment.size == len(raw)
    assert fragment.control["control"].content == CONTROL
    assert fragment.control["postinst"] == (0o755, b"#!/bin/sh\nexit 0\n")
    assert raw == convert(make_deb(FILES))[1]


def test_modes_times_links_and_content_survive() -> None:
    fragment, raw = convert(make_deb(FILES))
    found = read_tar(raw)
    info, content = found["usr/bin/tool"]
    assert (info.mode, info.mtime, content) == (0o4755, 1700000000, b"#!/bin/sh\n" * 200)
    assert found["usr/bin/alias"][0].linkname == "tool"
    assert found["usr/bin/twin"][0].linkname == "usr/bin/tool"
    assert found["etc/empty"][0].mtime == 0
    tool = fragment.entries[2]
    assert tool.sha256 == hashlib.sha256(content).hexdigest()


def test_spans_cover_the_fragment_without_gaps_and_start_at_headers() -> None:
    fragment, raw = convert(make_deb(FILES))
    position = 0
    for entry, span in zip(fragment.entries, fragment.spans, strict=True):
        assert span.offset == position
        assert raw[span.offset :].startswith(entry.path.encode())
        position += span.length
    assert position == fragment.size


def test_old_top_folders_move_below_usr_but_their_links_stay() -> None:
    found = converted(
        [
            member("./bin", link="usr/bin"),
            member("./lib64", link="usr/lib64"),
            member("./lib/"),
            member("./lib/modules/"),
            member("./bin/tool", b"x"),
            member("./sbin/twin", type=tarfile.LNKTYPE, linkname="./bin/tool"),
            member("./library/"),
        ]
    )
    assert list(found) == [
        "bin", "lib64", "usr", "usr/lib", "usr/lib/modules", "usr/bin", "usr/bin/tool", "usr/sbin",
        "usr/sbin/twin", "library",
    ]  # fmt: skip
    assert found["bin"].kind is Kind.SYMLINK
    assert found["usr/sbin/twin"].link == "usr/bin/tool"


def test_a_folder_listed_twice_through_the_merge_is_kept_once() -> None:
    found = converted([member("./usr/"), member("./usr/lib/", mtime=5), member("./lib/", mtime=9)])
    assert found["usr/lib"].mtime == 5


def test_names_of_owners_are_kept_where_their_ids_differ_between_machines() -> None:
    found = converted(
        [
            member("./a", uname="root", gname="mail", gid=8),
            member("./b", uname="messagebus", gname="root", uid=100),
        ]
    )
    assert (found["a"].gid, found["a"].uname, found["a"].gname) == (8, "", "")
    assert (found["b"].uid, found["b"].uname, found["b"].gname) == (100, "messagebus", "root")


def test_file_capabilities_survive() -> None:
    capability = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)
    info, content = member("./ping", b"elf")
    info.pax_headers = {"SCHILY.xattr.security.capability": capability.decode()}
    data = make_tar([(info, content)], form=tarfile.PAX_FORMAT)
    raw = make_ar([("debian-binary", b"2.0\n"), ("control.tar", control()), ("data.tar", data)])
    fragment, written = convert(raw)
    assert fragment.entries[0].xattrs == (("security.capability", capability),)
    assert b"SCHILY.xattr.security.capability=" + capability in written


def control() -> bytes:
    return make_tar([member("./control", CONTROL)])


# --- what is hostile -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([member("./../evil", b"x")], "climbs out of its folder: './../evil'"),
        ([member("./usr/../../evil", b"x")], "climbs out of its folder"),
        ([member("./a", b"1"), member("./b", type=tarfile.LNKTYPE, linkname="../a")], "climbs out"),
        ([member("./out", link="/somewhere"), member("./out/evil", b"x")], "symbolic link: 'out/evil'"),
        ([member("./out", link="/somewhere"), member("./out/a/evil", b"x")], "through a symbolic link"),
        ([member("./out/a", b"x"), member("./out", link="/somewhere")], "names a path twice: 'out'"),
        ([member("./a", b"1"), member("./a/b", b"2")], "below something that is no folder"),
        ([member("./a", b"1"), member("./a", b"2")], "names a path twice: 'a'"),
        ([member("./null", type=tarfile.CHRTYPE)], "must not hold device nodes: 'null'"),
        ([member("./sda", type=tarfile.BLKTYPE)], "must not hold device nodes: 'sda'"),
        ([member("./h", type=tarfile.LNKTYPE, linkname="./nothing")], "no file before it: 'h'"),
        ([member("./s", link="t"), member("./h", type=tarfile.LNKTYPE, linkname="./s")], "no file before it"),
        ([member("./etc/.wh.passwd", b"")], "reserved for layer whiteouts: 'etc/.wh.passwd'"),
        ([member("./etc/.wh..wh..opq", b"")], "reserved for layer whiteouts"),
        ([member("./bin", b"x")], "would replace a top folder: 'bin'"),
        ([member("./s", link="x", linkname="")], "without a target"),
        ([member("./" + "x/" * 3000 + "y")], "a path no file can have"),
    ],
)  # fmt: skip
def test_what_no_package_may_hold_is_refused(members: Members, says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        convert(make_deb(members))


def test_an_absolute_path_is_contained_as_dpkg_does_it() -> None:
    info, content = member("./etc/file", b"x")
    data = make_tar([(info, content)]).replace(b"./etc/file\0", b"/etc//file\0")
    block = bytearray(data[:512])
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    raw = make_ar(
        [("debian-binary", b"2.0\n"), ("control.tar", control()), ("data.tar", bytes(block) + data[512:])]
    )
    assert [e.path for e in convert(raw)[0].entries] == ["etc", "etc/file"]


def test_a_pipe_is_kept_as_dpkg_does_it() -> None:
    assert converted([member("./pipe", type=tarfile.FIFOTYPE)])["pipe"].kind is Kind.FIFO


def test_attributes_of_overlay_mounts_are_refused() -> None:
    info, content = member("./d/")
    info.pax_headers = {"SCHILY.xattr.user.overlay.opaque": "y"}
    data = make_tar([(info, content)], form=tarfile.PAX_FORMAT)
    with pytest.raises(VerificationError, match="an extended attribute no file may bring"):
        convert(make_ar([("debian-binary", b"2.0\n"), ("control.tar", control()), ("data.tar", data)]))


# --- what is malformed ---------------------------------------------------------------------------

GOOD = make_tar([member("./f", b"x")])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "cut short"),
        (b"PK\x03\x04" + bytes(100), "does not start as an ar archive"),
        (make_ar([]), "no data.tar"),
        (make_ar([("control.tar", control())]), "not a .deb of format 2"),
        (make_ar([("debian-binary", b"3.0\n")]), "not a .deb of format 2"),
        (make_ar([("debian-binary", b"2.0\n"), ("data.tar", GOOD)]), "unexpected member: 'data.tar'"),
        (make_ar([("debian-binary", b"2.0\n"), ("control.tar", control())]), "no data.tar"),
        (make_ar([("debian-binary", b"2.0\n"), ("control.tar", GOOD)]), "more than plain files|no file"),
        (make_ar([("debian-binary", b"2.0\n"), ("control.tar.rar", GOOD)]), "unknown way: 'rar'"),
        (make_ar([("debian-binary", b"2.0\n"), ("evil", b"")]), "unexpected member: 'evil'"),
        (make_deb(FILES)[:-300], "cut short"),
        (make_deb(FILES).replace(b"`\n", b"x\n"), "malformed ar header"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        convert(raw)


def test_members_with_an_underscore_are_ignored_as_deb5_demands() -> None:
    raw = make_ar(
        [
            ("debian-binary", b"2.1\nmore"),
            ("_origin", b"signature"),
            ("control.tar/", control()),
            ("data.tar", GOOD),
            ("_more", b"1"),
        ]
    )
    assert [e.path for e in convert(raw)[0].entries] == ["f"]


def test_a_control_archive_holds_plain_files_only() -> None:
    inner = make_tar([member("./control", CONTROL), member("./postinst", link="/bin/sh")])
    with pytest.raises(VerificationError, match="more than plain files: 'postinst'"):
        convert(make_ar([("debian-binary", b"2.0\n"), ("control.tar", inner), ("data.tar", GOOD)]))


def test_bytes_after_the_compressed_data_are_refused() -> None:
    data = PACKED[".xz"](GOOD) + b"more"
    with pytest.raises(VerificationError, match="after the end of the compressed data"):
        convert(make_ar([("debian-binary", b"2.0\n"), ("control.tar", control()), ("data.tar.xz", data)]))


def test_a_compressor_that_wants_too_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28, "mf": lzma.MF_HC3, "mode": lzma.MODE_FAST}]
    data = lzma.compress(GOOD, filters=filters)
    with pytest.raises(VerificationError, match="Memory usage limit"):
        convert(make_ar([("debian-binary", b"2.0\n"), ("control.tar", control()), ("data.tar.xz", data)]))


@pytest.mark.parametrize("suffix", [".xz", ".zst", ".gz", ".bz2", ".lzma"])
def test_compressed_data_cut_short_is_refused(suffix: str) -> None:
    data = PACKED[suffix](make_tar(FILES))
    for length in (0, 1, len(data) // 2, len(data) - 5):
        raw = make_ar(
            [("debian-binary", b"2.0\n"), ("control.tar", control()), (f"data.tar{suffix}", data[:length])]
        )
        with pytest.raises(VerificationError):
            convert(raw)
