from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http, Patience
from openhands_recipes.adapters.transfer import Place
from openhands_recipes.errors import DownloadError, OutsideError, VerificationError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.ports import Wanted
from tests.fakes import CountingStage
from tests.web import Reply, Web, dead_url, serving

HASTY = Patience(attempts=3, first=0.01, longest=0.02)
CONTENT = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(9375))


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


@dataclass
class KnownPlaces:
    """Every file is at every root, under its path."""

    roots: list[str]
    last: list[str] = field(default_factory=list)

    def of(self, wanted: Wanted) -> Sequence[Place]:
        return [
            *(Place(f"{root}/{wanted.path}") for root in self.roots),
            *(Place(f"{root}/{wanted.path}", last_resort=True) for root in self.last),
        ]


class World:
    def __init__(self, folder: Path, web: Web) -> None:
        self.blobs = BlobStore(CacheDir(folder / "cache"))
        self.http = Http(connections=4, patience=HASTY)
        self.places = KnownPlaces([web.url])
        self.downloads = PooledDownloads(blobs=self.blobs, places=self.places, http=self.http)

    def fetch(self, *wanted: Wanted) -> tuple[int, int]:
        """Bytes over the network, and progress shown."""
        stage = CountingStage()
        received = self.downloads.fetch(wanted, stage=stage)
        return received, stage.done


@pytest.fixture
def world(tmp_path: Path, web: Web) -> Iterator[World]:
    made = World(tmp_path, web)
    yield made
    made.http.close()


def wanted(content: bytes = CONTENT, name: str = "file") -> Wanted:
    return Wanted(name=name, digest=digest_of(content), size=len(content), origin="debian", path=name)


def content_of(world: World, item: Wanted) -> bytes:
    path = world.blobs.path(item.digest)
    return path.read_bytes() if path else b""


def leave_partial(world: World, item: Wanted, content: bytes) -> None:
    partial = world.blobs.partial(item.digest)
    assert partial is not None
    with partial:
        partial.write(content)


def ranges(web: Web) -> list[str | None]:
    return [headers.get("range") for _, headers in web.requests]


# --- the good days -------------------------------------------------------------------------------


def test_a_file_arrives_once_and_is_known_afterwards(world: World, web: Web) -> None:
    web.put("/file", CONTENT)
    assert world.fetch(wanted()) == (len(CONTENT), len(CONTENT))
    assert content_of(world, wanted()) == CONTENT
    assert world.fetch(wanted()) == (0, len(CONTENT))
    assert web.counts["/file"] == 1


def test_nothing_wanted_is_nothing_done(world: World) -> None:
    assert world.fetch() == (0, 0)


def test_an_empty_file_is_a_file(world: World, web: Web) -> None:
    web.put("/file", b"")
    world.fetch(wanted(b""))
    assert world.blobs.path(digest_of(b"")) is not None


def test_many_files_share_few_connections(world: World, web: Web) -> None:
    items = [wanted(bytes([n]) * 5000, f"f{n}") for n in range(60)]
    for n, item in enumerate(items):
        web.put(f"/{item.path}", bytes([n]) * 5000)
    world.fetch(*items)
    assert len(web.peers) <= 4
    assert all(content_of(world, item) for item in items)


def test_files_are_handed_over_in_the_callers_thread_while_others_are_on_their_way(
    world: World, web: Web
) -> None:
    done = threading.Event()
    items = [wanted(b"known", "known"), wanted(b"quick", "quick"), wanted(CONTENT, "slow")]
    world.blobs.add(b"known")
    web.put("/quick", b"quick")
    web.always("/slow", CONTENT, Reply(pause=0.01))
    seen: list[tuple[str, bool, threading.Thread]] = []

    def on_ready(item: Wanted, path: Path) -> None:
        assert path.stat().st_size == item.size
        seen.append((item.name, done.is_set(), threading.current_thread()))
        if item.name == "slow":
            done.set()

    world.downloads.fetch(items, on_ready=on_ready)
    assert [name for name, *_ in seen] == ["known", "quick", "slow"]
    assert {thread for *_, thread in seen} == {threading.current_thread()}


