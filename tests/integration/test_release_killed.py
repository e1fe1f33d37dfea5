"""kill -9 at every request of a release, and inside the ledger's push: nothing lost, nothing half visible."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openhands_recipes.errors import RegistryError
from openhands_recipes.model.platform import Platform
from tests.integration.registry_server import Answer, Cut, Proxy, Seen, Slow, Trouble, running_registry
from tests.integration.release_world import Place, Reader, native_registry, new_ledger
from tests.releases import key_file

ONE: tuple[Platform, ...] = ("linux/amd64",)
WRITES = {"PUT", "POST", "PATCH", "DELETE"}


@pytest.fixture(params=["docker-registry", "lists referrers"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    key, _ = key_file(tmp_path / "keys")
    ledger = new_ledger(tmp_path / "ledger.git")
    if request.param == "docker-registry":
        with running_registry(tmp_path / "registry") as running:
            yield Place(running.host, ledger, key, tmp_path / "work")
    else:
        with native_registry() as host:
            yield Place(host, ledger, key, tmp_path / "work")


def kill_when(victim: subprocess.Popen[bytes], reached: Callable[[], bool]) -> bool:
    """Kill a process as soon as something is so; False if it ended before."""
    until = time.monotonic() + 60
    while not reached() and victim.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    if victim.poll() is not None:
        return False
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    return True


def killed_at(place: Place, content: str, number: int) -> bool:
    """Kill a release when its nth writing request has reached the proxy; whether it had so many."""
    seen = 0

    def plan(request: Seen) -> Trouble:
        nonlocal seen
        seen += request.method in WRITES
        return Slow(30) if seen == number and request.method in WRITES else None

    with Proxy(place.host, plan) as proxy:
        return kill_when(place.at(proxy.host).start(content, ONE), lambda: seen >= number)


def all_is_well(place: Place, *, revisions: int) -> None:
    reader, records = Reader(place.host), place.records()
    reader.check(records)
    assert len(records) == revisions
    tags = reader.tags()
    assert tags == {"1.0.0": records[-1].index} | {f"1.0.0-r{one.revision}": one.index for one in records}


def writes_of(place: Place, content: str) -> list[str]:
    with Proxy(place.host) as proxy:
        place.at(proxy.host).release(content, ONE, parallel=1)
    return [f"{seen.method} {seen.path}" for seen in proxy.seen if seen.method in WRITES]


def test_a_release_killed_at_a_few_requests_is_finished_by_the_next(place: Place) -> None:
    place.release("first", ONE)
    steps = len(writes_of(place, "second"))
    for revision, number in enumerate((1, steps // 2, steps - 1, steps), 3):
        _kill_and_finish(place, f"content {number}", number, revision)


@pytest.mark.slow
def test_a_release_killed_at_any_request_is_finished_by_the_next(place: Place) -> None:
    place.release("first", ONE)
    steps = writes_of(place, "second")
    for number in range(1, len(steps) + 1):
        _kill_and_finish(place, f"content {number}", number, number + 2)


def _kill_and_finish(place: Place, content: str, number: int, revision: int) -> None:
    before = place.records()
    assert killed_at(place, content, number)
    reader, records = Reader(place.host), place.records()
    reader.check(records)
    tags = reader.tags()
    assert all(tags[f"1.0.0-r{one.revision}"] == one.index for one in before)
    if len(records) == len(before):
        assert tags["1.0.0"] == before[-1].index
    place.release(content, ONE)
    all_is_well(place, revisions=revision)


@pytest.mark.parametrize("hook", ["pre-receive", "post-receive"])
def test_a_release_killed_while_the_ledger_is_written_is_finished_by_the_next(
    place: Place, hook: str, tmp_path: Path
) -> None:
    old = place.release("first", ONE).record
    script, reached = place.ledger / "hooks" / hook, tmp_path / "reached"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\ntouch {reached}\nsleep 1\n")
    script.chmod(0o755)
    assert kill_when(place.start("second", ONE), reached.exists)
    script.unlink()
    Reader(place.host).check(place.records())
    assert Reader(place.host).tags() == {"1.0.0": old.index, "1.0.0-r1": old.index}
    time.sleep(1)  # git, an orphan now, may still get its way
    place.release("second", ONE)
    all_is_well(place, revisions=2)


def test_two_releases_at_once_both_win(place: Place) -> None:
    place.release("first", ONE)
    running = [place.start(content, ONE) for content in ("left", "right")]
    for process in running:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told.decode()
    all_is_well(place, revisions=3)


def test_the_same_release_twice_at_once_is_one_release(place: Place) -> None:
    running = [place.start("same", ONE) for _ in range(2)]
    for process in running:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told.decode()
    all_is_well(place, revisions=1)


def failing(every: int) -> Callable[[Seen], Trouble]:
    """Every nth request fails, in turn with an answer, a cut connection, another answer."""
    asked = 0

    def plan(_: Seen) -> Trouble:
        nonlocal asked
        asked += 1
        kinds: tuple[Trouble, ...] = (Answer(503), Cut(), Answer(500))
        return kinds[asked // every % len(kinds)] if asked % every == 0 else None

    return plan


@pytest.mark.parametrize("every", [4, 5, 7])
def test_a_registry_that_fails_every_nth_request_gets_the_whole_release(place: Place, every: int) -> None:
    with Proxy(place.host, failing(every)) as proxy:
        place.at(proxy.host).release("first", ONE)
    all_is_well(place, revisions=1)


@pytest.mark.parametrize("every", [2, 3])
def test_a_registry_that_fails_in_step_with_us_gets_nothing_half(place: Place, every: int) -> None:
    """An upload takes two requests, and its repetition three: here the same one fails each time."""
    with Proxy(place.host, failing(every)) as proxy, pytest.raises(RegistryError):
        place.at(proxy.host).release("first", ONE)
    assert (Reader(place.host).tags(), place.records()) == ({}, ())
    place.release("first", ONE)
    all_is_well(place, revisions=1)


def test_a_registry_that_breaks_down_for_good_leaves_the_old_release(place: Place) -> None:
    old = place.release("first", ONE).record
    asked = 0

    def plan(_: Seen) -> Trouble:
        nonlocal asked
        asked += 1
        return Answer(503) if asked > 20 else None

    with Proxy(place.host, plan) as proxy:
        process = place.at(proxy.host).start("second", ONE)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert Reader(place.host).tags() == {"1.0.0": old.index, "1.0.0-r1": old.index}
    place.release("second", ONE)
    all_is_well(place, revisions=2)
