"""One level's Python packages as layers: wheels as pip would install them, with the image's own bytecode.

A layer depends on its wheels, the interpreter and the folder they go to, never on the image around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.compile.pack.plan import PartSize, plan
from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.compile.python.bytecode import sources_of
from openhands_recipes.compile.python.environment import (
    check_commands,
    environment_entries,
    interpreter,
    minor_version,
    prefix_of,
    scripts_of,
    site_packages,
)
from openhands_recipes.flows.ahead import fragments_of
from openhands_recipes.flows.byte_compile import byte_compile, bytecode_entries, bytecode_key
from openhands_recipes.flows.lock_languages import interpreter_version, workbench
from openhands_recipes.flows.lock_python import USER
from openhands_recipes.flows.parts import Part, wanted_wheel
from openhands_recipes.flows.sdist import rebuild
from openhands_recipes.flows.stack import Stack, order_of, unpack
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json, from_hex
from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.model.lock import Wheel
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import Conversion, LayerOrder

WHEEL_RULES = 1
"""Raise it when wheels become other fragments."""
_UNPACKED = 3  # times a wheel grows when unpacked and compiled: layers are planned from the lock alone


@dataclass(frozen=True)
class Environment:
    """One environment of one level."""

    into: str
    version: str
    """Exact: 3.13.5."""
    interpreter: str
    """A hash of the packages the interpreter comes from."""
    owner: tuple[int, int]
    wheels: tuple[Wheel, ...]
    new: bool
    """Whether no lower level has it."""

    @property
    def prefix(self) -> str:
        """Where it lies."""
        return prefix_of(self.into)

    def key(self, wheel: Wheel) -> Digest:
        """Of a wheel's fragment."""
        return digest_of_json(
            ["wheel", WHEEL_RULES, wheel.sha256, self.prefix, minor_version(self.version), list(self.owner)]
        )

    def bytecode(self, part: Digest) -> Digest:
        """Of the bytecode of a wheel's fragment."""
        return bytecode_key(part, python=self.interpreter)

    def part(self, wheel: Wheel) -> Part:
        """A wheel and what becomes of it."""
        key = self.key(wheel)
        uid, gid = self.owner
        options = {"prefix": self.prefix, "python": minor_version(self.version), "owner": f"{uid}:{gid}"}

        def conversion(path: Path) -> Conversion:
            return Conversion(key, "wheel", path, options)

        return Part(wanted_wheel(wheel), conversion, key)


def environments(chain: Sequence[LockedLevel], platform: Platform) -> tuple[Environment, ...]:
    """What the newest level of a chain adds to which environments, sorted by name."""
    level = chain[-1]
    inputs = level.lock.platforms.get(platform)
    wheels: dict[str, list[Wheel]] = {}
    for wheel in inputs.wheels if inputs else ():
        wheels.setdefault(wheel.into, []).append(wheel)
    below = {w.into for lower in chain[:-1] for w in lower.lock.platforms[platform].wheels}
    return tuple(
        _environment(chain, platform, into, tuple(found), new=into not in below)
        for into, found in sorted(wheels.items())
    )


def _environment(
    chain: Sequence[LockedLevel], platform: Platform, into: str, wheels: tuple[Wheel, ...], *, new: bool
) -> Environment:
    composed = chain[-1].composed
    if into == USER and composed.python is not None:
        version = composed.python.version
    else:
        version = next(a.python.version for a in composed.applications if a.name == into)
    user = composed.user
    owner = (user.uid, user.gid) if into == USER and user is not None else (0, 0)
    return Environment(
        into,
        interpreter_version(chain, version),
        _interpreter_hash(chain, platform, version),
        owner,
        wheels,
        new,
    )


def _interpreter_hash(chain: Sequence[LockedLevel], platform: Platform, version: str) -> str:
    for level in chain:
        inputs = level.lock.platforms[platform]
        hashes = sorted(deb.sha256 for deb in inputs.debs if deb.source == f"python{version}")
        if hashes:
            return digest_of_json(hashes)
    return ""


def environment_files(chain: Sequence[LockedLevel], platform: Platform) -> list[tuple[Entry, bytes]]:
    """The environments the newest level founds: links to the interpreter, pyvenv.cfg, empty folders."""
    made: list[tuple[Entry, bytes]] = []
    for environment in environments(chain, platform):
        if environment.new:
            entries = environment_entries(environment.prefix, environment.version, owner=environment.owner)
            made += [(entry, content if isinstance(content, bytes) else b"") for entry, content in entries]
    return made