def test_the_same_bytes_under_two_names_are_fetched_once_and_handed_over_twice(
    world: World, web: Web
) -> None:
    web.put("/a", CONTENT)
    seen: list[str] = []
    world.downloads.fetch(
        [wanted(CONTENT, "a"), wanted(CONTENT, "b")], on_ready=lambda item, _: seen.append(item.name)
    )
    assert sorted(seen) == ["a", "b"]
    assert len(web.requests) == 1


def test_redirects_are_followed(world: World, web: Web) -> None:
    web.put("/elsewhere", CONTENT)
    web.always("/file", b"", Reply(302, {"Location": "/elsewhere"}))
    world.fetch(wanted())
    assert content_of(world, wanted()) == CONTENT


# --- interrupted transfers -----------------------------------------------------------------------


def test_a_partial_file_is_resumed_where_it_ended(world: World, web: Web) -> None:
    web.put("/file", CONTENT)
    leave_partial(world, wanted(), CONTENT[:100_000])
    assert world.fetch(wanted()) == (200_000, 300_000)
    assert ranges(web) == ["bytes=100000-"]
    assert content_of(world, wanted()) == CONTENT


def test_a_complete_partial_file_needs_no_network(world: World, web: Web) -> None:
    leave_partial(world, wanted(), CONTENT)
    assert world.fetch(wanted()) == (0, 300_000)
    assert web.requests == []


def test_a_partial_file_with_other_bytes_is_started_again(world: World, web: Web) -> None:
    web.put("/file", CONTENT)
    leave_partial(world, wanted(), bytes(100_000))
    world.fetch(wanted())
    assert ranges(web) == ["bytes=100000-", None]
    assert content_of(world, wanted()) == CONTENT


@pytest.mark.parametrize("size", [300_000, 400_000])
def test_a_partial_file_that_is_too_long_or_wrong_is_started_again(world: World, web: Web, size: int) -> None:
    web.put("/file", CONTENT)
    leave_partial(world, wanted(), bytes(size))
    world.fetch(wanted())
    assert content_of(world, wanted()) == CONTENT


def test_a_server_that_ignores_ranges_sends_all_again(world: World, web: Web) -> None:
    web.always("/file", CONTENT, Reply(ignore_range=True))
    leave_partial(world, wanted(), CONTENT[:100_000])
    assert world.fetch(wanted()) == (300_000, 300_000)
    assert content_of(world, wanted()) == CONTENT


def test_a_server_that_answers_with_another_range_is_not_believed(world: World, web: Web) -> None:
    web.put("/file", CONTENT, Reply(206, {"Content-Range": "bytes 5-299999/300000"}, body=CONTENT[5:]))
    leave_partial(world, wanted(), CONTENT[:100_000])
    world.fetch(wanted())
    assert content_of(world, wanted()) == CONTENT


def test_a_server_without_the_range_is_asked_for_all(world: World, web: Web) -> None:
    web.put("/file", CONTENT, Reply(416))
    leave_partial(world, wanted(), CONTENT[:100_000])
    world.fetch(wanted())
    assert ranges(web) == ["bytes=100000-", None]
    assert content_of(world, wanted()) == CONTENT


def test_connections_cut_again_and_again_get_on_as_long_as_bytes_come(world: World, web: Web) -> None:
    web.put("/file", CONTENT, *[Reply(cut_after=25_000)] * 11)
    assert world.fetch(wanted()) == (300_000, 300_000)
    assert web.counts["/file"] == 12


def test_a_server_that_closes_early_without_a_length_is_asked_again(world: World, web: Web) -> None:
    web.put("/file", CONTENT, Reply(announce=-1, cut_after=10))
    world.fetch(wanted())
    assert content_of(world, wanted()) == CONTENT


def test_progress_never_counts_bytes_twice(world: World, web: Web) -> None:
    web.put("/file", CONTENT, *[Reply(cut_after=100_000, ignore_range=True)] * 2)
    received, shown = world.fetch(wanted())
    assert shown == 300_000
    assert received >= 300_000


