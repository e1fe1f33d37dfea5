"""Made-up archives of a few packages, where every rule of preference meets every other."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from openhands_recipes.compile.debian.packages import index
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.errors import ResolutionError
from openhands_recipes.ports import PackageList
from tests.debian_lists import stanza
from tests.integration.private_apt import PrivateApt

NAMES = ("aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii", "jj")
VIRTUAL = ("vv", "ww", "xx")
FILE = {"filename": "./none.deb", "size": "1", "sha256": "0" * 64, "description": "none"}


class SmallArchive:
    """An archive in a folder, asked by apt and by us."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "archive"
        self.folder.mkdir()
        source = f"Types: deb\nURIs: file:{self.folder}\nSuites: ./\nTrusted: yes\n"
        self.apt = PrivateApt(folder / "apt", source)
        self.content = b""

    def hold(self, *stanzas: str) -> None:
        self.content = "\n".join(stanzas).encode()
        (self.folder / "Packages").write_bytes(self.content)
        self.apt.update()

    def ours(self, *names: str) -> set[str] | None:
        universe = index([PackageList("small", "amd64", self.content)])
        try:
            solution = solve(universe, [Request(name, "some") for name in names], essential=False)
        except ResolutionError:
            return None
        return {package.name for package in solution.packages}

    def apts(self, *names: str) -> set[str] | None:
        added = self.apt.would_install(sorted(names))
        return None if added is None else set(added)


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    return SmallArchive(tmp_path)


def made_up(dice: random.Random) -> list[str]:
    """Ten packages in any order, without conflicts."""

    def need() -> str:
        name = dice.choice(NAMES + VIRTUAL)
        if dice.random() < 0.75:
            return name
        return f"{name} ({dice.choice(('<<', '>=', '='))} {dice.randint(1, 3)})"

    def groups(count: int) -> str:
        return ", ".join(" | ".join(need() for _ in range(dice.randint(1, 3))) for _ in range(count))

    def fields() -> dict[str, str]:
        provided = dice.sample((*VIRTUAL, "aa"), dice.choice((0, 0, 1, 2)))
        found = {
            "depends": groups(dice.choice((0, 1, 1, 2))),
            "pre_depends": groups(dice.choice((0, 0, 0, 1))),
            "provides": ", ".join(f"{name}{dice.choice(('', ' (= 1)', ' (= 3)'))}" for name in provided),
            "priority": dice.choice((*["optional"] * 6, "extra", "required", "important")),
            "multi_arch": dice.choice((*[""] * 9, "allowed")),
        }
        return {key: text for key, text in found.items() if text}

    return [
        stanza(name, str(dice.randint(1, 3)), **fields(), **FILE) for name in dice.sample(NAMES, len(NAMES))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_without_conflicts_we_choose_what_apt_chooses(archive: SmallArchive, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret
    archive.hold(*made_up(dice))
    for _ in range(3):
        wanted = dice.sample(NAMES, dice.randint(1, 3))
        assert archive.ours(*wanted) == archive.apts(*wanted)


def test_an_essential_or_important_provider_is_preferred_by_both(archive: SmallArchive) -> None:
    archive.hold(
        stanza("aa", depends="vv, ww", **FILE),
        stanza("bb", provides="vv", important="yes", priority="extra", **FILE),
        stanza("cc", provides="vv, ww", priority="required", **FILE),
        stanza("dd", provides="ww", protected="yes", **FILE),
    )
    assert archive.ours("aa") == archive.apts("aa") == {"aa", "bb", "dd"}


def test_one_difference_remains_where_apt_drops_a_choice_again(archive: SmallArchive) -> None:
    """apt takes ll, meets rr, which refuses ll, drops ll and repairs; we keep ll and go another way.

    Both answers are right. Ours costs no repair and does not change when the packages in between do.
    """
    archive.hold(
        stanza("aa", depends="ll | rr", **FILE),
        stanza("bb", depends="rr | zz", **FILE),
        stanza("ll", **FILE),
        stanza("rr", conflicts="ll", **FILE),
        stanza("zz", **FILE),
    )
    assert archive.apts("aa", "bb") == {"aa", "bb", "rr"}
    assert archive.ours("aa", "bb") == {"aa", "bb", "ll", "zz"}
