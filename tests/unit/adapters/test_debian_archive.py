from __future__ import annotations

import lzma
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from openhands_recipes.adapters.apt_sources import DebianSources, Mirror
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.debian_archive import DebianMirrors
from openhands_recipes.adapters.http import Http, Patience
from openhands_recipes.adapters.openpgp import Keyring, UnknownSignerError
from openhands_recipes.compile.debian.release import parse_release
from openhands_recipes.errors import DownloadError, ResolutionError, VerificationError
from openhands_recipes.model.digest import digest_of, digest_of_json
from openhands_recipes.ports import DebianState
from tests.fakes import FixedClock
from tests.signed_archive import (
    NOW,
    PACKAGES,
    Suite,
    archive_key,
    clear_signed,
    expired,
    our_keys,
    stranger_key,
)
from tests.web import Reply, Web, dead_url, serving

SUITES = ["trixie", "trixie-updates", "trixie-security"]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


class World:
    def __init__(self, folder: Path, web: Web) -> None:
        self.web = web
        self.blobs = BlobStore(CacheDir(folder / "cache"))
        self.roots = [f"{web.url}/debian"]
        self.snapshots: list[str] = []
        self.keys = our_keys()
        self.mirrors = DebianMirrors(
            sources=self.sources,
            keys=lambda: self.keys,
            clock=FixedClock(NOW),
            parse_release=parse_release,
            blobs=self.blobs,
            http=Http(patience=Patience(attempts=2, first=0.01, longest=0.01)),
        )

    def sources(self) -> DebianSources:
        return DebianSources(
            tuple(Mirror(root, "", "here") for root in self.roots),
            tuple(Mirror(root, "", "here") for root in self.snapshots),
        )

    def serve(self, *suites: Suite, prefix: str = "/debian") -> None:
        for suite in suites or (Suite(),):
            self.web.files |= suite.files(prefix)

    def state(
        self, *suites: str, architecture: str = "amd64", not_before: str = "", allow_expired: bool = False
    ) -> DebianState:
        return self.mirrors.state(
            suites or ("trixie",), [architecture], not_before=not_before, allow_expired=allow_expired
        )

    def refusal(self, *suites: str, not_before: str = "", allow_expired: bool = False) -> VerificationError:
        with pytest.raises(VerificationError) as caught:
            self.state(*suites, not_before=not_before, allow_expired=allow_expired)
        assert caught.value.exit_code == 4
        return caught.value


@pytest.fixture
def world(tmp_path: Path, web: Web) -> World:
    return World(tmp_path, web)


# --- the good days -------------------------------------------------------------------------------


def test_the_state_is_every_suites_lists_and_the_newest_date(world: World) -> None:
    suites = [Suite(name, date=NOW - timedelta(days=n)) for n, name in enumerate(SUITES)]
    suites[1].lists["amd64"] = b"Package: updated\n"
    world.serve(*suites)
    state = world.mirrors.state(SUITES, ["arm64", "amd64"])
    assert state.suites == tuple(SUITES)
    assert state.release_date == "2026-01-02T03:04:05Z"
    assert [(found.suite, found.architecture) for found in state.lists] == [
        (suite, architecture) for suite in SUITES for architecture in ("arm64", "amd64")
    ]
    assert [found.content for found in state.lists[:4]] == [
        PACKAGES + b"\n",
        PACKAGES,
        PACKAGES + b"\n",
        b"Package: updated\n",
    ]
    assert state.release == digest_of_json(
        [digest_of(world.web.files[f"/debian/dists/{suite}/InRelease"]) for suite in SUITES]
    )


def test_an_unchanged_suite_costs_one_request(world: World) -> None:
    world.serve()
    first = world.state()
    world.web.requests.clear()
    assert world.state() == first
    assert [path for path, _ in world.web.requests] == ["/debian/dists/trixie/InRelease"]


def test_lists_are_asked_for_by_hash_and_kept_uncompressed(world: World) -> None:
    world.serve()
    world.state()
    packed = Suite().indexes()["main/binary-amd64/Packages.xz"]
    assert "/by-hash/SHA256/" in world.web.requests[1][0]
    assert world.blobs.path(digest_of(PACKAGES)) is not None
    assert world.blobs.path(digest_of(packed)) is None


def test_a_mirror_without_by_hash_is_asked_by_name(world: World) -> None:
    world.serve()
    world.web.files = {path: content for path, content in world.web.files.items() if "by-hash" not in path}
    assert world.state().lists[0].content == PACKAGES
    world.serve(Suite("trixie-updates", extra_fields="", architectures="amd64 arm64"))
    world.web.requests.clear()
    world.state("trixie-updates")
    assert not any("by-hash" in path for path, _ in world.web.requests)