def test_an_exception_of_the_caller_ends_all_and_keeps_partial_files(world: World, web: Web) -> None:
    web.put("/quick", b"quick")
    web.always("/slow", CONTENT, Reply(pause=0.05))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.downloads.fetch([wanted(b"quick", "quick"), wanted(CONTENT, "slow")], on_ready=interrupted)
    web.behaviour.clear()
    before = world.blobs.partial_size(wanted().digest)
    received, _ = world.fetch(wanted(CONTENT, "slow"))
    assert received <= 300_000 - before
    assert content_of(world, wanted()) == CONTENT


def test_two_downloads_of_one_file_at_once_fetch_it_once(world: World, web: Web, tmp_path: Path) -> None:
    web.always("/file", CONTENT, Reply(pause=0.005))
    other = World(tmp_path, web)
    thread = threading.Thread(target=other.fetch, args=(wanted(),))
    thread.start()
    world.fetch(wanted())
    thread.join()
    other.http.close()
    assert web.counts["/file"] == 1
    assert content_of(world, wanted()) == CONTENT


# --- troubles that pass --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
def test_a_passing_fault_is_retried(world: World, web: Web, status: int) -> None:
    web.put("/file", CONTENT, Reply(status), Reply(status))
    world.fetch(wanted())
    assert web.counts["/file"] == 3


@pytest.mark.parametrize("value", ["1", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00", "soon"])
def test_retry_after_is_honoured_and_nonsense_in_it_ignored(world: World, web: Web, value: str) -> None:
    web.put("/file", CONTENT, Reply(429, {"Retry-After": value}))
    world.fetch(wanted())
    assert web.counts["/file"] == 2


def test_a_place_that_asks_for_a_very_long_pause_is_given_up(world: World, web: Web) -> None:
    web.always("/file", CONTENT, Reply(429, {"Retry-After": "86400"}))
    with pytest.raises(DownloadError, match="could not be downloaded") as caught:
        world.fetch(wanted())
    assert "asks for 86400 s" in (caught.value.where or "")
    assert web.counts["/file"] == 1


def test_a_server_that_never_recovers_is_an_error_with_its_last_word(world: World, web: Web) -> None:
    web.always("/file", CONTENT, Reply(500))
    with pytest.raises(DownloadError, match="file could not be downloaded") as caught:
        world.fetch(wanted())
    assert f"{web.url}/file answers 500" in (caught.value.where or "")
    assert web.counts["/file"] == 3


def test_nobody_at_the_address_is_an_error_with_a_hint(world: World) -> None:
    world.places.roots = [dead_url()]
    with pytest.raises(DownloadError) as caught:
        world.fetch(wanted())
    assert "check the network" in (caught.value.hint or "")


def test_a_dead_mirror_is_asked_last_and_once_from_then_on(world: World, web: Web) -> None:
    items = [wanted(bytes([n]) * 10, f"f{n}") for n in range(20)]
    for n, item in enumerate(items):
        web.put(f"/{item.path}", bytes([n]) * 10)
    dead = dead_url()
    world.places.roots = [dead, web.url]
    world.fetch(*items)
    assert world.downloads._silent_hosts == {dead.removeprefix("http://")}


def test_a_dead_mirror_is_still_asked_for_what_others_lack(world: World, web: Web) -> None:
    web.put("/file", CONTENT)
    world.places.roots = [web.url, f"{web.url}/none"]
    world.downloads._silent_hosts.add(web.url.removeprefix("http://"))
    world.fetch(wanted())
    assert content_of(world, wanted()) == CONTENT


# --- wrong bytes and missing files ---------------------------------------------------------------


def test_the_next_mirror_is_asked_after_404_and_the_snapshot_last(world: World, web: Web) -> None:
    web.put("/snapshot/file", CONTENT)
    world.places.roots = [web.url, f"{web.url}/second"]
    world.places.last = [f"{web.url}/snapshot"]
    world.fetch(wanted())
    assert [path for path, _ in web.requests] == ["/file", "/second/file", "/snapshot/file"]


def test_the_next_mirror_is_asked_after_wrong_bytes(world: World, web: Web) -> None:
    web.put("/file", bytes(300_000))
    web.put("/second/file", CONTENT)
    world.places.roots = [web.url, f"{web.url}/second"]
    world.fetch(wanted())
    assert content_of(world, wanted()) == CONTENT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes(300_000), "serves other bytes than sha256"),
        (CONTENT + b"!", "serves more than 300,000 bytes"),
        (CONTENT[:-1], "serves 299,999 of 300,000 bytes"),
    ],
)
def test_wrong_bytes_everywhere_fail_verification(
    world: World, web: Web, content: bytes, reason: str
) -> None:
    web.put("/file", content)
    with pytest.raises(VerificationError, match="not what was promised") as caught:
        world.fetch(wanted())
    assert reason in (caught.value.where or "")
    assert caught.value.exit_code == 4
    assert world.blobs.path(wanted().digest) is None
    assert web.counts["/file"] == 1


