"""Make the wheel that no index has: fetch an sdist, build it in the sandbox, keep what came out.

Inputs are pinned by hash, there is no network, the clock stands at 1980 and the wheel is brought into
its normal form, so that a build from the same lock ends with the same bytes or with an error.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from openhands_recipes.compile.python.pylock import ChosenWheel, choose_wheels, fits, runs_everywhere
from openhands_recipes.compile.python.sdist import BuildSystem, read_build_system
from openhands_recipes.compile.python.wheel_normalise import normalise_wheel
from openhands_recipes.errors import NoWheelError, OutsideError, ResolutionError, VerificationError
from openhands_recipes.flows.inside import parcel, program
from openhands_recipes.flows.parts import wanted_wheel
from openhands_recipes.model.digest import Digest, digest_of, from_hex, hex_of
from openhands_recipes.model.lock import BuildRequirement, Built, Wheel
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import (
    Blobs,
    Command,
    Downloads,
    PythonIndex,
    PythonRequest,
    SandboxEngine,
    SourceArchive,
    Wanted,
)

log = logging.getLogger(__name__)

EPOCH = "315532800"
"""1980-01-01, the first time zip can tell: SOURCE_DATE_EPOCH of every build."""
FOLDER = "/tmp/build"  # noqa: S108 - inside the sandbox, whose /tmp is its own
NOBODY = 65534
TIMEOUT = 1800.0
SHOWN_LINES = 15


@dataclass(frozen=True)
class Room:
    """A root to build in: trees with a Python, lowest first."""

    trees: tuple[str, ...]
    python: str
    """Path inside: `/usr/bin/python3.13`."""
    python_version: str


@dataclass(frozen=True)
class Workbench:
    """What building takes."""

    index: PythonIndex
    downloads: Callable[[], Downloads]
    blobs: Blobs
    engine: SandboxEngine
    host: Platform
    """This machine's own platform: the only one it can build machine code for."""
    room: Callable[[], Room]
    """Furnished when something must be built; asked for more than once."""


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel made here, kept in the blob cache, and what it was made of."""

    name: str
    version: str
    file: str
    size: int
    digest: Digest
    built: Built

    @property
    def pure(self) -> bool:
        """Whether it runs on every platform."""
        return runs_everywhere(self.file)


def build_sdist(bench: Workbench, source: SourceArchive) -> BuiltWheel:
    """Build a project's sdist; its build requirements are chosen now and pinned.

    Raises:
        ResolutionError: build requirements cannot be met, the backend fails, or it makes another project.
        DownloadError: something cannot be fetched.
        VerificationError: something fetched is not what the index promised, or no wheel came out.
    """
    room = bench.room()
    wanted = _wanted_source(source.project, source)
    bench.downloads().fetch([wanted])
    sdist = _blob(bench, wanted.digest)
    system = read_build_system(sdist, file=source.file)
    requirements = build_requirements(bench, system.requires, source.project, platform=bench.host)
    order = _order(bench, source.file, sdist, system, requirements)
    further, file, content = _run(bench, room, order, settled=False)
    if further:
        requires = (*system.requires, *further)
        requirements = build_requirements(bench, requires, source.project, platform=bench.host)
        order = _order(bench, source.file, sdist, system, requirements)
        _, file, content = _run(bench, room, order, settled=True)
    wheel = _accepted(file, content, project=source.project, version=source.version)
    built = Built(file=source.file, size=source.size, sha256=source.sha256, requirements=requirements)
    return BuiltWheel(source.project, source.version, file, len(wheel), bench.blobs.add(wheel), built)


def rebuild(bench: Workbench, wheel: Wheel, among: Iterable[Wheel] = ()) -> Digest:
    """Have a locked, built wheel in the blob cache: from there, or built again from its hashed inputs.

    `among` are further entries of the lock: a wheel for all platforms may be listed with tools for this
    machine there.

    Raises:
        DownloadError: an input cannot be fetched any more.
        VerificationError: the build made other bytes than were locked.
        ResolutionError: the backend fails, or its tools do not run on this machine.
    """
    digest = from_hex(wheel.sha256)
    if bench.blobs.path(digest) is not None:
        return digest
    built = _usable(bench, wheel, among)
    wanted = _wanted_source(wheel.name, built)
    bench.downloads().fetch([wanted, *map(wanted_wheel, built.requirements)])
    sdist = _blob(bench, wanted.digest)
    system = read_build_system(sdist, file=built.file)
    order = _order(bench, built.file, sdist, system, built.requirements)
    _, file, content = _run(bench, bench.room(), order, settled=True)
    made = bench.blobs.add(_accepted(file, content, project=wheel.name, version=wheel.version))
    if made != digest:
        raise VerificationError(
            f"{wheel.file}, built from {built.file}, is not the wheel that was locked",
            where=f"{made}, locked {digest}",
            hint="its build depends on more than its inputs; run `ohr lock --update` to lock it anew",
        )
    return digest


def _usable(bench: Workbench, wheel: Wheel, among: Iterable[Wheel]) -> Built:
    """How to build a wheel with tools that run here."""
    python = bench.room().python_version
    for same in (wheel, *among):
        built = same.built_from
        if same.sha256 == wheel.sha256 and built is not None:
            tools = [requirement.file for requirement in built.requirements]
            if all(fits(file, python_version=python, platform=bench.host) for file in tools):
                return built
    raise ResolutionError(
        f"{wheel.file} cannot be built on {bench.host}: what its build needs is locked for other platforms",
        hint=f"build on a machine of its platform, or lock for {bench.host} as well",
    )


def build_requirements(
    bench: Workbench, requires: Sequence[str], project: str, *, platform: Platform
) -> tuple[BuildRequirement, ...]:
    """Wheels that meet a build's requirements, in the blob cache.

    Raises:
        ResolutionError: none do; wheels for building are never built themselves.
    """
    if not requires:
        return ()
    python = bench.room().python_version
    try:
        answer = bench.index.compile(PythonRequest(tuple(requires), python, platform))
    except NoWheelError as error:
        raise ResolutionError(
            f"{project} cannot be built: {error.project}, which its build needs, has no wheel either",
            hint="choose a version that has wheels",
        ) from error
    except ResolutionError as error:
        raise ResolutionError(f"{project} cannot be built: {error.message}", hint=error.hint) from error
    chosen = choose_wheels(answer, python_version=python, platform=platform)
    requirements = tuple(map(ChosenWheel.build_requirement, chosen))
    bench.downloads().fetch([wanted_wheel(requirement) for requirement in requirements])
    return requirements


def requirements_for(bench: Workbench, wheel: BuiltWheel, platform: Platform) -> tuple[BuildRequirement, ...]:
    """The same build requirements as they are called on another platform."""
    own = wheel.built.requirements
    if platform == bench.host or all(runs_everywhere(one.file) for one in own):
        return own
    return build_requirements(bench, [f"{r.name}=={r.version}" for r in own], wheel.name, platform=platform)


def _wanted_source(project: str, source: SourceArchive | Built) -> Wanted:
    return Wanted(
        source.file,
        from_hex(source.sha256),
        source.size,
        "pypi",
        f"{canonicalize_name(project)}/{source.file}",
    )


def _blob(bench: Workbench, digest: Digest) -> bytes:
    path = bench.blobs.path(digest)
    if path is None:
        raise OutsideError("a file that was just fetched is gone from the cache", where=digest)
    content = path.read_bytes()
    if digest_of(content) != digest:
        raise VerificationError("a file in the cache has changed", where=str(path), hint="remove it")
    return content


def _order(
    bench: Workbench,
    file: str,
    sdist: bytes,
    system: BuildSystem,
    requirements: Sequence[BuildRequirement],
) -> bytes:
    """What the program inside reads: everything it needs."""
    text = json.dumps({"backend": system.backend, "backend_path": list(system.backend_path)})
    parts = {"order.json": text.encode(), f"sdist/{file}": sdist}
    parts |= {f"wheels/{r.file}": _blob(bench, from_hex(r.sha256)) for r in requirements}
    return parcel(parts)


def build_environment() -> dict[str, str]:
    """Everything a build may know of its surroundings, always the same."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": FOLDER,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": EPOCH,
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run(bench: Workbench, room: Room, order: bytes, *, settled: bool) -> tuple[list[str], str, bytes]:
    """What the backend wants besides (unless that is settled), or the wheel's name and bytes."""
    settling = ("settled",) if settled else ()
    command = Command(
        argv=(room.python, "-s", "-S", "-P", "-c", program("pep517"), FOLDER, *settling),
        environment=build_environment(),
        uid=NOBODY,
        gid=NOBODY,
        timeout=TIMEOUT,
    )
    with bench.engine.open(room.trees) as box:
        done = box.run(command, stdin=order)
    if done.exit_code:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-SHOWN_LINES:]
        reason = (
            f"it took longer than {TIMEOUT:.0f} s" if done.timed_out else (tail or ["no reason given"])[-1]
        )
        log.info("the build said:\n%s", "\n".join(tail))
        raise ResolutionError(
            f"building a wheel from its source failed: {reason}",
            where="\n      ".join(tail) or None,
            hint="choose a version that has wheels, or add what its build needs to `packages`",
        )
    answer, _, content = done.stdout.partition(b"\n")
    try:
        value: Mapping[str, Any] = json.loads(answer)
        return list(value.get("requires", ())), str(value.get("wheel", "")), content
    except (ValueError, AttributeError) as error:
        raise VerificationError("the build answered with something unknown") from error


def _accepted(file: str, content: bytes, *, project: str, version: str) -> bytes:
    """The wheel in its normal form, once it is clear that it is the one asked for."""
    try:
        name, made, _, _ = parse_wheel_filename(file)
        right = name == canonicalize_name(project) and made == Version(version)
    except (InvalidWheelFilename, InvalidVersion):
        right = False
    if not right:
        raise ResolutionError(f"building {project} {version} made something else: {file!r}")
    return normalise_wheel(content)


def locked(wheel: BuiltWheel, into: str, requirements: tuple[BuildRequirement, ...]) -> Wheel:
    """A built wheel as a lock lists it."""
    return Wheel(
        name=wheel.name,
        version=wheel.version,
        file=wheel.file,
        size=wheel.size,
        sha256=hex_of(wheel.digest),
        into=into,
        built_from=wheel.built.model_copy(update={"requirements": requirements}),
    )
