"""The package table, and what requests come to."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.packages import parse_package_table, refusals, resolve_packages
from openhands_recipes.compile.recipe.ranges import version_of
from openhands_recipes.errors import InvalidRecipeError, ResolutionError
from openhands_recipes.model.package import PackageTable, ResolvedPackage, Unavailable
from tests.recipe_texts import TREE, library

SMALL = b"""
[git]
summary = "Version control"
commands = ["git"]
debian = ["git"]

[gcc]
summary = "Compiler"
default = "13"
commands = ["cc"]
[gcc.streams."13"]
debian = ["gcc-13", "libc6-dev"]
commands = ["gcc-13"]
[gcc.streams."14"]
debian = ["gcc-14"]
[gcc.streams."15"]
debian = { unavailable = "not in this Debian" }

[secret]
summary = "Nowhere"
debian = { unavailable = "nobody packaged it" }
"""


@pytest.fixture(scope="module")
def table() -> PackageTable:
    return parse_package_table((TREE / "nixlib" / "packages.toml").read_bytes(), file="nixlib/packages.toml")


def resolve(packages: str, **bodies: str) -> tuple[ResolvedPackage, ...]:
    body = f"packages: [{packages}]\n" + (f"extends: [{', '.join(bodies)}]\n" if bodies else "")
    composed = compose("example", library(**bodies, example=body))
    return resolve_packages(composed.packages, parse_package_table(SMALL, file="packages.toml"))


def refused(packages: str, **bodies: str) -> str:
    with pytest.raises(ResolutionError) as caught:
        resolve(packages, **bodies)
    return str(caught.value)


def test_a_package_without_streams_is_what_the_table_says() -> None:
    assert resolve("git") == (ResolvedPackage("git", "", ("git",), ("git",)),)


def test_without_a_constraint_the_default_stream_is_taken() -> None:
    assert resolve("gcc") == (ResolvedPackage("gcc", "13", ("gcc-13", "libc6-dev"), ("cc", "gcc-13")),)


def test_the_default_is_preferred_where_it_fits() -> None:
    assert resolve('{name: gcc, version: ">=12"}')[0].stream == "13"


def test_otherwise_the_newest_stream_that_debian_has_is_taken() -> None:
    assert resolve('{name: gcc, version: ">=14"}')[0].stream == "14"


def test_an_unknown_package_is_named_with_the_nearest() -> None:
    assert refused("gti") == (
        "unknown package 'gti'\n  --> recipes/example/recipe.yaml:7:12\n  hint: did you mean 'git'?"
    )


def test_the_name_of_a_command_leads_to_its_package() -> None:
    assert refused("gcc-13").endswith("hint: the command 'gcc-13' is in package 'gcc'")
    assert refused("cc").endswith("hint: the command 'cc' is in package 'gcc'")
    assert refused("zzzz").endswith("hint: packages are listed in nixlib/packages.toml")


def test_a_range_that_no_stream_meets_names_the_streams_and_both_places() -> None:
    base = 'packages: [{name: gcc, version: ">=13.1"}]\n'
    assert refused('{name: gcc, version: "<14"}', base=base) == (
        "no version stream of package 'gcc' fits '>=13.1' (recipes/base/recipe.yaml:7) "
        "and '<14' (recipes/example/recipe.yaml:7)\n"
        "  --> recipes/example/recipe.yaml:7:12\n"
        "  hint: version streams: 13 (default), 14"
    )


def test_a_stream_that_debian_lacks_says_why() -> None:
    assert refused('{name: gcc, version: "15"}') == (
        "package 'gcc' 15 is not available from debian: not in this Debian\n"
        "  --> recipes/example/recipe.yaml:7:12\n"
        "  hint: version streams: 13 (default), 14"
    )
    assert "package 'secret' is not available from debian: nobody packaged it" in refused("secret")


def test_a_version_of_a_package_without_streams_is_refused() -> None:
    assert "package 'git' has no version streams to choose from" in refused('{name: git, version: "2"}')


def test_every_faulty_request_is_reported_at_once() -> None:
    assert refused("gti, secret, git").startswith("2 faults in recipes/example/recipe.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[git", "not TOML: "),
        (b"\xff", "not TOML: "),
        (b'[git]\nsummary = "x"\n', "package 'git' has neither 'debian' nor 'streams'"),
        (b'[Git]\nsummary = "x"\ndebian = ["git"]\n', "package 'Git' has a name that recipes cannot write"),
        (b'[git]\ndebian = ["git"]\n', "package 'git': summary: Field required"),
        (
            b'[a1]\nsummary = "x"\ndefault = "2"\n[a1.streams."1"]\ndebian = ["a"]\n',
            "package 'a1' has no stream '2', but names it as default",
        ),
        (
            b'[a1]\nsummary = "x"\ndefault = "1"\ndebian = ["a"]\n[a1.streams."1"]\ndebian = ["a"]\n',
            "package 'a1' has streams; put the names of its sources there",
        ),
    ],
)
def test_a_malformed_table_is_refused(content: bytes, expected: str) -> None:
    with pytest.raises(InvalidRecipeError) as caught:
        parse_package_table(content, file="packages.toml")
    assert caught.value.message.startswith(expected)


def test_a_fault_of_the_table_names_the_line_of_its_entry() -> None:
    with pytest.raises(InvalidRecipeError) as caught:
        parse_package_table(SMALL + b'[late]\nsummary = "x"\n', file="packages.toml")
    assert caught.value.where == f"packages.toml:{len(SMALL.splitlines()) + 1}:1"


def test_the_real_table_is_large_and_right(table: PackageTable) -> None:
    assert len(table) >= 80
    contract = (
        "bash git curl wget sudo jq tar xz-utils coreutils util-linux procps findutils grep sed tini tmux"
    )
    for name in contract.split():
        assert table[name].commands or name == "coreutils"
        assert not isinstance(table[name].debian, Unavailable)


def test_the_default_stream_is_in_debian_if_any_stream_is(table: PackageTable) -> None:
    for name, package in table.items():
        there = {s for s, entry in package.streams.items() if not isinstance(entry.debian, Unavailable)}
        assert not there or package.default in there, name
        for stream in package.streams:
            version_of(stream)


def test_commands_of_a_package_are_not_listed_twice(table: PackageTable) -> None:
    for name, package in table.items():
        for stream in package.streams.values():
            assert not set(package.commands) & set(stream.commands), name


def test_the_other_source_is_named_where_it_has_what_debian_lacks(table: PackageTable) -> None:
    composed = compose("example", library(example='packages: [{name: node, version: ">=22"}]\n'))
    with pytest.raises(ResolutionError) as caught:
        resolve_packages(composed.packages, table)
    assert str(caught.value) == (
        "package 'node' 26 is not available from debian: Debian 13 has Node.js 20 only\n"
        "  --> recipes/example/recipe.yaml:7:12\n"
        "  hint: version streams: 20 (default); nixpkgs has it"
    )


def test_a_recipe_that_debian_cannot_provide_is_refused_before_its_packages() -> None:
    composed = compose("example", library(example="packages: [git]\nunavailable: {debian: too old}\n"))
    (fault,) = refusals(composed, "debian")
    assert str(fault) == (
        "error[OHR100]: recipe 'example' cannot be had from debian: too old\n"
        "  --> recipes/example/recipe.yaml:8:15\n"
        "  hint: take it from another source: --from nixpkgs"
    )
    assert refusals(composed, "nixpkgs") == []
