from __future__ import annotations

import pytest

from openhands_recipes.compile.debian.candidates import InstalledPackage
from openhands_recipes.compile.debian.packages import Universe, index
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.errors import ResolutionError
from tests.debian_lists import stanza, universe


def refusal(
    world: Universe, wanted: str = "foo", *, by_base: str = "", fixed: str = "", constraint: str = ""
) -> ResolutionError:
    """What is said when python-data asks for some packages and base for others; `fixed` is `a=1`."""
    requests = [Request(name, "python-data", f"{name}.yaml:4", constraint) for name in wanted.split()]
    requests += [Request(name, "base") for name in by_base.split()]
    name, _, version = fixed.partition("=")
    installed = [InstalledPackage(name, version, "amd64", "python")] if fixed else []
    with pytest.raises(ResolutionError) as caught:
        solve(world, requests, installed=installed, essential=True)
    return caught.value


def test_a_version_that_does_not_exist() -> None:
    error = refusal(universe(stanza("foo", depends="libbar (>= 2)"), stanza("libbar", "1.9")))
    assert error.message == "python-data: package 'foo' needs libbar (>= 2), but trixie has libbar 1.9"
    assert error.where == "foo.yaml:4"
    assert error.hint is None


def test_a_need_at_the_end_of_a_chain() -> None:
    world = universe(
        stanza("foo", depends="mid"), stanza("mid", depends="end"), stanza("end", depends="gone")
    )
    message = "python-data: package 'end' (through foo -> mid) needs gone, but trixie does not have gone"
    assert refusal(world).message == message


def test_no_alternative_will_do() -> None:
    world = universe(
        stanza("foo", depends="x | y | z"),
        stanza("x", depends="v (>= 2)"),
        stanza("y"),
        stanza("v", provides="y"),
        stanza("bar", conflicts="y"),
        security=(stanza("y", "2"),),
    )
    assert refusal(world, by_base="bar").message == (
        "python-data: package 'foo' needs x | y | z, but x needs v (>= 2), but trixie has v 1; "
        "y is refused by bar (conflicts with y), which base asks for; "
        "v is refused by bar (conflicts with y), which base asks for; "
        "none of trixie, trixie-security has z"
    )


def test_two_wishes_that_exclude_each_other() -> None:
    world = universe(stanza("foo", conflicts="bar"), stanza("bar"))
    error = refusal(world, by_base="bar")
    assert error.message == "python-data: package 'foo' conflicts with bar, which base asks for"
    assert error.hint == "only one of them can be had"
    other_way_round = universe(stanza("foo"), stanza("bar", "1", breaks="foo (<< 2)"))
    message = "python-data: package 'foo' is refused by bar (breaks foo (<< 2)), which base asks for"
    assert refusal(other_way_round, by_base="bar").message == message


def test_two_chains_that_exclude_each_other() -> None:
    world = universe(
        stanza("foo", depends="web"),
        stanza("web", conflicts="mta"),
        stanza("mail", depends="exim"),
        stanza("exim", provides="mta"),
    )
    assert refusal(world, by_base="mail").message == (
        "python-data: package 'foo' needs web, but web conflicts with mta, provided by exim, "
        "which base asks for (mail -> exim)"
    )


def test_a_choice_that_starves_another_package() -> None:
    world = universe(
        stanza("foo", depends="x"),
        stanza("x", conflicts="v, w"),
        stanza("zoo", depends="v | w"),
        stanza("v"),
        stanza("w"),
    )
    assert refusal(world, by_base="zoo").message == (
        "python-data: package 'foo' needs x, but with x, zoo lacks v | w (which base asks for): "
        "v is refused by x (conflicts with v), which python-data asks for (foo -> x); "
        "w is refused by x (conflicts with w), which python-data asks for (foo -> x)"
    )


def test_a_fixed_version_names_its_parent_and_the_way_out() -> None:
    error = refusal(universe(stanza("foo", depends="lib (>= 2)"), stanza("lib", "2")), fixed="lib=1.9")
    assert error.message == "python-data: package 'foo' needs lib (>= 2), but parent 'python' fixes lib 1.9"
    assert error.hint == "`ohr lock --update python` gives 'python' lib 2"


def test_the_way_out_is_found_behind_an_alternative_too() -> None:
    world = universe(
        stanza("foo", depends="x | y"),
        stanza("x", depends="gone"),
        stanza("y", depends="lib (>= 2)"),
        stanza("lib", "2"),
    )
    assert refusal(world, fixed="lib=1").hint == "`ohr lock --update python` gives 'python' lib 2"


def test_a_wish_for_a_newer_version_than_the_parents() -> None:
    error = refusal(universe(stanza("foo", "2")), constraint=">= 2", fixed="foo=1")
    assert error.message == "python-data: wants foo (>= 2), but parent 'python' fixes foo 1"
    assert error.hint == "`ohr lock --update python` gives 'python' foo 2"


