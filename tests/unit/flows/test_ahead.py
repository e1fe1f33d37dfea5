from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.errors import DownloadError, OutsideError, VerificationError
from openhands_recipes.flows.ahead import Ahead, fragments_of
from openhands_recipes.flows.parts import Part
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import digest_of
from openhands_recipes.ports import Conversion, Stage, Wanted
from tests.fakes import QuietProgress
from tests.parts import make_deb, member

PATIENCE = 20.0


@dataclass
class Doors:
    """The doors parts need; downloads come from memory, each when its gate is open."""

    root: Path
    content: dict[str, bytes] = field(default_factory=dict)
    gates: dict[str, threading.Event] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    progress: QuietProgress = field(default_factory=QuietProgress)

    def __post_init__(self) -> None:
        cache = CacheDir(self.root)
        self.fragments = FragmentStore(
            cache, BlobStore(cache), converters=CONVERTERS, build=build_fragment, workers=2
        )

    def downloads(self) -> Doors:
        return self

    def fetch(
        self, wanted: Sequence[Wanted], *, stage: Stage, on_ready: Callable[[Wanted, Path], None]
    ) -> int:
        assert stage is not None
        self.asked.append([one.name for one in wanted])
        for one in wanted:
            if one.name in self.gates:
                assert self.gates[one.name].wait(PATIENCE)
            if one.name not in self.content:
                raise DownloadError("no place has it", where=one.name)
            path = self.root / f"{one.name}.deb"
            path.write_bytes(self.content[one.name])
            on_ready(one, path)
        return 0

    def part(self, name: str, *, content: bytes | None = None, there: bool = True) -> Part:
        raw = make_deb([member(f"./{name}", name.encode())]) if content is None else content
        if there:
            self.content[name] = raw
        key = digest_of(b"fragment " + name.encode())
        wanted = Wanted(name, digest_of(raw), len(raw), "debian", name)
        return Part(wanted, lambda path: Conversion(key, "deb", path), key)

    def gate(self, name: str) -> threading.Event:
        return self.gates.setdefault(name, threading.Event())

    @property
    def shop(self) -> Workshop:
        return cast("Workshop", self)


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def test_what_is_needed_first_can_be_used_while_the_rest_is_still_coming(doors: Doors) -> None:
    first, later = doors.part("first"), doors.part("later")
    gate = doors.gate("later")
    with Ahead(doors.shop, [[first], [later]]) as ahead:
        ahead.wait([first])
        assert doors.fragments.get(first.key) is not None
        assert doors.fragments.get(later.key) is None
        gate.set()
        ahead.wait([first, later])
        assert doors.fragments.get(later.key) is not None
    assert doors.asked == [["first"], ["later"]]


def test_a_part_that_two_levels_want_is_fetched_once(doors: Doors) -> None:
    part = doors.part("shared")
    with Ahead(doors.shop, [[part], [part]]) as ahead:
        ahead.wait([part])
    assert doors.asked == [["shared"]]


def test_fragments_that_are_there_are_not_fetched(doors: Doors) -> None:
    part = doors.part("known")
    made = fragments_of(doors.shop, [part])
    assert fragments_of(doors.shop, [part]) == made
    assert doors.asked == [["known"]]


def test_what_cannot_be_had_is_told_to_whoever_waits_for_it_and_to_nobody_else(doors: Doors) -> None:
    fine, lost = doors.part("fine"), doors.part("lost", there=False)
    gate = doors.gate("lost")
    with Ahead(doors.shop, [[fine], [lost]]) as ahead:
        ahead.wait([fine])
        gate.set()
        with pytest.raises(DownloadError, match="no place has it"):
            ahead.wait([lost])
        ahead.wait([fine])


def test_a_malformed_part_is_told_to_whoever_waits(doors: Doors) -> None:
    bad = doors.part("bad", content=b"no archive at all")
    with pytest.raises(VerificationError, match=r"not a \.deb"):
        fragments_of(doors.shop, [bad])


def test_a_run_that_fails_elsewhere_ends_its_threads(doors: Doors) -> None:
    parts = [doors.part(f"p{number}") for number in range(3)]
    gate = doors.gate("p1")
    waiting: list[Ahead] = []

    def fail() -> None:
        with Ahead(doors.shop, [[part] for part in parts]) as ahead:
            waiting.append(ahead)
            ahead.wait(parts[:1])
            threading.Timer(0.2, gate.set).start()
            raise OutsideError("the configuration failed")

    with pytest.raises(OutsideError, match="the configuration failed"):
        fail()
    assert not [thread for thread in threading.enumerate() if thread.name in {"download", "converting"}]
    assert ["p2"] not in doors.asked


def test_a_fragment_that_vanishes_is_an_error(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    part = doors.part("short")
    monkeypatch.setattr(doors.fragments, "get", lambda _key: None)
    with pytest.raises(OutsideError, match="not in the cache any more"):
        fragments_of(doors.shop, [part])
