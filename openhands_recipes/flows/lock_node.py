"""The npm packages one level adds: resolved and fetched by the image's own npm, scripts off, then pinned.

npm runs in a sandbox with network; what comes out of it is believed only as far as its hashes go.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from openhands_recipes.compile.node.lockfile import (
    NodePackage,
    for_npm,
    hostless,
    manifest,
    packages_for,
    read_lockfile,
)
from openhands_recipes.compile.recipe.ranges import allows
from openhands_recipes.compile.recipe.requirements import node_requirement
from openhands_recipes.errors import DownloadError, OutsideError, ResolutionError, VerificationError
from openhands_recipes.flows.inside import parcel
from openhands_recipes.model.digest import digest_of, hex_of
from openhands_recipes.model.lock import Tarball
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import Blobs, Box, BoxOptions, Command, Completed, SandboxEngine

log = logging.getLogger(__name__)

FOLDER = "/tmp/build"  # noqa: S108 - inside the sandbox, whose /tmp is its own
NOBODY = 65534
TIMEOUT = 1800.0
SETTINGS = (
    "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error",
    f"--cache={FOLDER}/cache",
)  # fmt: skip
PATIENCE = {
    "NPM_CONFIG_FETCH_RETRIES": "4",
    "NPM_CONFIG_FETCH_RETRY_MINTIMEOUT": "1000",
    "NPM_CONFIG_FETCH_RETRY_MAXTIMEOUT": "15000",
}
RESOLVE = 'mkdir -p "$HOME" && cd "$HOME" && tar -xf - && "$@" >&2 && cat package-lock.json'
COLLECT = 'cd "$HOME/cache/_cacache/content-v2" && exec tar -cf - --no-recursion -T -'
_CODE = re.compile(r"npm (?:ERR!|error) code (\S+)")
_MESSAGE = re.compile(r"^npm (?:ERR!|error) (?!code |errno |syscall |A complete log)(.+)$", re.MULTILINE)
_PREFIX = re.compile(r"^(?:notarget|notsup|404|code|eresolve|ERESOLVE)\s+", re.IGNORECASE)
_RESOLUTION_CODES = {"ETARGET", "E404", "ERESOLVE", "EINVALIDTAGNAME", "EBADPLATFORM", "ENOVERSIONS"}


@dataclass(frozen=True)
class NodeRoom:
    """A root with npm in it, and the way to the network from inside."""

    trees: tuple[str, ...]
    npm: str = "/usr/bin/npm"
    options: BoxOptions = field(default_factory=lambda: BoxOptions(network=True))
    """Binds for certificates; must allow the network."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Proxies, certificates, and the registry if this machine names one (`NPM_CONFIG_REGISTRY`)."""


@dataclass(frozen=True)
class NodeBench:
    """What locking npm packages takes."""

    blobs: Blobs
    engine: SandboxEngine
    room: Callable[[], NodeRoom]


@dataclass(frozen=True)
class NodeWorld:
    """The user's global packages, as one level asks for them."""

    requirements: tuple[str, ...]
    parents: tuple[tuple[str, str], ...] = ()
    """Name and lockfile of each parent that has npm packages, lowest first."""
    earlier: str | None = None
    """The level's own lockfile of its last lock, whose versions are kept; None for an update."""


@dataclass(frozen=True)
class NodeLock:
    """One platform's part of a lock."""

    tarballs: tuple[Tarball, ...]
    lockfile: str


def lock_tarballs(
    bench: NodeBench, world: NodeWorld, platforms: Sequence[Platform]
) -> dict[Platform, NodeLock]:
    """What a level adds, per platform; empty when parents have it all.

    Raises:
        ResolutionError: packages do not fit together, with parents or with a platform.
        DownloadError: the registry does not answer.
        VerificationError: what came is not what the registry promised.
    """
    wanted = missing(world)
    if not wanted:
        return {}
    room = bench.room()
    with bench.engine.open(room.trees, room.options) as box:
        lockfile = _resolve(box, room, wanted, world.earlier)
        packages = read_lockfile(lockfile)
        chosen = {platform: packages_for(packages, platform) for platform in platforms}
        parts = {part.integrity: part for listed in chosen.values() for part in listed if not part.bundled}
        tarballs = _fetched(bench, box, room, parts)
    kept = hostless(lockfile)
    return {
        platform: NodeLock(tuple(sorted(_tarballs(listed, tarballs), key=_order)), kept)
        for platform, listed in chosen.items()
    }


