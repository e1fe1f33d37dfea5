"""The Python wheels one level adds, per platform: resolved, built where no index has one, pinned.

Every environment is a world of its own: `python` is the user's, all others belong to applications.
What parents put into an environment stays as it is; only what comes on top is returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from openhands_recipes.compile.python.pylock import choose_wheels, fits, pins
from openhands_recipes.errors import NoWheelError, OutsideError, ResolutionError
from openhands_recipes.flows.sdist import (
    BuiltWheel,
    Workbench,
    build_sdist,
    locked,
    rebuild,
    requirements_for,
)
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.lock import Wheel
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import PythonRequest

USER = "python"
"""The user's environment; `pip` is always in it."""
MOST_BUILDS = 40
"""Projects without wheels in one environment; more is a mistake."""


@dataclass(frozen=True)
class Inherited:
    """What one parent put into an environment."""

    parent: str
    wheels: Mapping[Platform, tuple[Wheel, ...]]


@dataclass(frozen=True)
class World:
    """One environment, as one level asks for it."""

    into: str
    python_version: str
    """Of the image: `3.13`, or better `3.13.5`."""
    requirements: tuple[str, ...]
    parents: tuple[Inherited, ...] = ()
    """Lowest first."""
    earlier: Mapping[Platform, tuple[Wheel, ...]] = field(default_factory=dict)
    """The level's own wheels of its last lock, kept where possible; empty for an update."""


def lock_wheels(
    bench: Workbench, worlds: Sequence[World], platforms: Sequence[Platform]
) -> dict[Platform, tuple[Wheel, ...]]:
    """What a level adds to its environments, sorted by environment and name.

    Raises:
        ResolutionError: requirements do not fit together or with what parents fixed, or some project
            has no wheel for a platform and cannot be built for it.
        DownloadError: the index does not answer.
    """
    builds = _Builds(bench)
    added: dict[Platform, tuple[Wheel, ...]] = {}
    for platform in sorted(platforms):
        found: list[Wheel] = []
        for world in sorted(worlds, key=lambda world: world.into):
            found += _Resolution(bench, builds, world, platform).added()
        added[platform] = tuple(found)
    return added


