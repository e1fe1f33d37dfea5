"""The order in which chosen packages are configured: what is needed comes first, circles together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openhands_recipes.compile.debian.solution import Solution

Neighbours = Callable[[str], Iterable[str]]


def order(solution: Solution) -> tuple[tuple[str, ...], ...]:
    """Groups of packages, each after all groups it needs; a group of several is a circle of Depends.

    Inside a group Pre-Depends are kept where there are any, else names are sorted. The order is a
    function of the solution alone.
    """
    names = [package.name for package in solution.packages]

    def needs(name: str) -> list[str]:
        return sorted({*solution.pre_depends(name), *solution.depends(name)})

    groups = []
    for circle in components(names, needs):
        members = frozenset(circle)

        def hard(name: str, members: frozenset[str] = members) -> list[str]:
            return [each for each in solution.pre_depends(name) if each in members]

        groups.append(tuple(name for part in components(sorted(circle), hard) for name in sorted(part)))
    return tuple(groups)


def components(names: Iterable[str], needs: Neighbours) -> list[list[str]]:
    """Strongly connected components, what is needed first (Tarjan 1972, with a stack of our own)."""
    rank: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    done: set[str] = set()
    found: list[list[str]] = []
    for root in names:
        if root in rank:
            continue
        rank[root] = low[root] = len(rank)
        path.append(root)
        work = [(root, iter(needs(root)))]
        while work:
            name, remaining = work[-1]
            following = next(remaining, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == rank[name]:
                    cut = path.index(name)
                    found.append(path[cut:])
                    done.update(path[cut:])
                    del path[cut:]
            elif following not in rank:
                rank[following] = low[following] = len(rank)
                path.append(following)
                work.append((following, iter(needs(following))))
            elif following not in done:
                low[name] = min(low[name], rank[following])
    return found
