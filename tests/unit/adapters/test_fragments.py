from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.listing import dump_listing, load_listing
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.errors import OutsideError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of, hex_of
from openhands_recipes.model.fragment import ControlFile, Entry, Fragment, Kind, Span
from openhands_recipes.ports import Conversion
from tests.parts import make_deb, make_wheel, member, read_tar

KEY = digest_of(b"key")


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir(tmp_path / "cache")


def open_store(cache: CacheDir, *, workers: int = 2) -> FragmentStore:
    return FragmentStore(
        cache, BlobStore(cache), converters=CONVERTERS, build=build_fragment, workers=workers
    )


@pytest.fixture
def store(cache: CacheDir) -> FragmentStore:
    return open_store(cache)


def job(folder: Path, name: str, raw: bytes | None = None) -> Conversion:
    content = raw or make_deb([member(f"./usr/share/{name}", name.encode() * 1000)])
    path = folder / f"{name}.deb"
    path.write_bytes(content)
    return Conversion(digest_of(name.encode()), "deb", path, {"part": f"{name}_1.0_all.deb"})


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def content_of(store: FragmentStore, key: Digest) -> bytes:
    fragment = store.get(key)
    assert fragment is not None
    buffer = bytearray(fragment.size)
    store.read_into(key, 0, memoryview(buffer))
    return bytes(buffer)


# --- listings --------------------------------------------------------------------------------------


def test_a_listing_survives_being_stored() -> None:
    entries = (
        Entry("a", Kind.DIRECTORY, 0o1777, 5, 6, mtime=9),
        Entry("a/\udcff", Kind.FILE, size=3, sha256="00" * 32, xattrs=(("user.x", b"\xff\0"),)),
        Entry("a/é", Kind.SYMLINK, link="x", uname="someone", gname="some"),
        Entry("null", Kind.CHAR, device=(1, 3)),
    )
    spans = (Span(0, 512), Span(512, 1024), Span(1536, 1024), Span(2560, 512))
    fragment = Fragment(KEY, entries, spans, 3072, {"postinst": ControlFile(0o755, b"#!/bin/sh\n\xff")})
    assert load_listing(dump_listing(fragment)) == fragment
    empty = Fragment(KEY, (), (), 0, {})
    assert load_listing(dump_listing(empty)) == empty


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"format":99}', b'{"format":1,"kind":"z"}'])
def test_a_damaged_or_foreign_listing_counts_as_none(raw: bytes) -> None:
    assert load_listing(raw) is None


def test_a_listing_whose_columns_disagree_counts_as_none() -> None:
    fragment = Fragment(
        KEY, (Entry("a", Kind.FILE), Entry("b", Kind.FILE)), (Span(0, 512), Span(512, 512)), 1024, {}
    )
    raw = dump_listing(fragment)
    assert load_listing(raw.replace(b'"kind":"00"', b'"kind":"000"')) is None
    assert load_listing(raw.replace(b'"bytes":1024', b'"bytes":1025')) is None


# --- converting ------------------------------------------------------------------------------------


def test_parts_become_fragments_on_disk_that_the_next_run_finds(
    cache: CacheDir, store: FragmentStore, tmp_path: Path
) -> None:
    jobs = [job(tmp_path, name) for name in ("one", "two", "three")]
    done: list[str] = []
    made = store.convert(iter(jobs), on_done=lambda j, f: done.append(f"{j.path.stem} {len(f.entries)}"))
    assert list(made) == [j.key for j in jobs]
    assert sorted(done) == ["one 3", "three 3", "two 3"]
    again = open_store(cache)
    assert again.get(jobs[0].key) == made[jobs[0].key]
    assert read_tar(content_of(again, jobs[0].key))["usr/share/one"][1] == b"one" * 1000
    assert files(cache.root / "partial") == []


def test_what_is_known_is_not_converted_again(store: FragmentStore, tmp_path: Path) -> None:
    one = job(tmp_path, "one")
    store.convert([one])
    one.path.unlink()
    done: list[Conversion] = []
    assert store.convert([one, one], on_done=lambda j, _: done.append(j)).keys() == {one.key}
    assert done == [one, one]


def test_jobs_may_keep_coming_while_others_are_converted(store: FragmentStore, tmp_path: Path) -> None:
    first_done = threading.Event()

    def arriving() -> Iterator[Conversion]:
        yield job(tmp_path, "one")
        for number in range(2000):
            yield job(tmp_path, "one")
            if first_done.wait(0.01):
                break
            assert number < 1999, "the first job is never finished while more may come"
        yield job(tmp_path, "two")

    made = store.convert(arriving(), on_done=lambda *_: first_done.set())
    assert len(made) == 2


def test_one_worker_makes_the_same_as_many(cache: CacheDir, tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"p{number}") for number in range(6)]
    many = open_store(CacheDir(tmp_path / "other"), workers=8)
    one = open_store(cache, workers=1)
    assert one.convert(jobs) == many.convert(reversed(jobs))
    assert [content_of(one, j.key) for j in jobs] == [content_of(many, j.key) for j in jobs]


