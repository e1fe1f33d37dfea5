from __future__ import annotations

import random

from openhands_recipes.compile.debian.candidates import InstalledPackage
from openhands_recipes.compile.debian.ordering import order
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solution import Solution
from openhands_recipes.compile.debian.solve import solve
from tests.debian_lists import stanza, universe


def solved(*stanzas: str, fixed: str = "") -> Solution:
    world = universe(*stanzas)
    installed = [InstalledPackage(name, "1", "amd64", "base") for name in fixed.split()]
    names = [name for name in world.names() if name not in fixed.split()]
    return solve(world, [Request(name, "some") for name in names], installed=installed, essential=False)


def test_what_is_needed_comes_first() -> None:
    solution = solved(stanza("a", depends="b"), stanza("b", pre_depends="c"), stanza("c"), stanza("0"))
    assert order(solution) == (("0",), ("c",), ("b",), ("a",))


def test_a_circle_is_one_group_pre_depends_first() -> None:
    solution = solved(
        stanza("a", pre_depends="c"), stanza("b", depends="a"), stanza("c", depends="b, d"), stanza("d")
    )
    assert order(solution) == (("d",), ("c", "a", "b"))


def test_two_circles_stay_apart() -> None:
    solution = solved(
        stanza("a", depends="b, c"),
        stanza("b", depends="a"),
        stanza("c", depends="d"),
        stanza("d", depends="c"),
    )
    assert order(solution) == (("c", "d"), ("a", "b"))


def test_a_need_is_met_by_the_first_alternative_that_is_there() -> None:
    solution = solved(stanza("a", depends="gone | c | b"), stanza("b"), stanza("c"))
    assert solution.depends("a") == ("c",)


def test_a_need_that_a_parent_or_the_package_itself_meets_gives_no_order() -> None:
    solution = solved(
        stanza("a", depends="b | p", pre_depends="p"),
        stanza("b", depends="v | a", provides="v"),
        stanza("p"),
        fixed="p",
    )
    assert (solution.depends("a"), solution.pre_depends("a"), solution.depends("b")) == ((), (), ())
    assert order(solution) == (("a",), ("b",))


def test_the_order_of_the_lists_does_not_matter() -> None:
    stanzas = [stanza(name, depends=need) for name, need in zip("abcdefg", "bcadgfb", strict=True)]
    expected = order(solved(*stanzas))
    for seed in range(20):
        random.Random(seed).shuffle(stanzas)  # noqa: S311 - no secret
        assert order(solved(*stanzas)) == expected


def test_long_chains_are_no_trouble() -> None:
    chain = [stanza(f"p{number:04}", depends=f"p{number + 1:04}") for number in range(3000)]
    assert len(order(solved(*chain, stanza("p3000")))) == 3001
