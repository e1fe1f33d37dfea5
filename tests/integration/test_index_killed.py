"""Killed at any step, an edit leaves the old index or the new one, whole; the next edit finishes the work."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from openhands_recipes.adapters import atomic
from openhands_recipes.adapters.index_folder import IndexFolder
from openhands_recipes.adapters.index_keys import KeyFolders
from openhands_recipes.adapters.tuf_repository import TufRepository
from openhands_recipes.flows.find import shard_of
from openhands_recipes.flows.index import add, verify
from openhands_recipes.ports.index_site import IndexRole
from tests.fakes import QuietProgress
from tests.indexes import IndexShop, folder_reader, released


class Deadly(IndexFolder):
    """Its process is killed just before the nth file gets its name."""

    def __init__(self, folder: Path, deadly: int) -> None:
        super().__init__(folder)
        self._left = deadly

    def write(self, path: str, content: bytes, *, durable: bool = False) -> None:
        self._left -= 1
        if self._left == 0:  # what was being written lies there, half, under its temporary name
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            name = atomic.temporary_name((self.folder / path).parent, Path(path).name)
            name.write_bytes(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(path, content, durable=durable)


def survived(work: Callable[[], object]) -> bool:
    """Whether a child process came to the end of some work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def begun(folder: Path) -> IndexShop:
    shop = IndexShop(folder)
    shop.begin(bins=2)
    shop.add(released("python", "1.0.0"), released("node", "1.0.0"))
    return shop


def deadly(shop: IndexShop, step: int) -> TufRepository:
    return TufRepository(Deadly(shop.index, step), KeyFolders([shop.keys]), shop.clock)


def versions(shop: IndexShop, cache: Path) -> list[str]:
    return [entry.version for entry in shard_of(folder_reader(shop, cache), "python").entries]


def test_an_edit_killed_at_any_step_leaves_the_old_index_and_the_next_one_finishes(tmp_path: Path) -> None:
    shop = begun(tmp_path / "shop")
    before = tmp_path / "before"
    shutil.copytree(shop.index, before)
    shop.ledger.kept.append(released("python", "1.1.0", day=1))

    def edit(step: int) -> None:
        add(shop.ledger, deadly(shop, step), verify=lambda _, s: s.change, progress=QuietProgress())

    steps = 1
    while not survived(lambda: edit(steps)):  # noqa: B023 - called at once
        assert versions(shop, tmp_path / f"cache-{steps}") == ["1.0.0"]
        verify(shop.repository(), progress=QuietProgress())
        shop.add()
        assert versions(shop, tmp_path / f"cache-{steps}") == ["1.1.0", "1.0.0"]
        finished = dict(shop.repository().walk())
        shutil.rmtree(shop.index)
        shutil.copytree(before, shop.index)
        steps += 1
    assert steps > 8
    assert dict(shop.repository().walk()) == finished


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "bins", "root"])
def test_a_rotation_killed_at_any_step_turns_no_reader_away(tmp_path: Path, role: IndexRole) -> None:
    shop = begun(tmp_path / "shop")
    kept = {name: tmp_path / "before" / name for name in ("index", "keys")}
    for name, place in kept.items():
        shutil.copytree(shop.folder / name, place)
    steps = 1
    while not survived(lambda: deadly(shop, steps).rotate(role)):  # noqa: B023 - called at once
        cache = tmp_path / f"cache-{steps}"
        assert versions(shop, cache) == ["1.0.0"]
        shop.add(released("python", "1.1.0", day=1))
        assert versions(shop, cache) == ["1.1.0", "1.0.0"]
        shop.ledger.kept.pop()
        for name, place in kept.items():
            shutil.rmtree(shop.folder / name)
            shutil.copytree(place, shop.folder / name)
        steps += 1
    assert versions(shop, tmp_path / "cache") == ["1.0.0"]


def test_edits_of_two_processes_wait_for_one_another(tmp_path: Path) -> None:
    shop = begun(tmp_path / "shop")
    children = []
    for number in range(3):
        shop.ledger.kept.append(released("python", f"1.{number + 1}.0", day=number))
        child = os.fork()
        if child == 0:
            try:
                shop.add()
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    shop.add()
    verify(shop.repository(), progress=QuietProgress())
    assert versions(shop, tmp_path / "cache") == ["1.3.0", "1.2.0", "1.1.0", "1.0.0"]


def test_a_finished_edit_without_the_timestamp_key_waits_for_its_holder(tmp_path: Path) -> None:
    shop = begun(tmp_path / "shop")
    apart = tmp_path / "apart"
    apart.mkdir()
    (key,) = shop.keys.rglob("timestamp-*.pem")
    shutil.move(key, apart / key.name)
    report = shop.add(released("python", "1.1.0", day=1))
    assert not report.published.visible
    assert versions(shop, tmp_path / "cache") == ["1.0.0"]
    assert shop.repository(apart).sign_timestamp().visible
    assert versions(shop, tmp_path / "cache") == ["1.1.0", "1.0.0"]
