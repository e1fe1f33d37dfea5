"""Writes flake/debs.json: which Debian files the programs of the stand-in nixpkgs are made of.

    .venv/bin/python -m tests.nixpkgs.lock

One group of files becomes one store path. Packages that need each other share a group, for store paths cannot
refer to each other in a circle.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from openhands_recipes.cli.settings import settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.compile.debian.packages import index
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solution import Solution
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.model.lock import Deb
from openhands_recipes.ports import DebianState

FILE = Path(__file__).parent / "flake" / "debs.json"
SUITES = ("trixie", "trixie-updates", "trixie-security")
SYSTEMS = {"x86_64-linux": "amd64", "aarch64-linux": "arm64"}

PLAN = tomllib.loads((Path(__file__).parent / "wanted.toml").read_text())
WANTED: list[str] = PLAN["wanted"]
LEFT_OUT = frozenset[str](PLAN["left_out"])
ALSO: dict[str, list[str]] = PLAN["also"]
TOGETHER: dict[str, list[str]] = PLAN["together"]


def main() -> None:
    """Lock both systems against today's Debian."""
    world = World(settings_from(root=Path.cwd(), cache=None, log_format="text", verbosity=0, color="never"))
    FILE.write_text(locked(world))


def locked(world: World) -> str:
    """The text of debs.json for today's Debian."""
    state = world.archive.state(SUITES, sorted(SYSTEMS.values()))
    document = {
        "schema": 1,
        "date": state.release_date,
        "systems": {system: groups(state, architecture) for system, architecture in SYSTEMS.items()},
    }
    return json.dumps(document, indent=1) + "\n"


def groups(state: DebianState, architecture: str) -> dict[str, object]:
    """Name -> debs and the groups it depends on, for one architecture."""
    universe = index([part for part in state.lists if part.architecture == architecture])
    wanted = [*WANTED, *(["busybox-static"] if architecture == "amd64" else [])]
    solution = solve(universe, [Request(name, "stand-in") for name in wanted], essential=False)
    debs = {deb.name: deb for deb in solution.debs()}
    needs = _needs(solution, debs, wanted)
    together = _together(needs, architecture)
    return {
        name: {
            "version": _upstream(debs[members[0]].version),
            "depends": sorted({together[n] for m in members for n in needs[m]} - {name}),
            "debs": [_entry(debs[member]) for member in members],
        }
        for name, members in sorted(_members(together).items())
    }


def _needs(solution: Solution, debs: Mapping[str, Deb], wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What is left of the solution, and what each package of it needs."""
    needs: dict[str, tuple[str, ...]] = {}
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needs:
            direct = {*solution.pre_depends(name), *solution.depends(name), *ALSO.get(name, ())} - LEFT_OUT
            needs[name] = tuple(sorted(direct & debs.keys()))
            waiting += needs[name]
    return needs


def _together(needs: Mapping[str, tuple[str, ...]], architecture: str) -> dict[str, str]:
    """Package -> its group. Circles that remain are an error: wanted.toml has to name them."""
    multiarch = {"amd64": "x86-64-linux-gnu", "arm64": "aarch64-linux-gnu"}[architecture]
    named = {
        package.replace("MULTIARCH", multiarch): group
        for group, packages in TOGETHER.items()
        for package in packages
    }
    together = {package: named.get(package, package) for package in needs}
    graph: dict[str, set[str]] = {}
    for package, direct in needs.items():
        graph.setdefault(together[package], set()).update({together[n] for n in direct} - {together[package]})
    TopologicalSorter(graph).prepare()
    return together


def _members(together: Mapping[str, str]) -> dict[str, list[str]]:
    """Group -> its packages, the one that gives the version first."""
    found: dict[str, list[str]] = {}
    for package, group in sorted(together.items()):
        found.setdefault(group, []).append(package)
    for group, members in found.items():
        first = TOGETHER.get(group, [group])[0]
        members.sort(key=lambda member: (member != first, member))
    return found


def _upstream(version: str) -> str:
    return version.rpartition(":")[2].rpartition("-")[0].partition("+")[0] or version


def _entry(deb: Deb) -> dict[str, object]:
    return {
        "name": deb.name,
        "file": f"{deb.name}_{deb.architecture}.deb",
        "version": deb.version,
        "path": deb.path,
        "suite": deb.suite,
        "size": deb.size,
        "sha256": deb.sha256,
    }


if __name__ == "__main__":
    main()