class _Builds:
    """Wheels built during one lock, shared by environments and platforms."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._built: dict[tuple[str, str], BuiltWheel] = {}

    def newest(self, wanted: NoWheelError, *, python_version: str, platform: Platform) -> BuiltWheel:
        """A build of the newest version that will do; one made before if it does.

        Raises:
            ResolutionError: it holds machine code and this machine is of another platform.
        """
        allowed = SpecifierSet(wanted.specifier, prereleases=True)
        built = next(
            (b for b in self._built.values() if b.name == wanted.project and Version(b.version) in allowed),
            None,
        )
        if built is None:
            source = self._bench.index.source(wanted.project, wanted.specifier, python_version=python_version)
            if source.compiled and platform != self._bench.host:
                raise _foreign(source.project, source.version, platform)
            built = build_sdist(self._bench, source)
            self._built[built.name, built.version] = built
        if not fits(built.file, python_version=python_version, platform=platform):
            raise _foreign(built.name, built.version, platform)
        return built


def _foreign(project: str, version: str, platform: Platform) -> ResolutionError:
    return ResolutionError(
        f"{project} {version} has no wheel for {platform} and holds machine code that only a machine of "
        "that platform can build",
        hint=f"lock there, leave {platform} out of `platforms`, or choose a version that has wheels",
    )


class _Resolution:
    """One environment on one platform."""

    def __init__(self, bench: Workbench, builds: _Builds, world: World, platform: Platform) -> None:
        self._bench = bench
        self._builds = builds
        self._world = world
        self._platform = platform
        self._fixed = agreed(world, platform)
        self._offered: dict[str, Wheel] = {}
        self._files: dict[str, Path] = {}
        requirements = set(world.requirements)
        if world.into == USER:
            requirements.add("pip")
        self._requirements = tuple(sorted(requirements))

    def added(self) -> list[Wheel]:
        """The wheels that come on top of the parents', sorted by name."""
        if all(self._met(text) for text in self._requirements):
            return []
        answer = self._answer()
        chosen = choose_wheels(answer, python_version=self._world.python_version, platform=self._platform)
        return [
            self._made(wheel.file) or wheel.into(self._world.into)
            for wheel in chosen
            if wheel.name not in self._fixed
        ]

    def _met(self, text: str) -> bool:
        """Whether parents surely meet a requirement; extras and markers are the resolver's to judge."""
        requirement = Requirement(text)
        fixed = self._fixed.get(canonicalize_name(requirement.name))
        if fixed is None or requirement.extras or requirement.marker:
            return False
        return requirement.specifier.contains(fixed[0].version, prereleases=True)

    def _made(self, file: str) -> Wheel | None:
        return next((wheel for wheel in self._offered.values() if wheel.file == file), None)

    def _answer(self) -> bytes:
        """The resolver's, with every wheel built that it asks for."""
        for _ in range(MOST_BUILDS):
            try:
                return self._bench.index.compile(self._request(fixed=True))
            except NoWheelError as error:
                self._refuse_conflict(error)
                self._offer(error)
            except ResolutionError as error:
                self._refuse_conflict(error)
                raise
        raise ResolutionError(
            f"more than {MOST_BUILDS} projects of '{self._world.into}' have no wheels",
            hint="choose versions that have wheels",
        )

    def _request(self, *, fixed: bool) -> PythonRequest:
        inherited = pins(wheel for wheel, _ in self._fixed.values())
        earlier = pins(
            wheel
            for wheel in self._world.earlier.get(self._platform, ())
            if wheel.into == self._world.into and wheel.name not in self._fixed
        )
        return PythonRequest(
            requirements=self._requirements,
            python_version=self._world.python_version,
            platform=self._platform,
            constraints=inherited if fixed else (),
            preferences=earlier if fixed else (*inherited, *earlier),
            wheels=self._files,
        )

    def _refuse_conflict(self, error: ResolutionError) -> None:
        """Find out whether parents are to blame: what would move if they did not fix it?

        Raises:
            ResolutionError: they are.
        """
        if not self._fixed:
            return
        try:
            answer = self._bench.index.compile(self._request(fixed=False))
        except ResolutionError:
            return
        moved = [
            (self._fixed[wheel.name], wheel.version)
            for wheel in choose_wheels(
                answer, python_version=self._world.python_version, platform=self._platform
            )
            if wheel.name in self._fixed and self._fixed[wheel.name][0].version != wheel.version
        ]
        if moved:
            raise self._conflict(moved) from error

    def _conflict(self, moved: Sequence[tuple[tuple[Wheel, str], str]]) -> ResolutionError:
        asked = ", ".join(f"'{text}'" for text in sorted(self._world.requirements))
        needs = ", ".join(
            f"{wheel.name} {version} where parent '{parent}' fixes {wheel.version}"
            for (wheel, parent), version in moved
        )
        parents = " ".join(sorted({parent for (_, parent), _ in moved}))
        return ResolutionError(
            f"{asked} in '{self._world.into}' on {self._platform} would need {needs}",
            hint=f"run `ohr lock --update {parents}`, or ask for versions that fit",
        )

    def _offer(self, error: NoWheelError) -> None:
        """Build what has no wheel, so that the next answer can have it.

        Raises:
            ResolutionError: it cannot be built for this platform.
        """
        if error.project in self._offered:
            raise ResolutionError(error.message, hint="choose a version that has wheels") from error
        known = self._known(error)
        if known is not None:
            digest = rebuild(self._bench, known, self._everything())
            self._offered[error.project] = known
            self._files[known.file] = self._path(digest)
            return
        built = self._builds.newest(error, python_version=self._world.python_version, platform=self._platform)
        requirements = requirements_for(self._bench, built, self._platform)
        self._offered[error.project] = locked(built, self._world.into, requirements)
        self._files[built.file] = self._path(built.digest)

    def _known(self, wanted: NoWheelError) -> Wheel | None:
        """A wheel a parent or the last lock had built, if it will do: it is not made anew."""
        allowed = SpecifierSet(wanted.specifier, prereleases=True)
        inherited = [wheel for wheel, _ in self._fixed.values()]
        for wheel in (*inherited, *self._world.earlier.get(self._platform, ())):
            if wheel.name == wanted.project and wheel.built_from and Version(wheel.version) in allowed:
                return wheel.model_copy(update={"into": self._world.into})
        return None

    def _everything(self) -> list[Wheel]:
        """All entries of all locks at hand, whatever their platform."""
        listings = [parent.wheels for parent in self._world.parents]
        return [
            wheel
            for wheels in (*listings, self._world.earlier)
            for listed in wheels.values()
            for wheel in listed
        ]

    def _path(self, digest: Digest) -> Path:
        path = self._bench.blobs.path(digest)
        if path is None:
            raise OutsideError("a wheel that was just built is gone from the cache", where=digest)
        return path


def agreed(world: World, platform: Platform) -> dict[str, tuple[Wheel, str]]:
    """What parents put into an environment, by project, each with the parent that did.

    Raises:
        ResolutionError: two of them fix one project differently.
    """
    fixed: dict[str, tuple[Wheel, str]] = {}
    for inherited in world.parents:
        for wheel in inherited.wheels.get(platform, ()):
            if wheel.into != world.into:
                continue
            known, owner = fixed.setdefault(wheel.name, (wheel, inherited.parent))
            if (known.version, known.sha256) != (wheel.version, wheel.sha256):
                raise ResolutionError(
                    f"parents '{owner}' and '{inherited.parent}' fix different versions of {wheel.name} "
                    f"in '{world.into}': {known.version} and {wheel.version}",
                    hint=f"run `ohr lock --update {owner} {inherited.parent}`",
                )
    return fixed