def wheel_parts(chain: Sequence[LockedLevel], platform: Platform) -> list[Part]:
    """What can be downloaded for the newest level's environments."""
    return [
        environment.part(wheel)
        for environment in environments(chain, platform)
        for wheel in environment.wheels
        if wheel.built_from is None
    ]


def must_rebuild(shop: Workshop, chain: Sequence[LockedLevel], platform: Platform) -> bool:
    """Whether wheels of the newest level must be built from their sources: in its own, configured Debian."""
    return any(
        wheel.built_from is not None and shop.fragments.get(environment.key(wheel)) is None
        for environment in environments(chain, platform)
        for wheel in environment.wheels
    )


def add_python(shop: Workshop, stack: Stack, chain: Sequence[LockedLevel], platform: Platform) -> None:
    """Put the newest level's wheels on the stack, one environment after the other."""
    for environment in environments(chain, platform):
        _add(shop, stack, chain, environment)


def _add(shop: Workshop, stack: Stack, chain: Sequence[LockedLevel], environment: Environment) -> None:
    fragments = _fragments(shop, chain, environment)
    _check_commands(chain, environment, fragments.values())
    groups = plan(
        [PartSize(environment.key(w), w.name, w.name, w.size * _UNPACKED) for w in environment.wheels]
    )
    name = f"{chain[-1].name}/{environment.into}"
    plain = {group.name: order_of(f"{name}/{group.name}", group.keys) for group in groups}
    _compile(shop, stack, environment, fragments, tuple(plain.values()))
    for group in groups:
        compiled = tuple(key for key in map(environment.bytecode, group.keys) if _has_files(shop, key))
        whole = order_of(plain[group.name].group, (*group.keys, *compiled))
        extra = order_of(f"{plain[group.name].group}/bytecode", compiled)
        stack.add(whole, debian=False, trees=(plain[group.name], extra) if compiled else (plain[group.name],))


def _fragments(
    shop: Workshop, chain: Sequence[LockedLevel], environment: Environment
) -> dict[Digest, Fragment]:
    made = [w for w in environment.wheels if w.built_from is not None]
    missing = [w for w in made if shop.fragments.get(environment.key(w)) is None]
    if missing:
        bench = workbench(shop, chain, minor_version(environment.version))
        among = [w for inputs in chain[-1].lock.platforms.values() for w in inputs.wheels]
        with shop.progress.stage("build wheels", total=len(missing)) as stage:
            for wheel in missing:
                stage.note(wheel.name)
                rebuild(bench, wheel, among)
                stage.advance()
    for wheel in missing:
        path = shop.blobs.path(from_hex(wheel.sha256))
        if path is not None:
            shop.fragments.convert([environment.part(wheel).conversion(path)])
    return fragments_of(shop, [environment.part(wheel) for wheel in environment.wheels])


def _check_commands(
    chain: Sequence[LockedLevel], environment: Environment, fragments: Iterable[Fragment]
) -> None:
    if not environment.new:
        return
    for application in chain[-1].composed.applications:
        if application.name == environment.into:
            check_commands(application.name, application.commands, scripts_of(environment.prefix, fragments))


def _has_files(shop: Workshop, key: Digest) -> bool:
    fragment = shop.fragments.get(key)
    return fragment is not None and bool(fragment.entries)


def _compile(
    shop: Workshop,
    stack: Stack,
    environment: Environment,
    fragments: dict[Digest, Fragment],
    plain: tuple[LayerOrder, ...],
) -> None:
    """Have the bytecode of every wheel, compiled by the image's own Python over Debian's layers alone."""
    below = site_packages(environment.prefix, environment.version)
    missing: dict[str, tuple[str, ...]] = {
        part: sources_of(fragment, below)
        for part, fragment in fragments.items()
        if shop.fragments.get(environment.bytecode(part)) is None
    }
    if not missing:
        return
    with shop.progress.stage("unpack"):
        trees = unpack(shop, (*stack.debian, *plain))
    with shop.progress.stage(f"byte-compile {environment.into}"), shop.engine.open(trees) as box:
        byte_compile(
            box,
            missing.values(),
            python=interpreter(environment.version),
            jobs=shop.cores,
            owner=environment.owner,
        )
        for part, entries in bytecode_entries(box, missing, python_version=environment.version):
            shop.fragments.create(environment.bytecode(Digest(part)), entries)
