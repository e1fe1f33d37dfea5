"""The package table, and which of its packages a composed recipe's requests come to.

The table is nixlib/packages.toml; what its keys mean is said in `openhands_recipes.model.package`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

from pydantic import ValidationError

from openhands_recipes.compile.recipe.faults import Code, Fault, did_you_mean, error_of
from openhands_recipes.compile.recipe.ranges import allows, version_of
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.composed import Composed, Origin, RequestedPackage
from openhands_recipes.model.package import (
    ChosenPackage,
    Omitted,
    Package,
    PackageSource,
    PackageStream,
    PackageTable,
    ResolvedPackage,
    Unavailable,
)


def parse_package_table(content: bytes, *, file: str) -> PackageTable:
    """Every package of the table, by name.

    Raises:
        InvalidRecipeError: not TOML, or an entry that says too little or too much.
    """
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise error_of([Fault(Code.PACKAGE_TABLE, f"not TOML: {error}", file)]) from error
    table, faults = {}, []
    for name, entry in document.items():
        try:
            table[name] = Package.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            message = f"package '{name}': {place}: {first['msg']}"
            faults.append(Fault(Code.PACKAGE_TABLE, message, file, _line_of(content, name), 1))
            continue
        if problem := _problem(name, table[name]):
            line = _line_of(content, name)
            faults.append(Fault(Code.PACKAGE_TABLE, f"package '{name}' {problem}", file, line, 1))
    if faults:
        raise error_of(faults)
    return table


def _problem(name: str, package: Package) -> str | None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]{0,63}", name):
        return "has a name that recipes cannot write"
    if not package.streams:
        return None if package.debian is not None else "has neither 'debian' nor 'streams'"
    if package.debian is not None or package.nixpkgs is not None:
        return "has streams; put the names of its sources there"
    if package.default not in package.streams:
        return f"has no stream '{package.default}', but names it as default"
    return None


def _line_of(content: bytes, name: str) -> int:
    match = re.search(rb"^\[\"?" + re.escape(name.encode()) + rb"\"?\]", content, re.MULTILINE)
    return content.count(b"\n", 0, match.start()) + 1 if match else 0


def resolve_packages(
    requests: Sequence[RequestedPackage], table: PackageTable
) -> tuple[ResolvedPackage, ...]:
    """The Debian packages of every request, in the order of the requests.

    Without a constraint a package's default stream is taken; otherwise the default if it fits, else the
    newest that fits and that Debian has.

    Raises:
        ResolutionError: unknown packages, constraints no stream meets, or streams Debian lacks; all of them.
    """
    chosen = choose_packages(requests, table, "debian")
    return tuple(ResolvedPackage(c.name, c.stream, c.names, c.commands) for c in chosen)


def choose_packages(
    requests: Sequence[RequestedPackage], table: PackageTable, source: PackageSource
) -> tuple[ChosenPackage, ...]:
    """What a source has for every request, in the order of the requests; streams as in `resolve_packages`.

    Raises:
        ResolutionError: unknown packages, constraints no stream meets, or streams the source lacks; all of
            them.
    """
    found = [_choose(request, table, source) for request in requests]
    faults = [fault for result in found if isinstance(result, list) for fault in result]
    if faults:
        raise error_of(faults, ResolutionError)
    return tuple(result for result in found if isinstance(result, ChosenPackage))


def package_faults(
    requests: Sequence[RequestedPackage], table: PackageTable, source: PackageSource = "debian"
) -> list[Fault]:
    """What `choose_packages` would complain about."""
    faults: list[Fault] = []
    for request in requests:
        found = _choose(request, table, source)
        if not isinstance(found, ChosenPackage):
            faults += found
    return faults


def refusals(composed: Composed, source: PackageSource) -> list[Fault]:
    """What levels say who cannot be had from a source at all (`unavailable`)."""
    reason = composed.unavailable.get(source)
    if reason is None:
        return []
    other = "nixpkgs" if source == "debian" else "debian"
    message = f"recipe '{composed.name}' cannot be had from {source}: {reason}"
    hint = f"take it from another source: --from {other}"
    return [_fault(Code.NOT_FROM_SOURCE, message, o, hint) for o in composed.origins["unavailable", source]]


def _choose(
    request: RequestedPackage, table: PackageTable, source: PackageSource
) -> ChosenPackage | list[Fault]:
    package = table.get(request.name)
    if package is None:
        hint = _nearest(request.name, table)
        message = f"unknown package '{request.name}'"
        return [_fault(Code.UNKNOWN_PACKAGE, message, origin, hint) for origin in request.origins]
    if not package.streams:
        return _without_streams(request, package, source)
    fitting = [s for s in _newest_first(package) if _fits(s, request)]
    if not fitting:
        return [_no_stream(request, package, source)]
    if package.default in fitting:
        fitting.insert(0, package.default)
    for stream in fitting:
        chosen = _named(request, package, source, stream)
        if chosen is not None:
            return chosen
    return [_not_there(request, fitting[0], package, source)]


def _named(
    request: RequestedPackage, package: Package, source: PackageSource, stream: str = ""
) -> ChosenPackage | None:
    """The source's names for a package or one of its streams, unless it has none."""
    entry: Package | PackageStream = package.streams[stream] if stream else package
    commands = package.commands + (entry.commands if stream else ())
    match _column(entry, source):
        case Omitted(omitted=reason):
            return ChosenPackage(request.name, stream, (), commands, reason)
        case tuple() as names:
            return ChosenPackage(request.name, stream, names, commands)
    return None


