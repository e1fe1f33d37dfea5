"""Finding releases in an index, archives and withdrawn ones included."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.adapters.index_source import FolderSource
from openhands_recipes.adapters.tuf_client import TufIndexReader
from openhands_recipes.errors import ResolutionError, UsageError, VerificationError
from openhands_recipes.flows.find import names, parse_asked, resolve, search, tombstones
from openhands_recipes.model.index import malformed
from openhands_recipes.publish.index.find import Query
from tests.indexes import IndexShop, changed, folder_reader, reader_of, released


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> IndexShop:
    """Sixty releases of one recipe: the highest version is among the oldest, in an archive."""
    made = IndexShop(tmp_path_factory.mktemp("shop"))
    made.begin()
    records = [released("python", "9.0.0", day=0), released("python", "8.0.0", day=1)]
    records += [released("python", f"1.{n}.0", day=2 + n) for n in range(58)]
    withdrawn = [changed(records[1], "yanked", day=100), changed(records[-1], "blocked", day=101)]
    made.add(*records, released("node", "1.0.0"), changes=withdrawn)
    return made


@pytest.fixture
def reader(shop: IndexShop, tmp_path: Path) -> TufIndexReader:
    return folder_reader(shop, tmp_path)


def test_the_highest_version_is_found_in_an_archive(reader: TufIndexReader) -> None:
    found = resolve(reader, parse_asked("python"))
    assert found.entry.version == "9.0.0"
    assert found.shard.archived
    assert resolve(reader, parse_asked("python@^1")).entry.version == "1.56.0"


def test_an_archived_release_is_found_by_its_digest(reader: TufIndexReader) -> None:
    digest = released("python", "9.0.0").index
    assert resolve(reader, parse_asked(f"python@{digest}")).entry.version == "9.0.0"


def test_a_yanked_release_is_found_by_digest_with_a_note_only(reader: TufIndexReader) -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(reader, parse_asked("python@8.0.0"))
    assert caught.value.code == "OHR442"
    digest = released("python", "8.0.0").index
    assert f"python@{digest}" in str(caught.value.hint)
    assert "yanked" in resolve(reader, parse_asked(f"python@{digest}")).notes[0]


def test_a_blocked_release_is_refused_in_every_way(reader: TufIndexReader) -> None:
    with pytest.raises(ResolutionError) as by_version:
        resolve(reader, parse_asked("python@1.57.0"))
    with pytest.raises(VerificationError) as by_digest:
        resolve(reader, parse_asked(f"python@{released('python', '1.57.0').index}"))
    assert by_version.value.code == by_digest.value.code == "OHR443"


def test_what_is_not_there_is_said_to_be_not_there(reader: TufIndexReader) -> None:
    codes = []
    for text in ("perl", "python@7.7.7", "python@sha256:" + "0" * 64):
        with pytest.raises(ResolutionError) as caught:
            resolve(reader, parse_asked(text))
        codes.append(caught.value.code)
    assert codes == ["OHR440", "OHR441", "OHR441"]
    with pytest.raises(UsageError):
        resolve(reader, parse_asked("python@what is this"))


def test_lists_tell_of_all_recipes(reader: TufIndexReader) -> None:
    assert names(reader) == ("node", "python")
    assert [(one.label, one.state.name) for one in tombstones(reader)] == [
        ("1.57.0-r1", "blocked"),
        ("8.0.0-r1", "yanked"),
    ]
    assert [hit.name for hit in search(reader, Query(("tools",))).hits] == ["node", "python"]


def test_a_young_list_is_searched_without_asking_again(
    reader: TufIndexReader, shop: IndexShop, tmp_path: Path
) -> None:
    search(reader, Query(("node",)))
    shop.index.rename(tmp_path / "away")
    try:
        again = folder_reader_without(shop, tmp_path)
        assert search(again, Query(("node",))).hits
    finally:
        (tmp_path / "away").rename(shop.index)


def folder_reader_without(shop: IndexShop, cache: Path) -> TufIndexReader:
    root = (cache / "away" / "metadata" / "1.root.json").read_bytes()
    return reader_of(FolderSource(shop.index), root, cache)


def test_faults_of_signed_bytes_have_a_code() -> None:
    assert malformed("x").code == "OHR439"
