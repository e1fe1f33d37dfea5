"""Solve: what a level must add so that every wanted Debian package can be configured.

The answer is what `apt-get install --no-install-recommends` picks on a system of the parents' packages,
with three differences: nothing installed is ever touched; the order in which packages were asked for does
not matter (as if apt's arguments were sorted); and where apt first takes a package, drops it again for one
that conflicts with it and repairs what that broke, the first choice stands here if there is another way.
Both answers are right then; ours does not hang on apt's scores of importance.

Reads no files and downloads nothing: lists come in, names and hashes go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openhands_recipes.compile.debian.candidates import Candidates, InstalledPackage
from openhands_recipes.compile.debian.explain import ESSENTIAL, Explainer, refuse_parents, refuse_requests
from openhands_recipes.compile.debian.packages import Package, Universe
from openhands_recipes.compile.debian.relations import Alternatives
from openhands_recipes.compile.debian.requests import Fault, Request, meant_by
from openhands_recipes.compile.debian.search import Search, UnsolvableError
from openhands_recipes.compile.debian.selection import Pick, Selection
from openhands_recipes.compile.debian.solution import Solution


def solve(
    universe: Universe,
    requests: Sequence[Request],
    *,
    installed: Sequence[InstalledPackage] = (),
    essential: bool,
) -> Solution:
    """The packages to add to the installed ones for some requests, and with `essential` Debian's core.

    The same requests in any order give the same solution.

    Raises:
        ResolutionError: packages are unknown, of wrong versions, or exclude one another; the message
            names the recipes that asked and the chain of needs. Or the parents exclude one another.
    """
    candidates = Candidates(universe, installed)
    _check_parents(candidates)
    roots, askers = _roots(candidates, requests)
    if essential:
        roots = {
            package.name: candidates.get(package.name) or package for package in universe.essential()
        } | roots
    try:
        selection = Search(candidates, roots.values()).run()
    except UnsolvableError as error:
        raise Explainer(candidates, askers).refuse(error) from None
    return _solution(selection, candidates, askers)


def _check_parents(candidates: Candidates) -> None:
    """Refuse packages of different parents that exclude each other, as far as the lists still tell."""
    selection = Selection()
    for name in sorted(candidates.fixed.keys() - candidates.gone):
        for other, clash in selection.clashes(candidates.fixed[name]):
            if candidates.parents[name] != candidates.parents[other]:
                raise refuse_parents(clash, candidates.parents)
        selection.add(candidates.fixed[name], Pick(name))


def _roots(
    candidates: Candidates, requests: Sequence[Request]
) -> tuple[dict[str, Package], dict[str, Request]]:
    """The package each request means, and for each package the first request that means it."""
    roots: dict[str, Package] = {}
    askers: dict[str, Request] = {}
    faults: list[Fault] = []
    for request in sorted(set(requests)):
        meant = meant_by(request, candidates)
        if isinstance(meant, Fault):
            faults.append(meant)
        else:
            roots[meant.name] = meant
            askers.setdefault(meant.name, request)
    if faults:
        raise refuse_requests(faults)
    return roots, askers


def _solution(selection: Selection, candidates: Candidates, askers: Mapping[str, Request]) -> Solution:
    added = sorted(name for name in selection.packages if name not in candidates.fixed)
    packages = tuple(selection.packages[name] for name in added)

    def met(groups: Callable[[Package], tuple[Alternatives, ...]]) -> dict[str, tuple[str, ...]]:
        return {
            package.name: _needed(groups(package), selection, candidates.fixed, package.name)
            for package in packages
        }

    return Solution(
        packages=packages,
        picks={name: selection.picks[name] for name in added},
        wishes={name: _wish(name, askers.get(name)) for name in added if selection.picks[name].by is None},
        before=met(lambda package: package.pre_depends),
        beside=met(lambda package: package.depends),
    )


def _wish(name: str, request: Request | None) -> str:
    if request is None:
        return f"{ESSENTIAL} asks for {name}"
    meant = "" if request.name == name else f", which {name} provides"
    return f"{request.recipe} asks for {request.name}{meant}"


def _needed(
    groups: tuple[Alternatives, ...], selection: Selection, fixed: Mapping[str, Package], name: str
) -> tuple[str, ...]:
    """Who meets each group: nobody new where a fixed package does, else the first alternative's package."""
    needed: set[str] = set()
    for group in groups:
        meeting = selection.meeting(group)
        if meeting and not any(each in fixed or each == name for each in meeting):
            needed.add(meeting[0])
    return tuple(sorted(needed))
