from __future__ import annotations

import pytest

from openhands_recipes.compile.debian.candidates import InstalledPackage
from openhands_recipes.compile.debian.packages import Universe
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solution import Solution, installed_by
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.model.lock import Deb
from tests.debian_lists import stanza, universe


def solved(world: Universe, *names: str, fixed: str = "", essential: bool = False) -> Solution:
    """Solve for some names on top of fixed packages, `a=1 b=2`."""
    installed = [
        InstalledPackage(name, version, "amd64", "base")
        for name, _, version in (each.partition("=") for each in fixed.split())
    ]
    requests = [Request(name, "some") for name in names]
    return solve(world, requests, installed=installed, essential=essential)


def names_of(solution: Solution) -> str:
    return " ".join(package.name for package in solution.packages)


def test_depends_and_pre_depends_are_followed_recommends_are_not() -> None:
    world = universe(
        stanza("a", pre_depends="b", depends="c", recommends="e", suggests="e"),
        stanza("b"),
        stanza("c", depends="d"),
        stanza("d"),
        stanza("e"),
    )
    assert names_of(solved(world, "a")) == "a b c d"


def test_the_first_alternative_is_preferred() -> None:
    world = universe(stanza("a", depends="y | x"), stanza("x"), stanza("y"))
    assert names_of(solved(world, "a")) == "a y"


def test_an_alternative_that_was_asked_for_anyway_is_enough() -> None:
    world = universe(stanza("a", depends="y | x"), stanza("x"), stanza("y"))
    assert names_of(solved(world, "a", "x")) == "a x"


def test_an_alternative_a_parent_has_is_enough() -> None:
    world = universe(stanza("a", depends="y | x"), stanza("x"), stanza("y"))
    assert names_of(solved(world, "a", fixed="x=1")) == "a"


def test_an_alternative_of_the_wrong_version_is_passed_over() -> None:
    world = universe(stanza("a", depends="y (>= 2) | x"), stanza("x"), stanza("y"))
    assert names_of(solved(world, "a")) == "a x"


def test_an_alternative_whose_own_needs_cannot_be_met_is_passed_over() -> None:
    world = universe(
        stanza("a", depends="y | x"), stanza("x"), stanza("y", depends="z"), stanza("z", depends="nobody")
    )
    assert names_of(solved(world, "a")) == "a x"


def test_the_package_of_the_name_comes_before_those_that_provide_it() -> None:
    world = universe(stanza("z", depends="v"), stanza("a", provides="v"), stanza("v", priority="extra"))
    assert names_of(solved(world, "z")) == "v z"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"essential": "yes"}, {"important": "yes", "priority": "required"}),
        ({"important": "yes"}, {"priority": "required"}),
        ({"protected": "yes"}, {"priority": "required"}),
        ({"priority": "standard"}, {"priority": "optional"}),
        ({"priority": "optional"}, {"priority": "extra"}),
    ],
)
def test_providers_are_preferred_as_apt_does(better: dict[str, str], worse: dict[str, str]) -> None:
    world = universe(
        stanza("z", depends="v"), stanza("b", provides="v", **better), stanza("c", provides="v", **worse)
    )
    assert names_of(solved(world, "z")) == "b z"


def test_of_equal_providers_the_one_apt_meets_last_is_taken() -> None:
    world = universe(
        stanza("z", depends="v"),
        stanza("b", provides="v"),
        stanza("a", provides="v", depends="c"),
        stanza("c"),
    )
    assert names_of(solved(world, "z")) == "a c z"


def test_a_versioned_relation_needs_a_versioned_provides() -> None:
    world = universe(
        stanza("z", depends="v (>= 2)"),
        stanza("a", "9", provides="v"),
        stanza("b", provides="v (= 1)"),
        stanza("c", provides="v (= 3)"),
    )
    assert names_of(solved(world, "z")) == "c z"


def test_a_conflict_steers_to_another_alternative() -> None:
    world = universe(
        stanza("a", depends="x | y"),
        stanza("b", conflicts="x"),
        stanza("x"),
        stanza("y", depends="z"),
        stanza("z"),
    )
    assert names_of(solved(world, "a", "b")) == "a b y z"


def test_a_choice_is_taken_back_when_it_excludes_a_later_need() -> None:
    world = universe(
        stanza("a", depends="x | y"),
        stanza("b", depends="c"),
        stanza("c", depends="d"),
        stanza("d", breaks="v (<< 3)"),
        stanza("x", provides="v (= 2)"),
        stanza("y", provides="v (= 3)"),
    )
    assert names_of(solved(world, "a", "b")) == "a b c d y"


def test_an_earlier_choice_stands_where_a_later_need_has_an_alternative() -> None:
    # apt would drop x again and go through y; both are solutions.
    world = universe(
        stanza("a", depends="x | y"),
        stanza("b", depends="y | z"),
        stanza("x", conflicts="y"),
        stanza("y"),
        stanza("z"),
    )
    assert names_of(solved(world, "a", "b")) == "a b x z"


def test_two_choices_are_taken_back_together_where_only_that_helps() -> None:
    world = universe(
        stanza("a", depends="x | y"),
        stanza("b", depends="x | z"),
        stanza("c", depends="w"),
        stanza("w", conflicts="x"),
        stanza("x"),
        stanza("y"),
        stanza("z"),
    )
    assert names_of(solved(world, "a", "b", "c")) == "a b c w y z"