def test_a_clash_with_a_fixed_package() -> None:
    error = refusal(universe(stanza("foo", conflicts="lib"), stanza("lib")), fixed="lib=1")
    assert error.message == "python-data: package 'foo' conflicts with lib, which parent 'python' fixes"


def test_a_fixed_package_refuses_as_its_successor_does() -> None:
    error = refusal(universe(stanza("foo"), stanza("lib", "2", breaks="foo")), fixed="lib=1")
    assert error.message == (
        "python-data: package 'foo' is refused by lib (breaks foo), which parent 'python' fixes"
    )


def test_two_parents_whose_packages_exclude_each_other() -> None:
    world = universe(stanza("exim", conflicts="mta"), stanza("nullmailer", provides="mta"), stanza("foo"))
    installed = [InstalledPackage("exim", "1", "amd64", "python")]
    installed += [InstalledPackage("nullmailer", "1", "amd64", "node")]
    with pytest.raises(ResolutionError) as caught:
        solve(world, [Request("foo", "both")], installed=installed, essential=False)
    assert caught.value.message == (
        "parents 'python' and 'node' cannot be combined: "
        "exim of 'python' conflicts with mta, provided by nullmailer of 'node'"
    )
    assert caught.value.hint == "extend only one of them"


def test_versions_that_have_left_the_mirror_are_not_held_against_parents() -> None:
    world = universe(stanza("lib", "2", breaks="tool"), stanza("tool"), stanza("foo"))
    installed = [
        InstalledPackage("lib", "1", "amd64", "python"),
        InstalledPackage("tool", "1", "amd64", "node"),
    ]
    assert len(solve(world, [Request("foo", "both")], installed=installed, essential=False).packages) == 1


def test_an_unknown_package_with_its_nearest_names() -> None:
    world = universe(stanza("python3"), stanza("python3-pip"), stanza("perl"))
    error = refusal(world, "pyhton3")
    assert error.message == "python-data: unknown package 'pyhton3': trixie does not have it"
    assert error.hint == "did you mean 'python3'?"
    assert error.where == "pyhton3.yaml:4"
    assert refusal(world, "zzz").hint is None
    assert refusal(index([]), "zzz").message.endswith("there is no suite that has it")


def test_all_wishes_that_cannot_be_granted_are_told_at_once() -> None:
    world = universe(stanza("foo", "2"), stanza("libbar"))
    assert refusal(world, "foo libbr", by_base="nobody", constraint=">= 3").message == (
        "3 wanted packages cannot be had\n"
        "  python-data: wants foo (>= 3), but trixie has foo 2 (foo.yaml:4)\n"
        "  python-data: unknown package 'libbr': trixie does not have it (libbr.yaml:4); "
        "did you mean 'libbar'?\n"
        "  base: unknown package 'nobody': trixie does not have it"
    )


def test_a_malformed_constraint() -> None:
    message = "not a package relation: 'foo (about 3)'"
    assert refusal(universe(stanza("foo")), constraint="about 3").message == message


def test_a_virtual_wish_with_several_providers() -> None:
    error = refusal(universe(stanza("b", provides="mta"), stanza("a", provides="mta")), "mta")
    assert error.message == "python-data: package 'mta' is virtual"
    assert error.hint == "ask for one of: a, b"


def test_something_provided_in_no_such_version() -> None:
    world = universe(
        stanza("foo", depends="v (>= 2)"), stanza("a", provides="v (= 1)"), stanza("b", provides="v")
    )
    message = "python-data: package 'foo' needs v (>= 2), but v is only provided, in no such version, by a, b"
    assert refusal(world).message == message


def test_a_package_that_is_not_for_other_architectures() -> None:
    world = universe(stanza("foo", depends="lib:any"), stanza("lib", "3"))
    assert refusal(world).message == (
        "python-data: package 'foo' needs lib:any, "
        "but lib 3 of trixie is not for other architectures (Multi-Arch)"
    )


def test_an_essential_set_that_cannot_be() -> None:
    world = universe(stanza("dash", essential="yes", depends="gone"))
    message = "the essential set: package 'dash' needs gone, but trixie does not have gone"
    assert refusal(world, "").message == message
    world = universe(stanza("dash", essential="yes", conflicts="foo"), stanza("foo"))
    message = (
        "python-data: package 'foo' is refused by dash (conflicts with foo), which the essential set asks for"
    )
    assert refusal(world).message == message


def test_of_many_obstacles_the_first_few_are_told() -> None:
    options = "abcde"
    stanzas = [stanza(name, depends=f"{name}1") for name in options]
    stanzas += [stanza(f"{name}1", depends=f"{name}2") for name in options]
    stanzas += [stanza(f"{name}2", depends=f"{name}3") for name in options]
    stanzas += [stanza(f"{name}3", depends="gone") for name in options]
    error = refusal(universe(stanza("foo", depends=" | ".join(options)), *stanzas))
    assert error.message.startswith(
        "python-data: package 'foo' needs a | b | c | d | e, but a needs a1, but a1 needs a2, "
        "but a2 needs a3, but a3 needs gone; b needs"
    )
    assert error.message.endswith("; and 2 more cannot either")