@pytest.mark.parametrize("endings", [(".gz", ""), ("",), (".gz", ".xz", "")])
def test_lists_may_be_compressed_in_any_usual_way(world: World, endings: tuple[str, ...]) -> None:
    world.serve(Suite(endings=endings))
    assert world.state().lists[0].content == PACKAGES


def test_packages_of_architecture_all_are_added_where_they_stand_apart(world: World) -> None:
    lists = {"amd64": PACKAGES, "all": b"Package: everywhere\n"}
    world.serve(Suite(lists=lists, extra_fields="Acquire-By-Hash: yes\n"))
    assert world.state().lists[0].content == PACKAGES + b"\nPackage: everywhere\n"


def test_a_suite_may_be_asked_for_by_its_state(world: World) -> None:
    world.serve(Suite("stable", codename="trixie"))
    assert world.state("stable").suites == ("stable",)


# --- signatures ----------------------------------------------------------------------------------


def test_a_third_party_is_passed_over_for_a_mirror_that_is_debians(world: World) -> None:
    world.roots = [f"{world.web.url}/other", f"{world.web.url}/debian"]
    world.serve(Suite(key=stranger_key()), prefix="/other")
    world.serve()
    assert world.state().lists[0].content == PACKAGES
    assert not any(path.startswith("/other") for path, _ in world.web.requests if "binary" in path)


def test_only_strangers_is_an_error_that_names_their_keys(world: World) -> None:
    world.serve(Suite(key=stranger_key()))
    error = world.refusal()
    assert isinstance(error, UnknownSignerError)
    assert error.where == f"{world.web.url}/debian/dists/trixie/InRelease"


def test_a_broken_signature_ends_the_search_although_another_mirror_is_fine(world: World) -> None:
    world.roots = [f"{world.web.url}/bad", f"{world.web.url}/debian"]
    world.serve()
    good = world.web.files["/debian/dists/trixie/InRelease"]
    world.web.files["/bad/dists/trixie/InRelease"] = good.replace(b"Origin: Debian", b"Origin: debian")
    assert "the signature is not valid" in world.refusal().message


def test_an_unsigned_release_is_refused(world: World) -> None:
    world.web.files["/debian/dists/trixie/InRelease"] = Suite().release()
    assert world.refusal().message == "not signed"


def test_an_expired_archive_key_is_refused(world: World) -> None:
    world.serve()
    world.keys = Keyring([expired(archive_key())])
    assert "no longer valid" in world.refusal().message


def test_text_outside_the_signed_part_is_refused(world: World) -> None:
    path = "/debian/dists/trixie/InRelease"
    world.serve()
    world.web.files[path] = b"Valid-Until: Thu, 01 Jan 2099 00:00:00 UTC\n" + world.web.files[path]
    assert world.refusal().message == "there is text before the signed part"


# --- dates and names -----------------------------------------------------------------------------


def test_an_expired_suite_is_refused_unless_it_is_asked_for(world: World) -> None:
    world.serve(Suite(date=NOW - timedelta(days=8), valid_until=NOW - timedelta(seconds=1)))
    error = world.refusal()
    assert error.message == "trixie expired on 2026-01-02T03:04:04Z, it is 2026-01-02T03:04:05Z now"
    assert "--unsafe-expired-release" in (error.hint or "")
    assert world.state(allow_expired=True).release_date == "2025-12-25T03:04:05Z"


def test_a_suite_without_valid_until_is_taken(world: World) -> None:
    world.serve(Suite(date=NOW - timedelta(days=500), valid_until=None))
    assert world.state().lists


def test_a_suite_from_the_future_means_a_wrong_clock(world: World) -> None:
    world.serve(Suite(date=NOW + timedelta(days=2)))
    error = world.refusal()
    assert "trixie is dated 2026-01-04T03:04:05Z, but it is only" in error.message
    assert error.hint == "set this machine's clock"


def test_mirrors_older_than_the_lock_are_refused(world: World) -> None:
    world.serve()
    assert world.state(not_before="2026-01-01T03:04:05Z").lists
    error = world.refusal(not_before="2026-01-01T03:04:06Z", allow_expired=True)
    assert error.message == (
        "the mirrors are older than the lock: 2026-01-01T03:04:05Z against 2026-01-01T03:04:06Z"
    )


def test_a_lock_date_that_is_none_is_refused(world: World) -> None:
    world.serve()
    assert "'yesterday' is not a date" in world.refusal(not_before="yesterday").message
    assert world.state(not_before="2026-01-01").lists


def test_another_suite_under_a_good_signature_is_refused(world: World) -> None:
    world.serve(Suite("trixie-security", codename="bookworm-security"))
    error = world.refusal("trixie-security")
    assert error.message == "asked for trixie-security, the mirror answers with bookworm-security"