def _column(
    entry: Package | PackageStream, source: PackageSource
) -> tuple[str, ...] | Unavailable | Omitted | None:
    return entry.debian if source == "debian" else entry.nixpkgs


def _nearest(name: str, table: PackageTable) -> str:
    """Where a name that is not in the table might have pointed."""
    for known, package in table.items():
        streams = package.streams.values()
        if name in package.commands or any(name in stream.commands for stream in streams):
            return f"the command '{name}' is in package '{known}'"
    return did_you_mean(name, table) or "packages are listed in nixlib/packages.toml"


def _newest_first(package: Package) -> list[str]:
    return sorted(package.streams, key=version_of, reverse=True)


def _fits(stream: str, request: RequestedPackage) -> bool:
    if request.stream is not None:
        return stream == request.stream
    return all(allows(constraint.range, stream) for constraint in request.constraints)


def _without_streams(
    request: RequestedPackage, package: Package, source: PackageSource
) -> ChosenPackage | list[Fault]:
    if request.constraints or request.stream is not None:
        origin = request.constraints[0].origin if request.constraints else request.origins[0]
        message = f"package '{request.name}' has no version streams to choose from"
        return [_fault(Code.NO_STREAM, message, origin, f"write just {request.name}")]
    return _named(request, package, source) or [_not_there(request, "", package, source)]


def _no_stream(request: RequestedPackage, package: Package, source: PackageSource) -> Fault:
    if request.stream is not None:
        wanted, origin = f"'{request.stream}'", request.origins[-1]
    else:
        wanted = " and ".join(f"'{c.range}' ({c.origin})" for c in request.constraints)
        origin = request.constraints[-1].origin
    message = f"no version stream of package '{request.name}' fits {wanted}"
    return _fault(Code.NO_STREAM, message, origin, _streams_hint(package, source))


def _not_there(request: RequestedPackage, stream: str, package: Package, source: PackageSource) -> Fault:
    column = _column(package.streams[stream] if stream else package, source)
    reason = column.unavailable if isinstance(column, Unavailable) else "the package table has no name for it"
    origin = request.constraints[-1].origin if request.constraints else request.origins[-1]
    what = f"'{request.name}' {stream}".rstrip()
    other: PackageSource = "nixpkgs" if source == "debian" else "debian"
    hint = _streams_hint(package, source) if stream else "take another package"
    if _named(request, package, other, stream) is not None:
        hint += f"; {other} has it"
    return _fault(Code.UNAVAILABLE, f"package {what} is not available from {source}: {reason}", origin, hint)


def _streams_hint(package: Package, source: PackageSource) -> str:
    there = [
        f"{s} (default)" if s == package.default else s
        for s in reversed(_newest_first(package))
        if isinstance(_column(package.streams[s], source), tuple)
    ]
    return "version streams: " + ", ".join(there) if there else "take another package"


def _fault(code: Code, message: str, origin: Origin, hint: str) -> Fault:
    return Fault(code, message, origin.file, origin.line, origin.column, hint=hint)
