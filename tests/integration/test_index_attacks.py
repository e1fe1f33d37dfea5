"""What a host, a thief of keys or somebody in between may try with a served index. Each attempt is refused by
our reader with the message it deserves, and by python-tuf's own client, used plainly, as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from openhands_recipes.adapters.index_source import Pace
from openhands_recipes.adapters.tuf_client import ReadingRules, TufIndexReader
from openhands_recipes.adapters.tuf_repository import TufRepository
from openhands_recipes.errors import DownloadError as OurDownloadError
from openhands_recipes.errors import RecipesError, VerificationError
from openhands_recipes.flows.find import shard_of
from openhands_recipes.publish.index.shard import shard_path
from tests.fakes import FixedClock
from tests.indexes import IndexShop, http_source, reader_of, released, serve
from tests.web import Reply, Web, serving

NAME = "python"


@dataclass
class Scene:
    """A served index that reader and plain client have seen once, in caches of their own."""

    shop: IndexShop
    web: Web
    cache: Path
    rules: ReadingRules

    def reader(self) -> TufIndexReader:
        return reader_of(http_source(self.web), self.shop.root(), self.cache, rules=self.rules)

    def plain(self) -> Updater:
        folder = self.cache / "plain"
        (folder / "targets").mkdir(parents=True, exist_ok=True)
        return Updater(
            str(folder),
            self.web.url + "/metadata/",
            target_dir=str(folder / "targets"),
            target_base_url=self.web.url + "/targets/",
            fetcher=Urllib3Fetcher(socket_timeout=1),
            bootstrap=self.shop.root(),
        )

    def fetch_plainly(self) -> None:
        updater = self.plain()
        target = updater.get_targetinfo(shard_path(NAME))
        assert target is not None
        if updater.find_cached_target(target) is None:
            updater.download_target(target)

    def see(self) -> None:
        assert shard_of(self.reader(), NAME).name == NAME
        self.fetch_plainly()

    def path_of(self, part: str) -> str:
        (found,) = [path for path in self.web.files if part in path]
        return found

    def refused(self) -> RecipesError:
        """By both; what ours says. A second try says the same: nothing is retried away."""
        with pytest.raises(RecipesError) as caught:
            shard_of(self.reader(), NAME)
        with pytest.raises(RecipesError) as again:
            shard_of(self.reader(), NAME)
        assert again.value.code == caught.value.code
        with pytest.raises((RepositoryError, DownloadError)):
            self.fetch_plainly()
        return caught.value


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    shop = IndexShop(tmp_path)
    shop.begin()
    shop.add(released(NAME, "1.0.0"), released("node", "1.0.0"))
    with serving() as web:
        serve(web, shop)
        yield Scene(shop, web, tmp_path / "cache", ReadingRules(pace=Pace(grace=0.2, least=1_000_000)))


def next_release(scene: Scene) -> None:
    scene.shop.add(released(NAME, "1.1.0", day=1))
    serve(scene.web, scene.shop)


def test_an_honest_index_is_read_by_both_as_it_goes_on(scene: Scene) -> None:
    scene.see()
    next_release(scene)
    assert [entry.version for entry in shard_of(scene.reader(), NAME).entries] == ["1.1.0", "1.0.0"]
    scene.fetch_plainly()


# --- the host shows an older state ---------------------------------------------------------------------


def test_an_older_timestamp_is_a_rollback(scene: Scene) -> None:
    old = dict(scene.web.files)
    next_release(scene)
    scene.see()
    scene.web.files = old
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR430")
    assert "older than the one seen before" in error.message


def test_an_older_snapshot_under_a_new_timestamp_is_a_rollback(scene: Scene) -> None:
    old = scene.shop.path_of("2.snapshot.json")
    next_release(scene)
    scene.see()
    assert old
    with scene.shop.repository().edit() as edit:  # whoever has the timestamp key alone
        edit._state.snapshot.signed.version = 2  # type: ignore[attr-defined]  # what no edit of ours would do
        edit.publish_timestamp()  # type: ignore[attr-defined]  # the same
    serve(scene.web, scene.shop)
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR430")


def test_an_index_that_is_never_renewed_freezes_nobody_for_longer_than_a_day(scene: Scene) -> None:
    scene.shop.clock.pass_seconds(-2 * 86400)
    scene.shop.repository().sign_timestamp()
    serve(scene.web, scene.shop)
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR431")
    assert "timestamp.json is expired" in error.message
    assert "--index-as-of" in str(error.hint)


def test_an_expired_index_is_read_as_of_a_date_and_every_run_says_so(scene: Scene) -> None:
    scene.shop.clock.pass_seconds(-2 * 86400)
    scene.shop.repository().sign_timestamp()
    serve(scene.web, scene.shop)
    scene.rules = ReadingRules(as_of=datetime.now(UTC) - timedelta(days=1.5))
    for _ in range(2):
        reader = scene.reader()
        assert shard_of(reader, NAME).name == NAME
        assert "judged as of" in reader.warnings[0]


@pytest.mark.parametrize("role", ["snapshot", "targets", "bins", "root"])
def test_what_expired_below_a_fresh_timestamp_is_refused(tmp_path: Path, role: str) -> None:
    long_ago = FixedClock(datetime.now(UTC) - timedelta(days=400 if role != "snapshot" else 100))
    shop = IndexShop(tmp_path, clock=long_ago)
    shop.begin()
    shop.add(released(NAME, "1.0.0"))
    shop.clock = FixedClock(datetime.now(UTC))
    if role in ("targets", "bins"):
        shop.repository().rotate("root")
    if role == "bins":
        shop.repository().rotate("targets")
    if role in ("targets", "bins"):
        shop.repository().rotate("snapshot")
    shop.repository().sign_timestamp()
    with serving() as web:
        serve(web, shop)
        error = Scene(shop, web, tmp_path / "cache", ReadingRules()).refused()
    assert (error.exit_code, error.code) == (4, "OHR431")
    assert role in error.message


# --- the host mixes what was signed --------------------------------------------------------------------


def test_a_bin_of_another_snapshot_does_not_belong(scene: Scene) -> None:
    bins = {p: c for p, c in scene.web.files.items() if ".bins-" in p}
    next_release(scene)
    for path, content in scene.web.files.items():
        role = path.rpartition("/")[2].partition(".")[2]
        older = [p for p in bins if p.endswith(role) and p != path and bins[p] != content]
        if ".bins-" in path and older:
            scene.web.files[path] = bins[max(older)]
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR432")


def test_a_snapshot_of_another_timestamp_does_not_belong(scene: Scene) -> None:
    old = scene.web.files["/metadata/2.snapshot.json"]
    next_release(scene)
    newest = max(path for path in scene.web.files if path.endswith(".snapshot.json"))
    scene.web.files[newest] = old
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR432")
    assert "do not belong together" in error.message


# --- the host invents ----------------------------------------------------------------------------------


def test_an_arbitrary_target_is_not_what_was_signed(scene: Scene) -> None:
    path = scene.path_of("python.json.zst")
    scene.web.files[path] = bytes(len(scene.web.files[path]))
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR434")


def test_one_flipped_bit_of_a_shard_is_found(scene: Scene) -> None:
    path = scene.path_of("python.json.zst")
    content = bytearray(scene.web.files[path])
    content[len(content) // 2] ^= 1
    scene.web.files[path] = bytes(content)
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR434")
    assert "not the one that was signed" in error.message


def test_a_shard_that_is_missing_was_promised(scene: Scene) -> None:
    del scene.web.files[scene.path_of("python.json.zst")]
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR437")


def test_a_bin_signed_by_somebody_else_is_refused(scene: Scene, tmp_path: Path) -> None:
    other = IndexShop(tmp_path / "other")
    other.begin()
    other.add(released(NAME, "9.9.9"))
    theirs = other.files()
    for path in list(scene.web.files):
        if ".bins-" in path and path[1:] in theirs:
            scene.web.files[path] = theirs[path[1:]]
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR433")


def test_somebody_elses_whole_index_is_refused(scene: Scene, tmp_path: Path) -> None:
    other = IndexShop(tmp_path / "other")
    other.begin()
    other.add(released(NAME, "9.9.9"))
    serve(scene.web, other)
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR433")


def test_what_is_no_metadata_is_refused(scene: Scene) -> None:
    scene.web.files["/metadata/timestamp.json"] = b"<html>log in here</html>"
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR439")


# --- the host does not end -----------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["timestamp.json", "python.json.zst"])
def test_endless_data_is_cut_off(scene: Scene, part: str) -> None:
    path = scene.path_of(part)
    scene.web.files[path] += bytes(5_000_000)
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR435")


def test_a_host_that_trickles_is_left(scene: Scene) -> None:
    path = scene.path_of("python.json.zst")
    scene.web.always(path, bytes(200_000), Reply(pause=1.5))
    with pytest.raises(OurDownloadError) as caught:
        shard_of(scene.reader(), NAME)
    assert (caught.value.exit_code, caught.value.code) == (3, "OHR436")
    with pytest.raises(DownloadError):
        scene.fetch_plainly()


# --- keys are stolen -----------------------------------------------------------------------------------


def test_a_root_signed_by_fewer_than_the_threshold_changes_nothing(scene: Scene) -> None:
    root = Metadata[Root].from_bytes(scene.shop.root())
    root.signed.version += 1
    signer = scene.shop.repository()._keys.signers("root", root.signed.roles["root"].keyids)[0]
    root.signatures.clear()
    root.sign(signer)
    scene.web.files["/metadata/2.root.json"] = root.to_bytes(JSONSerializer(compact=True))
    error = scene.refused()
    assert (error.exit_code, error.code) == (4, "OHR433")


def use(repository: TufRepository, role: str) -> None:
    """Have a role's key sign something."""
    if role == "timestamp":
        repository.sign_timestamp()
    elif role in ("snapshot", "bins"):
        with repository.edit() as edit:
            edit.put("shards/ev/evil.json.zst", b"evil")
            edit.publish()
    else:
        repository.rotate("targets" if role == "root" else "bins")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "bins", "root"])
