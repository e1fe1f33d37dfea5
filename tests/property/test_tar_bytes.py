"""Entries survive being written and read; foreign bytes are read or refused, never anything else."""

from __future__ import annotations

import gzip
import io
import string
import tarfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.compile.pack.tar_read import Member, TarReader
from openhands_recipes.compile.pack.tar_write import END, header, padding
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Entry, Kind
from tests.parts import make_deb, make_tar, make_wheel, member

COMPONENT = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda text: text not in {".", ".."}
)
PLAIN = st.text(string.ascii_letters + "-_.", min_size=1, max_size=120).filter(lambda t: t.strip("."))
FOREIGN = st.binary(min_size=1, max_size=80).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
PATHS = st.lists(COMPONENT | PLAIN, min_size=1, max_size=6).map("/".join) | FOREIGN.filter(
    lambda text: not set(text) & {"/", "\0"} and text not in {".", ".."}
)
XATTRS = st.dictionaries(
    st.text(string.ascii_lowercase + ".é", min_size=1, max_size=30),
    st.binary(min_size=1, max_size=60),
    max_size=3,
).map(lambda found: tuple(sorted(found.items())))
ENTRIES = st.builds(
    Entry,
    path=PATHS,
    kind=st.sampled_from([Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.FIFO]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    mtime=st.integers(-(2**40), 2**40),
    xattrs=XATTRS,
)


def normal(entry: Entry) -> Entry:
    """Only what its kind can have."""
    return entry._replace(
        link="target/é" if entry.kind is Kind.SYMLINK else "",
        uname="",
        gname="",
        sha256="",
        size=0,
        device=(0, 0),
    )


def entry_of(found: Member) -> Entry:
    return Entry(
        found.path.removesuffix("/"), found.kind, found.mode, found.uid, found.gid, found.size, found.mtime,
        found.link, found.uname, found.gname, found.device, found.xattrs,
    )  # fmt: skip


@settings(deadline=None)
@given(st.lists(ENTRIES.map(normal), max_size=5), st.binary(max_size=1500))
def test_what_is_written_is_read_again(entries: list[Entry], content: bytes) -> None:
    sized = [e._replace(size=len(content)) if e.kind is Kind.FILE else e for e in entries]
    raw = b"".join(header(e) + (content + padding(e.size) if e.kind is Kind.FILE else b"") for e in sized)
    reader = TarReader(io.BytesIO(raw + END))
    found = [(entry_of(m), b"".join(reader.content())) for m in reader]
    assert found == [(e, content if e.kind is Kind.FILE else b"") for e in sized]


@settings(deadline=None)
@given(ENTRIES.map(normal))
@example(Entry("x" * 100, Kind.FILE))
@example(Entry("x" * 100, Kind.DIRECTORY))
@example(Entry("p" * 155 + "/" + "n" * 100, Kind.FILE))
@example(Entry("p" * 156 + "/" + "n" * 99, Kind.FILE))
def test_the_standard_library_reads_the_same(entry: Entry) -> None:
    with tarfile.open(fileobj=io.BytesIO(header(entry) + END), mode="r:", encoding="utf-8") as archive:
        (info,) = archive.getmembers()
    assert (info.name, info.linkname, info.mode) == (entry.path.rstrip("/"), entry.link, entry.mode)
    assert (info.uid, info.gid, info.mtime) == (entry.uid, entry.gid, entry.mtime)


@settings(deadline=None)
@given(st.lists(ENTRIES.map(normal), unique_by=lambda e: e.path.partition("/")[0], max_size=8))
def test_a_fragment_is_one_function_of_its_entries(entries: list[Entry]) -> None:
    made = []
    for _ in range(2):
        sink = io.BytesIO()
        fragment = build_fragment([(e, b"content") for e in entries], sink, "key")
        assert sum(span.length for span in fragment.spans) == fragment.size == len(sink.getvalue())
        made.append((fragment, sink.getvalue()))
    assert made[0] == made[1]


SAMPLES = [
    member("./usr/"),
    member("./usr/" + "long/" * 50 + "f", b"content"),
    member("./usr/é", b"x" * 700, mode=0o4755),
    member("./usr/link", link="é" * 80),
    member("./usr/hard", type=tarfile.LNKTYPE, linkname="./usr/é"),
]
PARTS = {
    "deb": (make_deb(SAMPLES, suffix=""), {}),
    "wheel": (
        make_wheel({"a/b.py": b"x\n" * 50, "sample-1.0.data/scripts/s": b"#!"}, entry_points="[x]\ny=z"),
        {"prefix": "/opt/x", "python": "3.13", "owner": "1:1"},
    ),
    "npm": (
        gzip.compress(make_tar([member("package/package.json", b"{}")]), mtime=0),
        {"prefix": "/usr", "name": "x"},
    ),
}  # fmt: skip
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 1 << 20), st.sampled_from(["flip", "cut", "insert", "zero"]), st.binary(max_size=8)
    ),
    min_size=1,
    max_size=4,
)


def mutated(raw: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    for place, how, extra in changes:
        at = place % (len(raw) or 1)
        match how:
            case "flip":
                raw = raw[:at] + bytes([raw[at] ^ (1 << place % 8)]) + raw[at + 1 :] if raw else raw
            case "cut":
                raw = raw[:at] + raw[at + len(extra) + 1 :]
            case "insert":
                raw = raw[:at] + extra + raw[at:]
            case _:
                raw = raw[:at] + bytes(16) + raw[at + 16 :]
    return raw


@pytest.mark.parametrize("kind", PARTS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=CHANGES)
def test_a_mutated_part_is_converted_or_refused(kind: str, changes: list[tuple[int, str, bytes]]) -> None:
    raw, options = PARTS[kind]
    try:
        CONVERTERS[kind](io.BytesIO(mutated(raw, changes)), io.BytesIO(), "key", options)
    except VerificationError as error:
        assert error.message  # noqa: PT017 - both outcomes are fine, other exceptions are not


@settings(max_examples=300, deadline=None)
@given(changes=CHANGES, form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_a_mutated_tar_is_read_or_refused(changes: list[tuple[int, str, bytes]], form: int) -> None:
    reader = TarReader(io.BytesIO(mutated(make_tar(SAMPLES, form=form), changes)))
    try:
        for _ in reader:
            list(reader.content())
    except VerificationError as error:
        assert error.message  # noqa: PT017 - the same


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_random_bytes_are_read_or_refused(raw: bytes) -> None:
    for kind, (_, options) in PARTS.items():
        with pytest.raises(VerificationError):
            CONVERTERS[kind](io.BytesIO(raw), io.BytesIO(), "key", options)
