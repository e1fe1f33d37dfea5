from __future__ import annotations

import pytest

from openhands_recipes.compile.debian.packages import Package, index
from openhands_recipes.compile.debian.relations import Relation, parse_flat
from openhands_recipes.errors import VerificationError
from openhands_recipes.ports import PackageList
from tests.debian_lists import stanza, suite, universe


def relation(text: str) -> Relation:
    (only,) = parse_flat(text)
    return only


def candidate(text: str) -> Package:
    found = universe(text).candidate("a")
    assert found
    return found


def test_a_stanza_becomes_a_package() -> None:
    text = """Package: libssl3t64
Source: openssl (3.5.1-1)
Version: 3.5.1-1+b2
Installed-Size: 10
Maintainer: Somebody <somebody@example.org>
Architecture: amd64
Multi-Arch: same
Pre-Depends: dpkg (>= 1.15.6~)
Depends: libc6 (>= 2.38),
 libz | libzstd1
Breaks: old (<< 2), older
Conflicts: libssl
Provides: libssl3 (= 3.5.1-1+b2)
Description: a library
Tag: role::shared-lib, made-of::x,
 suite::openssl
Section: libs
Priority: important
Protected: yes
Filename: pool/main/o/openssl/libssl3t64_3.5.1-1+b2_amd64.deb
Size: 7
SHA256: ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB
"""
    assert universe(text).candidate("libssl3t64") == Package(
        name="libssl3t64",
        version="3.5.1-1+b2",
        architecture="amd64",
        native="amd64",
        suite="trixie",
        path="pool/main/o/openssl/libssl3t64_3.5.1-1+b2_amd64.deb",
        size=7,
        installed_size=10240,
        source="openssl",
        source_version="3.5.1-1",
        sha256="ab" * 32,
        important=True,
        priority=2,
        multi_arch="same",
        pre_depends=((Relation("dpkg", ">=", "1.15.6~"),),),
        depends=((Relation("libc6", ">=", "2.38"),), (Relation("libz"), Relation("libzstd1"))),
        conflicts=(Relation("libssl"),),
        breaks=(Relation("old", "<<", "2"), Relation("older")),
        provides=(Relation("libssl3", "=", "3.5.1-1+b2"),),
    )


def test_a_package_that_names_no_source_is_its_own() -> None:
    package = candidate(stanza("a", "2"))
    assert (package.source, package.source_version) == ("a", "2")


def test_the_candidate_is_the_highest_version_of_all_suites() -> None:
    both = universe(stanza("a", "1.10"), stanza("b", "2"), security=(stanza("a", "1.9"), stanza("b", "2.1")))
    assert [(p.version, p.suite) for p in both.versions("a")] == [
        ("1.10", "trixie"),
        ("1.9", "trixie-security"),
    ]
    newest = both.candidate("b")
    assert newest
    assert newest.suite == "trixie-security"


def test_of_equal_versions_the_first_suites_is_taken() -> None:
    both = index([suite(stanza("a"), name="one"), suite(stanza("a"), name="two")])
    first = both.candidate("a")
    assert first
    assert first.suite == "one"


def test_a_certain_version_can_be_found() -> None:
    both = universe(stanza("a", "1"), security=(stanza("a", "2"),))
    old = both.find("a", "1")
    assert old
    assert old.suite == "trixie"
    assert both.find("a", "3") is None
    assert both.find("b", "1") is None


def test_packages_of_another_architecture_are_overlooked() -> None:
    foreign = stanza("a", "9").replace("amd64", "i386")
    everywhere = stanza("b").replace("amd64", "all")
    found = universe(foreign, stanza("a"), everywhere)
    assert [package.version for package in found.versions("a")] == ["1"]
    assert found.candidate("b")


def test_lists_of_two_architectures_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="one architecture"):
        index([suite(stanza("a")), suite(stanza("a"), architecture="arm64")])


def test_providers_are_candidates_that_still_provide() -> None:
    both = universe(
        stanza("b", provides="mta, x (= 2)"),
        stanza("a", provides="mta"),
        stanza("c", "1", provides="mta"),
        stanza("d", provides="x,\n mta"),
        security=(stanza("c", "2"),),
    )
    assert [package.name for package in both.providers("mta")] == ["a", "b", "d"]
    assert [package.name for package in both.providers("x")] == ["b", "d"]
    assert both.providers("nobody") == ()


def test_essential_is_what_the_candidate_says() -> None:
    both = universe(
        stanza("first", essential="yes"),
        stanza("dash", essential="yes"),
        stanza("old", "1", essential="yes"),
        stanza("bash", essential="no"),
        security=(stanza("old", "2"), stanza("new", essential="yes")),
    )
    assert [package.name for package in both.essential()] == ["dash", "first", "new"]


def test_an_empty_suite_has_nothing() -> None:
    none = index([PackageList("trixie-updates", "amd64", b""), PackageList("trixie", "amd64", b"\n")])
    assert list(none.names()) == []
    assert none.candidate("a") is None
    assert none.suites == ("trixie-updates", "trixie")
    assert none.essential() == ()
    assert index([]).architecture == "all"


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_list_may_end_with_an_empty_line(end: str) -> None:
    found = index([PackageList("trixie", "amd64", (stanza("a") + "\n" + stanza("b") + end).encode())])
    assert list(found.names()) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html>\n", "does not begin with a package"),
        (f"{stanza('a')}\nVersion: 1\nPackage: b\n", "stanzas that do not begin with Package"),
    ],
)
def test_what_is_no_package_list_is_refused(content: str, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        index([PackageList("trixie", "amd64", content.encode())])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Package: a\nArchitecture: amd64\n", "malformed stanza of 'a' in trixie"),
        (stanza("a", size="big"), "malformed stanza of 'a' in trixie"),
        (stanza("a", depends="b (>= )"), r"package 'a' in trixie: not a package relation: 'b \(>= \)'"),
        (stanza("a", "x:1"), "package 'a' in trixie: not a Debian version: 'x:1'"),
    ],
)
def test_a_malformed_stanza_is_refused_when_it_is_looked_at(text: str, message: str) -> None:
    found = universe(text)
    with pytest.raises(VerificationError, match=message):
        found.candidate("a")


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("a", True),
        ("a (>= 2)", True),
        ("a (>> 2)", False),
        ("v", True),
        ("v (= 5)", True),
        ("v (>= 6)", False),
        ("w", True),
        ("w (>= 0)", False),
        ("other", False),
    ],
)
def test_a_relation_is_met_by_name_or_by_what_is_provided(wanted: str, met: bool) -> None:  # noqa: FBT001
    package = candidate(stanza("a", "2", provides="v (= 5), w"))
    assert package.satisfies(relation(wanted)) is met


@pytest.mark.parametrize(
    ("wanted", "multi_arch", "met"),
    [
        ("a:any", "allowed", True),
        ("a:any", "foreign", False),
        ("v:any", "allowed", True),
        ("v:any", "same", False),
        ("q:any", "same", True),
        ("a:amd64", "", True),
        ("a:native", "", True),
        ("a:arm64", "", False),
    ],
)
def test_a_qualifier_asks_for_an_architecture(wanted: str, multi_arch: str, met: bool) -> None:  # noqa: FBT001
    package = candidate(stanza("a", provides="v, q:any", multi_arch=multi_arch))
    assert package.satisfies(relation(wanted)) is met