def test_a_package_never_conflicts_with_itself() -> None:
    world = universe(stanza("exim", provides="mta", conflicts="mta, exim", breaks="mta"))
    assert names_of(solved(world, "exim")) == "exim"


def test_conflicts_reach_through_provides_versioned_ones_only_versioned() -> None:
    world = universe(
        stanza("a", conflicts="v (<< 2)"), stanza("b", provides="v (= 2)"), stanza("c", provides="v")
    )
    assert names_of(solved(world, "a", "b", "c")) == "a b c"


def test_a_package_may_meet_its_own_need() -> None:
    world = universe(stanza("a", provides="v", depends="v | b"), stanza("b"))
    assert names_of(solved(world, "a")) == "a"


def test_circles_are_no_trouble() -> None:
    world = universe(stanza("a", depends="b"), stanza("b", depends="c"), stanza("c", depends="a"))
    assert names_of(solved(world, "b")) == "a b c"


def test_long_chains_are_no_trouble() -> None:
    chain = [stanza(f"p{number}", depends=f"p{number + 1}") for number in range(3000)]
    assert len(solved(universe(*chain, stanza("p3000")), "p0").packages) == 3001


def test_the_essential_set_is_added_when_it_is_asked_for() -> None:
    world = universe(stanza("a"), stanza("dash", essential="yes", pre_depends="libc"), stanza("libc"))
    assert names_of(solved(world, "a")) == "a"
    assert names_of(solved(world, "a", essential=True)) == "a dash libc"
    assert names_of(solved(world, "a", essential=True, fixed="dash=0")) == "a"


def test_what_is_installed_is_not_added_again() -> None:
    world = universe(stanza("a", depends="b"), stanza("b", depends="c"), stanza("c"))
    assert names_of(solved(world, "a", "b", fixed="b=1 c=1")) == "a"


def test_an_installed_version_the_mirror_no_longer_has_counts_by_its_version() -> None:
    world = universe(stanza("a", depends="b (<< 2) | c"), stanza("b", "2", depends="gone"), stanza("c"))
    assert names_of(solved(world, "a", fixed="b=1.9")) == "a"


def test_an_installed_version_the_mirror_no_longer_has_provides_what_its_successor_does() -> None:
    world = universe(
        stanza("a", depends="v, w (= 1.9), x (= 7)"), stanza("b", "2", provides="v, w (= 2), x (= 7)")
    )
    assert names_of(solved(world, "a", fixed="b=1.9")) == "a"


def test_an_installed_package_the_mirror_has_forgotten_counts_by_its_name() -> None:
    world = universe(stanza("a", depends="b (>= 1) | c"), stanza("c"))
    assert names_of(solved(world, "a", fixed="b=1.9")) == "a"


def test_an_installed_older_version_keeps_what_it_provides_itself() -> None:
    world = universe(
        stanza("a", depends="v | c"),
        stanza("b", "1", provides="v"),
        stanza("c"),
        security=(stanza("b", "2"),),
    )
    assert names_of(solved(world, "a", fixed="b=1")) == "a"
    assert names_of(solved(world, "a", fixed="b=2")) == "a c"


def test_a_virtual_request_means_its_only_provider() -> None:
    world = universe(stanza("exim", provides="mta"), stanza("a"))
    solution = solved(world, "mta")
    assert names_of(solution) == "exim"
    assert solution.why("exim") == ("some asks for mta, which exim provides",)


def test_a_virtual_request_is_granted_by_what_a_parent_has() -> None:
    world = universe(stanza("exim", provides="mta"), stanza("postfix", provides="mta"))
    assert names_of(solved(world, "mta", fixed="postfix=1")) == ""
    assert names_of(solved(world, "mta", fixed="postfix=1 exim=1")) == ""


def test_a_constraint_that_the_candidate_meets_changes_nothing() -> None:
    requests = [Request("a", "some", constraint=">= 1, << 3")]
    assert names_of(solve(universe(stanza("a", "2")), requests, essential=False)) == "a"


def test_why_tells_the_chain_of_needs() -> None:
    world = universe(
        stanza("a", depends="b (>= 1) | c"),
        stanza("b", pre_depends="d"),
        stanza("d"),
        stanza("dash", essential="yes"),
    )
    solution = solve(world, [Request("a", "second"), Request("a", "first")], essential=True)
    assert solution.why("d") == ("first asks for a", "a needs b (>= 1) | c", "b needs d")
    assert solution.why("a") == ("first asks for a",)
    assert solution.why("dash") == ("the essential set asks for dash",)


def test_a_solution_becomes_the_lines_of_a_lock_and_those_a_childs_fixed_packages() -> None:
    world = universe(
        stanza("a", "2", filename="pool/a.deb", size="3", installed_size="1", source="s", sha256="ab" * 32)
    )
    (deb,) = solved(world, "a").debs()
    assert deb == Deb(
        name="a",
        version="2",
        architecture="amd64",
        suite="trixie",
        path="pool/a.deb",
        size=3,
        installed_size=1024,
        source="s",
        sha256="ab" * 32,
    )
    assert installed_by("python", (deb,)) == (InstalledPackage("a", "2", "amd64", "python"),)