def test_a_wheel_is_converted_by_its_options(store: FragmentStore, tmp_path: Path) -> None:
    path = tmp_path / "sample.whl"
    path.write_bytes(make_wheel({"sample.py": b"x = 1\n"}))
    wheel = Conversion(KEY, "wheel", path, {"prefix": "/opt/a", "python": "3.13", "owner": "1:2"})
    paths = [e.path for e in store.convert([wheel])[KEY].entries]
    assert "opt/a/lib/python3.13/site-packages/sample.py" in paths


def test_an_error_names_the_part_and_leaves_nothing(store: FragmentStore, tmp_path: Path) -> None:
    evil = job(tmp_path, "evil", make_deb([member("./good", b"x"), member("./../evil", b"x")]))
    with pytest.raises(VerificationError, match="climbs out of its folder") as caught:
        store.convert([job(tmp_path, "fine"), evil])
    assert caught.value.where == "evil_1.0_all.deb"
    assert store.get(evil.key) is None
    assert not [name for name in files(tmp_path) if hex_of(evil.key) in name or name.endswith(".tmp")]
    assert not (tmp_path / "evil").exists()


def test_nothing_is_written_outside_the_cache(store: FragmentStore, tmp_path: Path) -> None:
    hostile = [
        [member("./../../escape", b"x")],
        [member("./out", link=str(tmp_path)), member("./out/escape", b"x")],
        [member(str(tmp_path / "escape"), b"x")],
    ]
    jobs = [job(tmp_path, f"hostile{n}", make_deb(members)) for n, members in enumerate(hostile)]
    before = set(files(tmp_path))
    for one in jobs:
        with contextlib.suppress(VerificationError):
            store.convert([one])
    assert not [path for path in set(files(tmp_path)) - before if not path.startswith("cache/")]


def test_a_part_that_is_not_the_promised_one_is_refused(store: FragmentStore, tmp_path: Path) -> None:
    one = job(tmp_path, "one")
    promised = replace(one, options={"sha256": "0" * 64, "part": "one"})
    with pytest.raises(VerificationError, match="promised sha256"):
        store.convert([promised])
    right = replace(one, options={"sha256": hex_of(digest_of(one.path.read_bytes()))})
    assert store.convert([right])


def test_a_part_that_is_gone_says_so(store: FragmentStore, tmp_path: Path) -> None:
    one = job(tmp_path, "one")
    one.path.unlink()
    with pytest.raises(OutsideError, match="cannot be read") as caught:
        store.convert([one])
    assert caught.value.where == "one_1.0_all.deb"


def test_a_full_disk_is_said_so(store: FragmentStore, tmp_path: Path) -> None:
    one = job(tmp_path, "one")

    def full(*_: object) -> Fragment:
        raise OSError(28, "No space left on device")

    store._converters = {"deb": full}
    with pytest.raises(OutsideError, match="no room left for the cache"):
        store.convert([one])


# --- what a crash or a cleaner leaves ----------------------------------------------------------------


def test_a_fragment_cut_short_counts_as_none_and_is_made_again(cache: CacheDir, tmp_path: Path) -> None:
    one = job(tmp_path, "one")
    first = open_store(cache)
    made = first.convert([one])
    first.path(one.key).write_bytes(b"short")
    again = open_store(cache)
    assert again.get(one.key) is None
    assert again.convert([one]) == made
    again.path(one.key).unlink()
    assert open_store(cache).get(one.key) is None


def test_bytes_that_vanish_while_in_use_are_an_error_with_advice(
    store: FragmentStore, tmp_path: Path
) -> None:
    one = job(tmp_path, "one")
    store.convert([one])
    with pytest.raises(OutsideError, match="not in the cache any more"):
        store.read_into(one.key, 10**9, memoryview(bytearray(10)))
    store.path(one.key).unlink()
    with pytest.raises(OutsideError, match="not in the cache any more") as caught:
        store.read_into(one.key, 0, memoryview(bytearray(10)))
    assert caught.value.hint == "run the command again"


# --- creating ----------------------------------------------------------------------------------------


def test_our_own_entries_become_a_fragment_once(store: FragmentStore) -> None:
    made = store.create(KEY, [(Entry("etc/motd", Kind.FILE), b"hello")])
    assert [e.path for e in made.entries] == ["etc", "etc/motd"]
    assert store.create(KEY, iter([(Entry("never", Kind.FILE), b"read")])) == made
    assert read_tar(content_of(store, KEY))["etc/motd"][1] == b"hello"


def test_a_fragment_whose_making_fails_is_absent(cache: CacheDir, store: FragmentStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"abc"
        raise RuntimeError("the sandbox died")

    with pytest.raises(RuntimeError):
        store.create(KEY, [(Entry("f", Kind.FILE, size=9), broken)])
    assert store.get(KEY) is None
    assert files(cache.root) == []


def test_a_reader_goes_from_fragment_to_fragment(store: FragmentStore) -> None:
    other = digest_of(b"other")
    store.create(KEY, [(Entry("a", Kind.FILE), b"aaa")])
    store.create(other, [(Entry("b", Kind.FILE), b"bbb")])
    with store.reader() as read:
        for key, expected in ((KEY, b"aaa"), (other, b"bbb"), (KEY, b"aaa")):
            buffer = bytearray(3)
            read(key, 512, memoryview(buffer))
            assert buffer == expected