def test_readers_follow_every_rotation_and_an_old_key_signs_nothing_more(
    scene: Scene, tmp_path: Path, role: str
) -> None:
    scene.see()
    old = {path.name: path.read_bytes() for path in scene.shop.keys.rglob("*.pem")}
    scene.shop.repository().rotate(role)  # type: ignore[arg-type]  # one of them
    serve(scene.web, scene.shop)
    scene.see()
    stolen = tmp_path / "stolen"
    stolen.mkdir()
    for name, content in old.items():
        (stolen / name).write_bytes(content)
    with pytest.raises(RecipesError):
        use(scene.shop.repository(stolen), role)


def test_readers_of_the_first_root_follow_a_chain_of_roots(scene: Scene) -> None:
    for _ in range(3):
        scene.shop.repository().rotate("root")
        scene.shop.repository().rotate("timestamp")
    serve(scene.web, scene.shop)
    scene.see()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_lost_key_is_replaced_by_the_root(scene: Scene, role: str) -> None:
    scene.see()
    for path in scene.shop.keys.rglob(f"{role}-*.pem"):
        path.unlink()
    scene.shop.repository().rotate(role)  # type: ignore[arg-type]  # one of them
    serve(scene.web, scene.shop)
    scene.see()


# --- nobody answers ------------------------------------------------------------------------------------


