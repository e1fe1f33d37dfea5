"""A release ended at any step leaves the old state visible, and the next run finishes the job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.flows.release import ReleaseDoors, release
from openhands_recipes.model.digest import Digest
from tests.releases import ADDRESS, MemoryLedger, MemoryRegistry, Sample, doors, new_key, sample

WHERE = "team/sample"
KEY = new_key()


class Killed(BaseException):
    """The process is gone: nothing catches it, nothing is tidied up."""


class Mortal:
    """A door whose user dies before, or after, its nth call."""

    def __init__(self, door: object, fate: Fate) -> None:
        self._door = door
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._door, name)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            self._fate.step()
            result = found(*args, **kwargs)
            self._fate.step()
            return result

        return called


class Fate:
    """Counts steps; the one it was born for is the last."""

    def __init__(self, last: int) -> None:
        self.left = last
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture(params=[True, False], ids=["lists referrers", "does not"])
def registry(request: pytest.FixtureRequest) -> MemoryRegistry:
    return MemoryRegistry(native=request.param)


def mortal(world: ReleaseDoors, fate: Fate) -> ReleaseDoors:
    return replace(
        world,
        ledger=Mortal(world.ledger, fate),
        registry=Mortal(world.registry, fate),
    )


def consistent(ledger: MemoryLedger, registry: MemoryRegistry) -> None:
    """Whatever a tag or the ledger names is complete and has all its evidence."""
    for record in ledger.records():
        for referrer in record.referrers:
            assert (WHERE, referrer.manifest) in registry.manifests
            assert referrer.manifest in registry.listed(WHERE, Digest(referrer.subject))
        for platform in record.platforms.values():
            assert (WHERE, platform.manifest) in registry.manifests
    released = {record.index for record in ledger.records()}
    for tag, digest in registry.tags(WHERE).items():
        assert digest in released, f"{tag} points to what is no release"
        for entry in json.loads(registry.manifests[WHERE, digest].content)["manifests"]:
            manifest = json.loads(registry.manifests[WHERE, entry["digest"]].content)
            assert all((WHERE, one["digest"]) in registry.blobs for one in manifest["layers"])


def test_a_release_ended_at_any_step_is_finished_by_the_next(
    tmp_path: Path, registry: MemoryRegistry
) -> None:
    old, new = sample(tmp_path / "old"), sample(tmp_path / "new", b"new lock")
    ledger = MemoryLedger()
    before = release(doors(old, ledger=ledger, registry=registry, key=KEY), old.candidate, to=ADDRESS).record

    def state() -> tuple[dict[Any, Any], dict[Any, Any], list[Any]]:
        return dict(registry.manifests), dict(registry.blobs), list(ledger.kept)

    start = state()
    world = doors(new, ledger=ledger, registry=registry, key=KEY)
    whole = Fate(-1)
    release(mortal(world, whole), new.candidate, to=ADDRESS)
    goal = state()
    assert whole.steps > 40
    for last in range(1, whole.steps + 1):
        registry.manifests, registry.blobs, ledger.kept = start[0].copy(), start[1].copy(), start[2].copy()
        with pytest.raises(Killed):
            release(mortal(world, Fate(last)), new.candidate, to=ADDRESS)
        consistent(ledger, registry)
        assert registry.tags(WHERE)["1.0.0-r1"] == before.index
        if len(ledger.kept) == 1:
            assert registry.tags(WHERE)["1.0.0"] == before.index
        release(world, new.candidate, to=ADDRESS)
        assert state() == goal


def test_two_releases_that_take_turns_at_any_step_both_win(tmp_path: Path, registry: MemoryRegistry) -> None:
    """One is stopped before each of its steps in turn, while the other runs from beginning to end."""
    one, two = sample(tmp_path / "one", b"one"), sample(tmp_path / "two", b"two")
    steps = _interrupted(one, two, registry, at=0)
    for at in range(1, steps + 1):
        fresh = MemoryRegistry(native=registry.native)
        _interrupted(one, two, fresh, at=at)


def _interrupted(one: Sample, two: Sample, registry: MemoryRegistry, *, at: int) -> int:
    ledger = MemoryLedger()

    class Pause(Fate):
        def step(self) -> None:
            self.steps += 1
            if self.steps == at:
                release(doors(two, ledger=ledger, registry=registry, key=KEY), two.candidate, to=ADDRESS)

    pause = Pause(0)
    world = doors(one, ledger=ledger, registry=registry, key=KEY)
    release(mortal(world, pause), one.candidate, to=ADDRESS)
    consistent(ledger, registry)
    if at:
        assert sorted(record.revision for record in ledger.kept) == [1, 2]
        newest = max(ledger.kept, key=lambda record: record.revision)
        assert registry.tags(WHERE)["1.0.0"] == newest.index
    return pause.steps
