"""One level's npm packages: pinned by the image's own npm, laid out as `npm install --global` would.

Everything lies in `/opt/node`, which belongs to the sandbox user. Nothing is run at build time: a layer
depends on its tarballs and its owner, never on the image around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openhands_recipes.compile.node.commands import command_links, executables
from openhands_recipes.compile.node.lockfile import NodePackage, packages_for, placed, read_lockfile
from openhands_recipes.compile.pack.plan import PartSize, plan
from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.flows.ahead import fragments_of
from openhands_recipes.flows.lock_node import NodeBench, NodeWorld, lock_tarballs
from openhands_recipes.flows.parts import Part, wanted_tarball
from openhands_recipes.flows.stack import Stack, order_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json
from openhands_recipes.model.lock import Lock, Tarball
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import Conversion

PREFIX = "/opt/node"
"""npm's global prefix in an image."""
NPM_RULES = 1
"""Raise it when tarballs become other fragments, or commands other links."""
_UNPACKED = 5  # times a tarball grows when unpacked: layers are planned from the lock alone


def with_tarballs(
    bench: NodeBench, chain: Sequence[LockedLevel], lock: Lock, *, earlier: Lock | None
) -> Lock:
    """The lock of a chain's newest level with the npm packages it adds.

    Raises:
        ResolutionError: packages do not fit together, with parents or with a platform.
        DownloadError: the registry does not answer.
    """
    node = chain[-1].composed.node
    if node is None or not node.packages:
        return lock
    lower = ((level.name, _lockfile(level.lock)) for level in chain[:-1])
    parents = tuple((name, text) for name, text in lower if text is not None)
    world = NodeWorld(node.packages, parents, _lockfile(earlier) if earlier else None)
    found = lock_tarballs(bench, world, tuple(lock.platforms))
    platforms = {
        platform: inputs.model_copy(
            update={"tarballs": found[platform].tarballs, "npm_lockfile": found[platform].lockfile}
        )
        for platform, inputs in lock.platforms.items()
        if platform in found
    }
    return lock.model_copy(update={"platforms": {**lock.platforms, **platforms}})


def _lockfile(lock: Lock) -> str | None:
    """A level's lockfile; it is the same for all platforms."""
    return next((p.npm_lockfile for p in lock.platforms.values() if p.npm_lockfile is not None), None)


def npm_parts(chain: Sequence[LockedLevel], platform: Platform) -> list[Part]:
    """What can be downloaded for the newest level's npm packages."""
    owner = _owner(chain)
    return [_part(package, tarball, owner) for package, tarball in _placed(chain, platform)]


def add_node(shop: Workshop, stack: Stack, chain: Sequence[LockedLevel], platform: Platform) -> None:
    """Put the newest level's npm packages on the stack, then the links to their commands.

    Raises:
        DownloadError: a tarball cannot be had any more.
        VerificationError: a tarball is malformed.
    """
    listed = _placed(chain, platform)
    if not listed:
        return
    owner = _owner(chain)
    parts = {package.location: _part(package, tarball, owner) for package, tarball in listed}
    fragments_of(shop, list(parts.values()))
    sizes = [
        PartSize(parts[package.location].key, package.location, _root(package), tarball.size * _UNPACKED)
        for package, tarball in listed
    ]
    name = f"{chain[-1].name}/node"
    for group in plan(sizes):
        stack.add(order_of(f"{name}/{group.name}", group.keys), debian=False)
    links = _links(shop, chain, platform, owner)
    stack.add(order_of(f"{name}/commands", (links,)), debian=False)


def _placed(chain: Sequence[LockedLevel], platform: Platform) -> tuple[tuple[NodePackage, Tarball], ...]:
    inputs = chain[-1].lock.platforms.get(platform)
    if inputs is None or inputs.npm_lockfile is None:
        return ()
    return placed(inputs.npm_lockfile, inputs.tarballs, platform)


def _owner(chain: Sequence[LockedLevel]) -> tuple[int, int]:
    user = chain[-1].composed.user
    return (user.uid, user.gid) if user is not None else (0, 0)


def _root(package: NodePackage) -> str:
    """The package asked for, below which this one lies: they change together."""
    return package.place.partition("/node_modules/")[0]


def _part(package: NodePackage, tarball: Tarball, owner: tuple[int, int]) -> Part:
    programs = executables(package)
    key = digest_of_json(
        ["npm", NPM_RULES, tarball.sha256, PREFIX, package.place, list(owner), list(programs)]
    )
    options = {
        "prefix": PREFIX,
        "name": package.place,
        "owner": f"{owner[0]}:{owner[1]}",
        "executables": "\n".join(programs),
    }

    def conversion(path: Path) -> Conversion:
        return Conversion(key, "npm", path, options)

    return Part(wanted_tarball(tarball), conversion, key)


def _links(
    shop: Workshop, chain: Sequence[LockedLevel], platform: Platform, owner: tuple[int, int]
) -> Digest:
    """The fragment of all links to commands; bundled packages have some too."""
    packages = packages_for(read_lockfile(_lockfile(chain[-1].lock) or ""), platform)
    entries = command_links(packages, prefix=PREFIX, owner=owner)
    key = digest_of_json(["npm commands", NPM_RULES, [list(entry[:8]) for entry in entries]])
    if shop.fragments.get(key) is None:
        shop.fragments.create(key, [(entry, None) for entry in entries])
    return key