def test_what_was_verified_is_read_when_nobody_answers_and_that_is_said(scene: Scene) -> None:
    scene.see()
    where = scene.web.url
    scene.web.url = "http://127.0.0.1:9"
    reader = scene.reader()
    scene.web.url = where
    assert shard_of(reader, NAME).name == NAME
    assert "cannot be reached" in reader.warnings[0]


def test_a_reader_told_to_be_offline_asks_nobody(scene: Scene) -> None:
    scene.see()
    before = len(scene.web.requests)
    scene.rules = ReadingRules(offline=True)
    assert shard_of(scene.reader(), NAME).name == NAME
    assert len(scene.web.requests) == before


def test_a_new_reader_whom_nobody_answers_says_so(scene: Scene) -> None:
    scene.web.url = "http://127.0.0.1:9"
    with pytest.raises(OurDownloadError) as caught:
        shard_of(scene.reader(), NAME)
    assert (caught.value.exit_code, caught.value.code) == (3, "OHR448")


def test_offline_an_expired_index_is_still_expired(scene: Scene) -> None:
    scene.shop.clock.pass_seconds(-86400 + 2)
    scene.shop.repository().sign_timestamp()
    serve(scene.web, scene.shop)
    scene.see()
    scene.rules = ReadingRules(offline=True, as_of=datetime.now(UTC) + timedelta(seconds=10))
    with pytest.raises(VerificationError) as caught:
        shard_of(scene.reader(), NAME)
    assert caught.value.code == "OHR431"