@pytest.mark.parametrize("position", [0, 123_456, 299_999])
def test_one_flipped_byte_is_enough(world: World, web: Web, position: int) -> None:
    web.put("/file", CONTENT[:position] + bytes([CONTENT[position] ^ 1]) + CONTENT[position + 1 :])
    with pytest.raises(VerificationError):
        world.fetch(wanted())


def test_a_missing_file_is_an_error_that_says_how_to_go_on(world: World, web: Web) -> None:
    with pytest.raises(DownloadError) as caught:
        world.fetch(wanted())
    assert str(caught.value) == (
        "no place has file any more\n"
        f"  --> {web.url}/file answers 404 Not Found\n"
        "  hint: run `ohr lock --update` to lock what is available now, or set OHR_DEBIAN_SNAPSHOT to a "
        "snapshot archive of the lock's date"
    )


def test_all_missing_files_are_told_at_once_and_the_others_arrive(world: World, web: Web) -> None:
    items = [wanted(bytes([n]) * 10, f"f{n:02}") for n in range(14)]
    web.put("/f00", bytes(10))
    with pytest.raises(DownloadError, match="no place has 13 of the wanted files any more") as caught:
        world.fetch(*items)
    assert "and 3 more" in (caught.value.where or "")
    assert content_of(world, items[0]) == bytes(10)


@pytest.mark.parametrize("status", [401, 403])
def test_a_place_that_refuses_is_not_asked_again(world: World, web: Web, status: int) -> None:
    web.always("/file", CONTENT, Reply(status))
    with pytest.raises(DownloadError):
        world.fetch(wanted())
    assert web.counts["/file"] == 1


def test_a_place_that_cannot_be_a_place_is_refused(world: World) -> None:
    world.places.roots = ["gopher://example"]
    with pytest.raises(DownloadError, match="could not be downloaded"):
        world.fetch(wanted())


def test_credentials_are_sent_and_never_shown(world: World, web: Web) -> None:
    web.always("/file", CONTENT, Reply(403))
    world.places.roots = [web.url.replace("//", "//me:secret@")]
    with pytest.raises(DownloadError) as caught:
        world.fetch(wanted())
    assert "secret" not in str(caught.value)
    assert web.requests[0][1]["authorization"].startswith("Basic ")


def test_a_disk_without_room_is_told_before_the_first_byte(
    world: World, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.put("/file", CONTENT)
    leave_partial(world, wanted(), CONTENT[:100])

    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    with pytest.raises(OutsideError, match="299,900 bytes are needed, 1,000 are free") as caught:
        world.fetch(wanted())
    assert "blobs" in (caught.value.where or "")
    assert web.requests == []


def test_requests_ask_for_plain_bytes_and_say_who_asks(world: World, web: Web) -> None:
    web.put("/file", CONTENT)
    world.fetch(wanted())
    headers: Mapping[str, str] = web.requests[0][1]
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("openhands-recipes/")