def test_a_signed_file_that_is_no_release_is_refused(world: World) -> None:
    world.web.files["/debian/dists/trixie/InRelease"] = clear_signed(b"hello\n")
    assert "not a usable Release file" in world.refusal().message


# --- lists ---------------------------------------------------------------------------------------


def replace_lists(world: World, content: bytes) -> None:
    for path in world.web.files:
        if "binary-amd64" in path:
            world.web.files[path] = content


@pytest.mark.parametrize("content", [lzma.compress(PACKAGES + b"Package: evil\n"), b"", b"<html>", PACKAGES])
def test_a_tampered_list_is_refused(world: World, content: bytes) -> None:
    world.serve()
    replace_lists(world, content)
    assert world.refusal().message.startswith("trixie main/binary-amd64/Packages.xz is not what was promised")


def test_a_truncated_list_is_fetched_again(world: World) -> None:
    world.serve()
    for path in list(world.web.files):
        if "by-hash" in path:
            world.web.put(path, world.web.files[path], Reply(cut_after=50))
    assert world.state().lists[0].content == PACKAGES


def test_a_good_list_from_another_mirror_is_taken(world: World) -> None:
    world.roots.append(f"{world.web.url}/second")
    world.serve()
    replace_lists(world, b"<html>")
    world.serve(prefix="/second")
    assert world.state().lists[0].content == PACKAGES


def test_a_mirror_in_the_middle_of_its_update_says_so(world: World) -> None:
    world.serve()
    world.web.files = {path: content for path, content in world.web.files.items() if "binary" not in path}
    with pytest.raises(DownloadError, match="no place has trixie main/binary-amd64/Packages") as caught:
        world.state()
    assert "is being updated" in (caught.value.hint or "")


class LyingSuite(Suite):
    """Promises another uncompressed list than the one that its compressed list unpacks to."""

    promised = b""

    def release(self) -> bytes:
        text, size = super().release().decode(), len(self.promised)
        old = f"{digest_of(PACKAGES)[7:]} {len(PACKAGES):8d} main/binary-amd64/Packages\n"
        new = f"{digest_of(self.promised)[7:]} {size:8d} main/binary-amd64/Packages\n"
        assert old in text
        return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("promised", "message"),
    [(PACKAGES.lower(), "do not have the promised digest"), (b"short", "unpacks to more than 5 bytes")],
)
def test_the_uncompressed_hash_is_checked_as_well(world: World, promised: bytes, message: str) -> None:
    suite = LyingSuite()
    suite.promised = promised
    world.serve(suite)
    assert message in world.refusal().message


def test_a_list_that_cannot_be_unpacked_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Suite, "indexes", lambda _: {
        "main/binary-amd64/Packages.xz": lzma.compress(PACKAGES)[:-20],
        "main/binary-amd64/Packages": PACKAGES,
    })  # fmt: skip
    world.serve()
    assert "cannot be unpacked" in world.refusal().message


def test_a_list_damaged_in_the_cache_is_removed_and_fetched_again(world: World) -> None:
    world.serve()
    world.state()
    path = world.blobs.path(digest_of(PACKAGES))
    assert path is not None
    path.write_bytes(PACKAGES.upper())
    assert "damaged in the cache" in world.refusal().message
    assert world.state().lists[0].content == PACKAGES


def test_an_architecture_nobody_builds_is_an_error_that_lists_the_others(world: World) -> None:
    world.serve()
    with pytest.raises(ResolutionError, match="trixie has no packages for vax") as caught:
        world.state(architecture="vax")
    assert caught.value.hint == "it has them for all, amd64, arm64"


# --- mirrors -------------------------------------------------------------------------------------


def test_the_next_mirror_is_asked_when_one_is_down_or_lacks_the_suite(world: World) -> None:
    world.roots = [dead_url(), f"{world.web.url}/none", f"{world.web.url}/debian"]
    world.serve()
    assert world.state().lists[0].content == PACKAGES


def test_the_snapshot_is_asked_last(world: World) -> None:
    world.snapshots = [f"{world.web.url}/snapshot"]
    world.serve(prefix="/snapshot")
    assert world.state().lists[0].content == PACKAGES


def test_no_mirror_that_answers_is_an_error_with_each_ones_reason(world: World) -> None:
    world.roots = [f"{world.web.url}/none", dead_url()]
    with pytest.raises(DownloadError, match="no mirror answers for trixie") as caught:
        world.state()
    assert "answers 404 Not Found" in (caught.value.where or "")
    assert "refused" in (caught.value.where or "")
    assert "OHR_DEBIAN_MIRROR" in (caught.value.hint or "")
