from __future__ import annotations

from openhands_recipes.compile.debian.configure import Configure, ConfigureAll, Order, RunPreinst, Unpack
from openhands_recipes.compile.debian.database import Package
from openhands_recipes.model.fragment import ControlFile, Fragment


def package(name: str, *, preinst: bool = False, **fields: str) -> Package:
    control = {"preinst": ControlFile(0o755, b"#!/bin/sh\n")} if preinst else {}
    named = {key.replace("_", "-"): value for key, value in fields.items()}
    return Package(name, "1", "amd64", named, Fragment("k", (), (), 0, control))


def test_dependencies_come_before_dependants_and_cycles_end() -> None:
    order = Order([package("a", depends="b (>= 1), x | c"), package("b", depends="a"), package("c")])
    assert order.closure(["a"]) == ("b", "c", "a")


def test_a_provider_stands_for_the_name_it_provides() -> None:
    order = Order([package("base", pre_depends="awk"), package("mawk", provides="awk")])
    assert order.pre_depends("base") == ("mawk",)


def test_pre_dependencies_are_configured_before_the_preinst_runs() -> None:
    steps = Order(
        [package("p", preinst=True, pre_depends="q"), package("q", depends="r"), package("r")]
    ).steps()
    assert steps == (Configure(("r", "q")), RunPreinst("p", "p", "amd64"), ConfigureAll())


def test_a_preinst_of_a_pre_dependency_runs_first() -> None:
    steps = Order([package("p", preinst=True, pre_depends="q"), package("q", preinst=True)]).steps()
    assert steps == (
        RunPreinst("q", "q", "amd64"), Configure(("q",)), RunPreinst("p", "p", "amd64"), ConfigureAll(),
    )  # fmt: skip


def test_essential_packages_without_needs_begin() -> None:
    steps = Order([package("a", preinst=True), package("z", preinst=True, essential="yes")]).steps()
    assert [s.package for s in steps if isinstance(s, RunPreinst)] == ["z", "a"]


def test_the_order_of_arrival_does_not_matter() -> None:
    some = [package("a", depends="b"), package("b", preinst=True), package("c", depends="a", preinst=True)]
    assert Order(some).steps() == Order(reversed(some)).steps()


def test_essential_packages_are_configured_before_scripts_of_others_run() -> None:
    some = [
        package("a", preinst=True),
        package("z", preinst=True, essential="yes", depends="y"),
        package("y"),
    ]
    assert Order(some).steps() == (
        RunPreinst("z", "z", "amd64"), Configure(("y", "z")), RunPreinst("a", "a", "amd64"), ConfigureAll(),
    )  # fmt: skip


def test_what_needs_the_real_dpkg_is_unpacked_before_anything_that_depends_on_it_is_configured() -> None:
    some = [package("a", depends="y"), package("y"), package("z", preinst=True)]
    assert Order(some).steps(real_unpack=["z", "y"]) == (Unpack(("y", "z")), ConfigureAll())


def test_dpkg_unpacks_a_package_when_its_pre_dependencies_are_configured() -> None:
    some = [package("y", pre_depends="x"), package("x"), package("z", pre_depends="y")]
    assert Order(some).steps(real_unpack=["z", "y"]) == (
        Configure(("x",)), Unpack(("y",)), Configure(("y",)), Unpack(("z",)), ConfigureAll(),
    )  # fmt: skip
