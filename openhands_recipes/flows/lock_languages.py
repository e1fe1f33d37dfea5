"""The part of a lock that comes from language registries, on top of the Debian part already solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.errors import ResolutionError, UsageError
from openhands_recipes.flows.debian_level import DebianLevel, add_debian
from openhands_recipes.flows.lock_node import NodeBench, NodeRoom
from openhands_recipes.flows.lock_python import USER, Inherited, World, lock_wheels
from openhands_recipes.flows.mounted import reader_in
from openhands_recipes.flows.node_level import with_tarballs
from openhands_recipes.flows.sdist import Room, Workbench
from openhands_recipes.flows.stack import Stack, unpack
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.lock import Deb, Lock, Wheel
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import BoxOptions


def lock_languages(
    shop: Workshop,
    composed: Composed,
    ancestors: Sequence[LockedLevel],
    lock: Lock,
    *,
    earlier: Lock | None,
) -> Lock:
    """The lock with the wheels and npm packages a level adds; `earlier` versions stay where they still fit.

    Raises:
        ResolutionError: requirements do not fit together, or some project cannot be had as a wheel.
        DownloadError: the index does not answer.
    """
    asked = _asked(composed)
    if asked:
        lock = _with_wheels(shop, (*ancestors, _provisional(composed, lock)), asked, earlier)
    if composed.node is None:
        return lock
    with shop.progress.stage(f"resolve {composed.name}"):
        chain = (*ancestors, _provisional(composed, lock))
        return with_tarballs(node_bench(shop, chain), chain, lock, earlier=earlier)


def _provisional(composed: Composed, lock: Lock) -> LockedLevel:
    """The level as far as it is locked by now."""
    return LockedLevel(composed, lock, digest_of(b""))


def _with_wheels(
    shop: Workshop,
    chain: Sequence[LockedLevel],
    asked: Mapping[str, tuple[str, tuple[str, ...]]],
    earlier: Lock | None,
) -> Lock:
    lock = chain[-1].lock
    worlds = [
        _world(into, chain, version, requirements, earlier) for into, (version, requirements) in asked.items()
    ]
    with shop.progress.stage(f"resolve {chain[-1].name}"):
        wheels = lock_wheels(workbench(shop, chain, asked_version(asked)), worlds, tuple(lock.platforms))
    platforms = {p: inputs.model_copy(update={"wheels": wheels[p]}) for p, inputs in lock.platforms.items()}
    return lock.model_copy(update={"platforms": platforms})


def _asked(composed: Composed) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Environment -> Python version and requirements."""
    asked = {a.name: (a.python.version, a.python.packages) for a in composed.applications}
    if composed.python is not None:
        asked[USER] = (composed.python.version, composed.python.packages)
    return asked


def asked_version(asked: Mapping[str, tuple[str, tuple[str, ...]]]) -> str:
    """The Python sdists are built with: any of those in the image will do, the newest is taken."""
    return max((version for version, _ in asked.values()), key=lambda v: tuple(map(int, v.split("."))))


def _world(
    into: str,
    chain: Sequence[LockedLevel],
    version: str,
    requirements: tuple[str, ...],
    earlier: Lock | None,
) -> World:
    parents = tuple(Inherited(parent.name, _wheels(parent.lock, into)) for parent in chain[:-1])
    return World(
        into,
        interpreter_version(chain, version),
        requirements,
        parents,
        _wheels(earlier, into) if earlier else {},
    )


def _wheels(lock: Lock, into: str) -> dict[Platform, tuple[Wheel, ...]]:
    found = {p: tuple(w for w in inputs.wheels if w.into == into) for p, inputs in lock.platforms.items()}
    return {p: wheels for p, wheels in found.items() if wheels}


def interpreter_version(chain: Sequence[LockedLevel], version: str) -> str:
    """The exact version of Python X.Y in an image: what Debian's source package pythonX.Y says.

    Raises:
        ResolutionError: nothing in the chain brings that Python.
    """
    for level in chain:
        for inputs in level.lock.platforms.values():
            for deb in inputs.debs:
                if deb.source == f"python{version}":
                    return _upstream(deb)
    raise ResolutionError(
        f"'{chain[-1].name}' wants Python {version}, which none of its packages brings",
        hint="`python.version` must be a stream of the package 'python' that Debian has",
    )


def _upstream(deb: Deb) -> str:
    """`3.13.5` of `1:3.13.5-2+deb13u1` (deb-version(7))."""
    return deb.version.rpartition(":")[2].partition("-")[0].partition("~")[0].partition("+")[0]


def workbench(shop: Workshop, chain: Sequence[LockedLevel], version: str) -> Workbench:
    """Where sdists are built: in the image's own Debian, with its own Python."""
    host = _host(shop)

    def furnish() -> Room:
        trees = debian_trees(shop, chain, host)
        return Room(trees, f"/usr/bin/python{version}", interpreter_version(chain, version))

    return Workbench(shop.python_index(), shop.downloads, shop.blobs, shop.engine, host, furnish)


def node_bench(shop: Workshop, chain: Sequence[LockedLevel]) -> NodeBench:
    """Where npm packages are chosen: in the image's own Debian, with its own npm, with network."""

    def furnish() -> NodeRoom:
        trees = debian_trees(shop, chain, _host(shop))
        with shop.engine.open(trees) as box:
            files, environment = shop.offer(reader_in(box))
        return NodeRoom(trees, options=BoxOptions(network=True, files=files), environment=environment)

    return NodeBench(shop.blobs, shop.engine, furnish)


def _host(shop: Workshop) -> Platform:
    if shop.host is None:
        raise UsageError("this machine runs the programs of no platform that images are built for")
    return shop.host


def debian_trees(shop: Workshop, chain: Sequence[LockedLevel], host: Platform) -> tuple[str, ...]:
    """The configured Debian of a chain as trees, built as far as that was not done before."""
    stack = Stack()
    for level in chain:
        debian = DebianLevel(level, host, stack.configured)
        if not debian.empty:
            add_debian(shop, stack, debian)
    return unpack(shop, tuple(stack.debian))
