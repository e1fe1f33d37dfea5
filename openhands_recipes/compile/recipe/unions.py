"""What adds up over levels instead of being replaced: packages, requirements, permissions, resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from openhands_recipes.compile.recipe.faults import Code
from openhands_recipes.compile.recipe.merging import Merge, Word
from openhands_recipes.compile.recipe.parse import ParsedRecipe
from openhands_recipes.compile.recipe.ranges import allows, can_hold, intersection
from openhands_recipes.compile.recipe.requirements import node_requirement, python_requirement
from openhands_recipes.model.composed import Constraint, Origin, RequestedPackage
from openhands_recipes.model.recipe import (
    EgressGroup,
    EgressRule,
    Network,
    PackageRequest,
    Permissions,
    Resources,
)

V = TypeVar("V")

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def union_packages(
    merge: Merge, streams: Mapping[str, Mapping[str, tuple[Origin, ...]]]
) -> tuple[RequestedPackage, ...]:
    """Every package any level asks for, with all constraints on it.

    `streams` are the exact streams that language sections and applications ask for, and who does.
    """
    constraints: dict[str, list[Constraint]] = {}
    for level in merge.levels:
        for i, request in enumerate(level.recipe.packages):
            name = request.name if isinstance(request, PackageRequest) else request
            origin = level.origin("packages", i)
            merge.add_origin(("packages", name), origin)
            known = constraints.setdefault(name, [])
            if isinstance(request, PackageRequest) and request.version is not None:
                known.append(Constraint(request.version, origin))
    packages = []
    for name in sorted(constraints.keys() | streams.keys()):
        asked = tuple(constraints.get(name, ()))
        origins = merge.origins.get(("packages", name), ())
        exact = streams.get(name, {})
        if asked:
            _check_ranges(merge, name, asked, tuple(exact))
        if not exact:
            packages.append(RequestedPackage(name, asked, None, origins))
        packages += [
            RequestedPackage(name, asked, stream, origins + exact[stream]) for stream in sorted(exact)
        ]
    return tuple(packages)


def own_requests(parsed: ParsedRecipe) -> tuple[RequestedPackage, ...]:
    """The packages one recipe asks for itself, each on its own."""
    requests = []
    for i, request in enumerate(parsed.recipe.packages):
        origin = parsed.origin("packages", i)
        if isinstance(request, PackageRequest) and request.version is not None:
            constraints: tuple[Constraint, ...] = (Constraint(request.version, origin),)
        else:
            constraints = ()
        name = request.name if isinstance(request, PackageRequest) else request
        requests.append(RequestedPackage(name, constraints, None, (origin,)))
    return tuple(requests)


def _check_ranges(
    merge: Merge, name: str, constraints: tuple[Constraint, ...], streams: tuple[str, ...]
) -> None:
    for stream in streams:
        for constraint in constraints:
            if not allows(constraint.range, stream):
                message = (
                    f"'{merge.top.name}' uses {name} {stream}, "
                    f"but its packages ask for '{constraint.range}' ({constraint.origin})"
                )
                _exclude(merge, message, f"change the range or the version of {name}")
    if not can_hold(frozenset(c.range for c in constraints)):
        places = " and ".join(f"'{c.range}' ({c.origin})" for c in constraints)
        _exclude(
            merge, f"no version of package '{name}' can be in all of {places}", "widen one of the ranges"
        )


def _exclude(merge: Merge, message: str, hint: str) -> None:
    path = "extends" if len(merge.levels) > 1 else "packages"
    merge.faults.append(merge.top.fault(Code.RANGES_EXCLUDE, message, path, hint=hint))


def union_python(merge: Merge, words: Iterable[Word[str]]) -> tuple[str, ...]:
    """Python requirements of all levels: one per project, specifiers intersected; markers keep them apart."""
    projects: dict[tuple[str, str], list[tuple[Word[str], Requirement]]] = {}
    for word in words:
        requirement = python_requirement(word.value)
        if requirement is not None:
            key = (canonicalize_name(requirement.name), str(requirement.marker or ""))
            projects.setdefault(key, []).append((word, requirement))
    merged = []
    for _, said in sorted(projects.items()):
        texts = dict.fromkeys(word.value for word, _ in said)
        if len(texts) == 1:
            merged.append(next(iter(texts)))
            continue
        both = Requirement(str(said[0][1]))
        for word, requirement in said[1:]:
            both.extras |= requirement.extras
            both.specifier &= requirement.specifier
            if both.specifier.is_unsatisfiable():
                _exclude_requirements(merge, both.name, [w for w, _ in said], word)
                break
        merged.append(str(both))
    return tuple(merged)


def union_node(merge: Merge, words: Iterable[Word[str]]) -> tuple[str, ...]:
    """Requirements for npm of all levels: one per package, ranges intersected."""
    packages: dict[str, list[tuple[Word[str], str]]] = {}
    for word in words:
        requirement = node_requirement(word.value)
        if requirement is not None:
            name, range_text = requirement
            packages.setdefault(name, []).append((word, range_text))
    merged = []
    for name, said in sorted(packages.items()):
        ranges = sorted({range_text for _, range_text in said} - {"*"})
        if not can_hold(frozenset(ranges)):
            _exclude_requirements(merge, name, [w for w, _ in said], said[-1][0])
        merged.append(f"{name}@{intersection(ranges)}" if ranges else name)
    return tuple(merged)


def _exclude_requirements(merge: Merge, name: str, words: list[Word[str]], last: Word[str]) -> None:
    places = " and ".join(f"'{word.value}' ({word.origin})" for word in words[: words.index(last) + 1])
    _exclude(merge, f"no version of '{name}' can be in all of {places}", "widen one of the ranges")


def union_permissions(merge: Merge) -> Permissions:
    """Everything any level may do."""
    groups: set[EgressGroup] = set()
    hosts: dict[str, set[int]] = {}
    for level in merge.levels:
        for i, rule in enumerate(level.recipe.permissions.network.egress):
            place = ("permissions", "network", "egress")
            if isinstance(rule, EgressRule):
                hosts.setdefault(rule.host, set()).update(rule.ports)
            else:
                groups.add(rule)
            name = rule.host if isinstance(rule, EgressRule) else rule
            merge.add_origin((*place, name), level.origin(*place, i))
    rules = [EgressRule(host=host, ports=tuple(sorted(ports))) for host, ports in sorted(hosts.items())]
    return Permissions(
        network=Network(egress=(*sorted(groups), *rules)),
        devices=_union_names(merge, "devices", lambda p: p.devices),
        privileges=_union_names(merge, "privileges", lambda p: p.privileges),
    )


def _union_names(merge: Merge, kind: str, read: Callable[[Permissions], tuple[str, ...]]) -> tuple[str, ...]:
    names = set()
    for level in merge.levels:
        for i, name in enumerate(read(level.recipe.permissions)):
            names.add(name)
            merge.add_origin(("permissions", kind, name), level.origin("permissions", kind, i))
    return tuple(sorted(names))


def largest_resources(merge: Merge) -> Resources:
    """The maximum of what the levels need, each quantity as its level spells it."""
    return Resources(
        cpu=_largest(merge, "cpu", lambda r: r.cpu, _processors),
        memory=_largest(merge, "memory", lambda r: r.memory, _bytes),
        disk=_largest(merge, "disk", lambda r: r.disk, _bytes),
        gpu=_largest(merge, "gpu", lambda r: r.gpu, Decimal),
    )


def _largest(
    merge: Merge, key: str, read: Callable[[Resources], V | None], amount: Callable[[V], Decimal]
) -> V | None:
    largest: V | None = None
    for level in merge.levels:
        value = read(level.recipe.resources)
        if value is not None and (largest is None or amount(value) > amount(largest)):
            largest = value
            merge.origins["resources", key] = (level.origin("resources", key),)
    return largest


def _processors(quantity: str) -> Decimal:
    return Decimal(quantity[:-1]) / 1000 if quantity.endswith("m") else Decimal(quantity)


def _bytes(quantity: str) -> Decimal:
    return Decimal(quantity[:-2]) * UNITS[quantity[-2:]]