def missing(world: NodeWorld) -> dict[str, str]:
    """What a level has to add: name -> range. What parents have already is left out.

    Raises:
        ResolutionError: a parent has another version, or two parents have different ones.
    """
    fixed: dict[str, tuple[str, str]] = {}
    for parent, lockfile in world.parents:
        for package in read_lockfile(lockfile):
            if not package.top:
                continue
            version, owner = fixed.setdefault(package.name, (package.version, parent))
            if version != package.version:
                raise ResolutionError(
                    f"parents '{owner}' and '{parent}' fix different versions of npm's {package.name}: "
                    f"{version} and {package.version}",
                    hint=f"run `ohr lock --update {owner} {parent}`",
                )
    wanted: dict[str, str] = {}
    for text in sorted(world.requirements):
        requirement = node_requirement(text)
        if requirement is None:
            raise ResolutionError(f"not an npm requirement: {text!r}")
        name, versions = requirement
        if name not in fixed:
            wanted[name] = versions
        elif not allows(versions, fixed[name][0]):
            version, owner = fixed[name]
            raise ResolutionError(
                f"'{text}' does not allow npm's {name} {version}, which parent '{owner}' fixes",
                hint=f"run `ohr lock --update {owner}`, or ask for a version that fits",
            )
    return wanted


def _resolve(box: Box, room: NodeRoom, wanted: Mapping[str, str], earlier: str | None) -> str:
    """The lockfile npm writes."""
    files = {"package.json": manifest(wanted)}
    if earlier is not None:
        files["package-lock.json"] = for_npm(earlier).encode()
    npm = (room.npm, "install", "--package-lock-only", "--install-strategy=shallow", *SETTINGS)
    done = box.run(_command(room, ("/bin/sh", "-ec", RESOLVE, "sh", *npm)), stdin=parcel(files))
    _judge(done, "resolve npm packages")
    return done.stdout.decode()


def _fetched(
    bench: NodeBench, box: Box, room: NodeRoom, parts: Mapping[str, NodePackage]
) -> dict[str, Tarball]:
    """Every tarball in the blob cache, by integrity."""
    specs = sorted(f"{part.name}@{part.version}" for part in parts.values())
    done = box.run(_command(room, (room.npm, "cache", "add", *SETTINGS, "--", *specs)))
    _judge(done, "fetch npm packages")
    listing = "".join(f"{_content_path(integrity)}\n" for integrity in sorted(parts))
    done = box.run(_command(room, ("/bin/sh", "-ec", COLLECT)), stdin=listing.encode())
    _judge(done, "collect npm packages")
    found: dict[str, Tarball] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                raw = content.read()
                integrity = "sha512-" + base64.b64encode(hashlib.sha512(raw).digest()).decode()
                if integrity in parts:
                    bench.blobs.add(raw)
                    found[integrity] = _tarball(parts[integrity], raw)
    if lost := sorted(parts.keys() - found.keys()):
        part = parts[lost[0]]
        raise VerificationError(
            f"npm fetched other bytes than its lockfile promises for {part.name} {part.version}",
            where=part.integrity,
        )
    return found


def _tarball(part: NodePackage, raw: bytes) -> Tarball:
    return Tarball(
        name=part.name,
        version=part.version,
        file=part.file,
        integrity=part.integrity,
        size=len(raw),
        sha256=hex_of(digest_of(raw)),
    )


def _tarballs(listed: Iterable[NodePackage], tarballs: Mapping[str, Tarball]) -> Iterable[Tarball]:
    return {part.integrity: tarballs[part.integrity] for part in listed if not part.bundled}.values()


def _order(tarball: Tarball) -> tuple[str, str, str]:
    return tarball.name, tarball.version, tarball.sha256


def _content_path(integrity: str) -> str:
    """Where npm's cache keeps content, below `content-v2` (cacache)."""
    digest = base64.b64decode(integrity.removeprefix("sha512-")).hex()
    return f"sha512/{digest[:2]}/{digest[2:4]}/{digest[4:]}"


def _command(room: NodeRoom, argv: tuple[str, ...]) -> Command:
    fixed = {"PATH": "/usr/bin:/bin", "HOME": FOLDER, "LC_ALL": "C.UTF-8"}
    environment = fixed | PATIENCE | dict(room.environment)
    return Command(argv, environment, uid=NOBODY, gid=NOBODY, timeout=TIMEOUT)


def _judge(done: Completed, what: str) -> None:
    """Turn a failure of npm into an error of ours."""
    if not done.exit_code:
        return
    said = done.stderr.decode(errors="replace")
    code = match[1] if (match := _CODE.search(said)) else ""
    lines = [line for line in (_PREFIX.sub("", line.strip()) for line in _MESSAGE.findall(said)) if line]
    reason = f"it took longer than {TIMEOUT:.0f} s" if done.timed_out else " ".join(lines[:2]) or said[-500:]
    log.debug("npm said: %s", said)
    if code in _RESOLUTION_CODES:
        raise ResolutionError(f"npm cannot {what.removesuffix(' npm packages')} these packages: {reason}")
    if code.startswith(
        ("E4", "E5", "EAI", "ENOTFOUND", "ECONN", "ETIMEDOUT", "ERR_SOCKET", "SELF_SIGNED", "UNABLE_TO")
    ):
        raise DownloadError(
            f"the npm registry does not answer: {reason or code}",
            hint="check the network, and `npm config get registry` on this machine",
        )
    raise OutsideError(f"npm failed to {what}: {reason}")
