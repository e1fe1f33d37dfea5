"""No byte of an index can be changed without its publisher and its readers noticing."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.adapters.index_folder import IndexFolder
from openhands_recipes.adapters.index_keys import KeyFolders
from openhands_recipes.adapters.index_mirror import IndexMirror
from openhands_recipes.adapters.tuf_repository import TufRepository
from openhands_recipes.errors import RecipesError
from openhands_recipes.flows.index import verify
from openhands_recipes.publish.index.chain import blobs_of
from tests.fakes import CountingStage, QuietProgress
from tests.indexes import IndexShop, changed, folder_reader, released


class Watched(IndexFolder):
    """Remembers what was read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seen: set[str] = set()

    def read(self, path: str) -> bytes | None:
        content = super().read(path)
        if content is not None:
            self.seen.add(path)
        return content


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> IndexShop:
    made = IndexShop(tmp_path_factory.mktemp("shop"))
    made.begin(bins=2)
    releases = [released("python", f"1.{n}.0", day=n) for n in range(50)]
    made.add(*releases, released("go", "1.0.0"), changes=[changed(releases[0], "yanked", day=60)])
    return made


def parts(shop: IndexShop) -> list[str]:
    """Every file the newest state consists of."""
    site = Watched(shop.index)
    verify(TufRepository(site, KeyFolders(()), shop.clock), progress=QuietProgress())
    return sorted(site.seen)


def test_a_flipped_bit_anywhere_is_refused_by_publisher_and_mirror(shop: IndexShop, tmp_path: Path) -> None:
    files = parts(shop)
    assert any(path.startswith("blobs/") for path in files)
    unnoticed = []
    for number, path in enumerate(files):
        file = shop.index / path
        content = file.read_bytes()
        for at in sorted({0, len(content) // 3, len(content) // 2, len(content) - 1}):
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            if verifies(shop) or mirrors(shop, tmp_path / f"{number}-{at}"):
                unnoticed.append((path, at))
        file.write_bytes(content)
    assert not unnoticed
    assert verifies(shop)
    assert mirrors(shop, tmp_path / "good")


def test_a_missing_file_is_missed_by_publisher_and_mirror(shop: IndexShop, tmp_path: Path) -> None:
    unnoticed = []
    for number, path in enumerate(parts(shop)):
        file = shop.index / path
        content = file.read_bytes()
        file.unlink()
        if verifies(shop) or (path != "metadata/1.root.json" and mirrors(shop, tmp_path / str(number))):
            unnoticed.append(path)
        file.write_bytes(content)
    assert not unnoticed


def verifies(shop: IndexShop) -> bool:
    try:
        verify(shop.repository(), progress=QuietProgress())
    except RecipesError:
        return False
    return True


def mirrors(shop: IndexShop, folder: Path) -> bool:
    try:
        reader = folder_reader(shop, folder / "cache")
        IndexMirror(reader, IndexFolder(folder / "copy"), blobs_of=blobs_of).copy(CountingStage())
    except RecipesError:
        return False
    return True
