from __future__ import annotations

import pytest

from openhands_recipes.compile.node.commands import command_links, executables
from openhands_recipes.compile.node.lockfile import NodePackage
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.fragment import Kind


def package(location: str, name: str = "", **commands: str) -> NodePackage:
    return NodePackage(
        location, name or location.rpartition("node_modules/")[2], "1.0.0", "f.tgz", "", commands=commands
    )


def links(*packages: NodePackage) -> dict[str, str]:
    entries = command_links(packages, prefix="/opt/node", owner=(10001, 10001))
    assert {(e.uid, e.gid) for e in entries} == {(10001, 10001)}
    assert [e.path for e in entries] == sorted(e.path for e in entries)
    return {e.path: e.link for e in entries if e.kind is Kind.SYMLINK}


def test_commands_of_packages_asked_for_are_on_path_those_of_dependencies_beside_them() -> None:
    assert links(
        package("node_modules/typescript", tsc="bin/tsc"),
        package("node_modules/@scope/cli", ng="./bin/ng.js"),
        package("node_modules/@scope/cli/node_modules/@x/dep", dep="cli.js"),
    ) == {
        "opt/node/bin/tsc": "../lib/node_modules/typescript/bin/tsc",
        "opt/node/bin/ng": "../lib/node_modules/@scope/cli/bin/ng.js",
        "opt/node/lib/node_modules/@scope/cli/node_modules/.bin/dep": "../@x/dep/cli.js",
    }


def test_the_prefix_is_founded_even_without_commands() -> None:
    entries = command_links([], prefix="/opt/node", owner=(1, 1))
    assert [(e.path, e.kind) for e in entries] == [
        (path, Kind.DIRECTORY)
        for path in ("opt/node", "opt/node/bin", "opt/node/lib", "opt/node/lib/node_modules")
    ]


def test_two_packages_asked_for_cannot_bring_the_same_command() -> None:
    with pytest.raises(ResolutionError, match="npm's a and b both bring the command 'run'"):
        links(package("node_modules/a", run="a.js"), package("node_modules/b", run="b.js"))


def test_dependencies_may_share_a_command_the_first_wins() -> None:
    made = links(
        package("node_modules/t"),
        package("node_modules/t/node_modules/a", run="a.js"),
        package("node_modules/t/node_modules/b", run="b.js"),
    )
    assert made == {"opt/node/lib/node_modules/t/node_modules/.bin/run": "../a/a.js"}


@pytest.mark.parametrize(
    ("command", "script"),
    [("../up", "a.js"), ("a/b", "a.js"), ("x", "../../etc/passwd"), ("x", "/abs"), ("x", ".")],
)
def test_commands_stay_within_their_package(command: str, script: str) -> None:
    with pytest.raises(ResolutionError, match="brings a command that leads out of it"):
        links(package("node_modules/a", **{command: script}))


def test_what_commands_call_must_be_executable() -> None:
    assert executables(package("node_modules/a", one="./bin/x.js", two="bin/x.js", three="y.js")) == (
        "bin/x.js",
        "y.js",
    )
