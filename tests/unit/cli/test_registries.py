"""Other registries: what a pinned release became, when their index can be asked and when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from openhands_recipes.cli.index_options import IndexChoice
from openhands_recipes.cli.world.registries import EXPIRED, IndexedRegistries
from openhands_recipes.errors import DownloadError, RecipesError, VerificationError
from openhands_recipes.ports.index_site import IndexReader
from openhands_recipes.publish.index.shard import shard_path
from tests.indexes import IndexShop, changed, folder_reader, released

UNREACHABLE = ("the index cannot be reached",)


class Refusing:
    """A reader that answers with an error, and has what was verified before."""

    def __init__(self, known: IndexReader, error: RecipesError, warnings: tuple[str, ...]) -> None:
        self.known = known
        self.error = error
        self.warnings = warnings

    def target(self, _path: str) -> bytes | None:
        raise self.error

    def cached_target(self, path: str, *, seconds: float) -> bytes | None:
        return self.known.cached_target(path, seconds=seconds)

    def blob(self, _pinned: object) -> bytes:
        raise self.error


@pytest.fixture
def known(tmp_path: Path) -> IndexReader:
    """A reader that has verified `tools`, whose release was blocked."""
    shop = IndexShop(tmp_path / "shop")
    shop.begin()
    record = released("tools", "1.0.0", day=0)
    shop.add(record, changes=[changed(record, "blocked", day=1)])
    reader = folder_reader(shop, tmp_path / "cache")
    assert reader.target(shard_path("tools"))
    return reader


def registries(reader: object, said: list[str]) -> IndexedRegistries:
    @contextmanager
    def opened(_choice: IndexChoice) -> Iterator[IndexReader]:
        yield cast("IndexReader", reader)

    def never() -> None:
        raise AssertionError

    return IndexedRegistries(never, opened, never, said.append)  # type: ignore[arg-type]


def expired() -> VerificationError:
    return VerificationError("the index has expired", code=EXPIRED)


def test_a_pin_holds_without_an_index_but_a_block_that_was_seen_stays(known: IndexReader) -> None:
    for error in (DownloadError("nobody answers"), expired()):
        said: list[str] = []
        state = registries(Refusing(known, error, UNREACHABLE), said).state("acme", "tools", "1.0.0-r1")
        assert state is not None
        assert state.name == "blocked"
        assert "cannot be looked up" in said[0]


def test_an_index_that_answers_and_has_expired_is_refused(known: IndexReader) -> None:
    with pytest.raises(VerificationError, match="has expired"):
        registries(Refusing(known, expired(), ()), []).state("acme", "tools", "1.0.0-r1")


@pytest.mark.parametrize("warnings", [(), UNREACHABLE])
def test_any_other_fault_of_an_index_is_refused_whoever_answers(
    known: IndexReader, warnings: tuple[str, ...]
) -> None:
    error = VerificationError("rolled back", code="OHR430")
    with pytest.raises(VerificationError, match="rolled back"):
        registries(Refusing(known, error, warnings), []).state("acme", "tools", "1.0.0-r1")


def test_what_was_never_seen_is_unknown_when_nobody_answers(known: IndexReader) -> None:
    said: list[str] = []
    reader = Refusing(known, DownloadError("nobody answers"), UNREACHABLE)
    assert registries(reader, said).state("acme", "other", "1.0.0-r1") is None
    assert len(said) == 1
