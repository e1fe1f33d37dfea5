"""Configure one level's packages in a sandbox and return what that changed, normalised.

The packages' files are there already, as layers; dpkg finds its database as if it had unpacked them, then
runs every maintainer script itself, without network. Nothing is kept of a configuration that failed.
"""

from __future__ import annotations

import io
import logging
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from openhands_recipes.compile.debian import database
from openhands_recipes.compile.debian.configure import (
    Configure,
    ConfigureAll,
    Order,
    RunPreinst,
    Step,
    Unpack,
)
from openhands_recipes.compile.debian.database import Package, ReadFile
from openhands_recipes.compile.debian.normalise import normalise
from openhands_recipes.compile.debian.placement import Placement
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.model.recipe import User
from openhands_recipes.ports import Bind, Box, BoxOptions, Command, SandboxEngine, Stage

log = logging.getLogger(__name__)

DEBS_FOLDER = "/run/ohr/debs"
_POLICY = "usr/sbin/policy-rc.d"
_ROOM = 1 << 20
"""Bytes that must be free on the disk after a configuration."""
_FULL = "No space left on device"
_MORE_ROOM = "the disk is full: free some space, or set OHR_CACHE to a folder with more room"
_BROKEN = "the package itself may be broken, or expects something the recipe lacks"
_NEW_CONTROL = f"{database.ADMIN}/tmp.ci"  # noqa: S108 - inside the sandbox, where dpkg has it too
_RUN_PREINST = f"""
set -e
rm -rf /{_NEW_CONTROL}
mkdir -m 0755 /{_NEW_CONTROL}
tar -xpf - -C /{_NEW_CONTROL}
/{_NEW_CONTROL}/preinst install </dev/null
rm -rf /{_NEW_CONTROL}
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class DivertsError(OutsideError):
    """Packages that turned out to need the real dpkg; the caller places them anew and tries again."""

    def __init__(self, packages: frozenset[str]) -> None:
        super().__init__(f"packages that divert files: {', '.join(sorted(packages))}")
        self.packages = packages


@dataclass(frozen=True)
class LevelPackages:
    """What one level unpacks and how."""

    packages: tuple[Package, ...]
    placement: Placement
    archives: Mapping[str, Bind] = field(default_factory=dict)
    """Package name -> its .deb, bound into the sandbox; needed for `placement.real_unpack` only."""

    @property
    def plain(self) -> tuple[Package, ...]:
        """Packages whose files lie in data layers."""
        return tuple(p for p in self.packages if p.name not in self.placement.real_unpack)


@dataclass(frozen=True)
class Account:
    """The sandbox user a level creates."""

    user: User
    shell: str = "/bin/bash"


def configure(  # noqa: PLR0913 - one call per level; every argument is a different thing
    engine: SandboxEngine,
    trees: Sequence[str],
    level: LevelPackages,
    *,
    below: Mapping[str, Entry],
    read: ReadFile,
    account: Account | None,
    epoch: int,
    stage: Stage | None = None,
) -> list[tuple[Entry, bytes]]:
    """Run the configuration of a level over `trees` (lowest first) and return the changes.

    Raises:
        DivertsError: some packages must go through the real dpkg.
        OutsideError: a maintainer script failed; the message carries its output.
    """
    binds = tuple(level.archives[name] for name in sorted(level.placement.real_unpack))
    with engine.open(trees, BoxOptions(binds=binds, hostname="localhost")) as box:
        session = _Session(box, epoch, stage)
        if level.packages:
            session.install(level, read)
        if account is not None:
            session.add_account(account)
        session.check_room()
        known = _with_level(below, level)
        return normalise(box.changes(), known, epoch=epoch)


def _with_level(below: Mapping[str, Entry], level: LevelPackages) -> Mapping[str, Entry]:
    paths = dict(below)
    for package in level.plain:
        for entry in package.fragment.entries:
            if entry.kind is not Kind.DIRECTORY or entry.path not in paths:
                paths[entry.path] = entry
    for entry in level.placement.folders:
        paths.pop(entry.path, None)  # the new layers hide what it was: it has to be said again
    return paths


class _Session:
    """One box and the environment maintainer scripts are promised (Debian policy 6.1, dpkg(1))."""

    def __init__(self, box: Box, epoch: int, stage: Stage | None) -> None:
        self._box = box
        self._stage = stage
        self._environment = {
            "PATH": _PATH,
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "DEBIAN_FRONTEND": "noninteractive",
            "DEBCONF_NONINTERACTIVE_SEEN": "true",
            "DEBCONF_NOWARNINGS": "yes",
            "SOURCE_DATE_EPOCH": str(epoch),
            # Hash orders would otherwise leak into generated files.
            "PERL_HASH_SEED": "0",
            "PERL_PERTURB_KEYS": "0",
            "PYTHONHASHSEED": "0",
        }

    def run(
        self,
        *argv: str,
        stdin: bytes | None = None,
        extra: Mapping[str, str] | None = None,
        what: str | None = None,
    ) -> bytes:
        command = Command(
            argv, environment={**self._environment, **(extra or {})}, keep_capabilities=True, timeout=1800
        )
        done = self._box.run(command, stdin=stdin)
        if done.exit_code != 0:
            output = (done.stdout + done.stderr).decode(errors="replace").strip()
            tail = "\n".join(output.splitlines()[-40:])
            raise OutsideError(
                f"{what or ' '.join(argv)} failed with exit code {done.exit_code}:\n{tail}",
                hint=_BROKEN if _FULL not in output and self._has_room() else _MORE_ROOM,
            )
        log.debug("%s\n%s", " ".join(argv), (done.stdout + done.stderr).decode(errors="replace"))
        return done.stdout

    def read(self, path: str) -> bytes:
        done = self._box.run(
            Command(("/bin/cat", path), environment=self._environment, keep_capabilities=True)
        )
        return done.stdout if done.exit_code == 0 else b""

    def write(self, entries: Iterable[tuple[Entry, bytes]]) -> None:
        self.run("/bin/tar", "-xpf", "-", "-C", "/", stdin=_tar(entries), what="writing the package database")

    def install(self, level: LevelPackages, read: ReadFile) -> None:
        self.write(self._database(level, read))
        for step in Order(level.packages).steps(real_unpack=level.placement.real_unpack):
            self._note(step)
            self._take(step, level)
        left = self.run("/usr/bin/dpkg", "--audit").decode()
        if left.strip():
            raise OutsideError(f"packages are left half configured:\n{left.strip()}")
        self.run("/bin/rm", "-f", f"/{_POLICY}")

    def _database(self, level: LevelPackages, read: ReadFile) -> Iterable[tuple[Entry, bytes]]:
        admin = database.ADMIN
        status = self.read(f"/{admin}/status")
        triggers = self.read(f"/{admin}/triggers/File")
        yield _file(_POLICY, b"#!/bin/sh\nexit 101\n", 0o755)
        if not status:
            yield _file(f"{admin}/info/format", b"1\n")
        yield from ((entry, b"") for entry in level.placement.folders)
        for package in level.plain:
            yield from database.info_files(package, read)
        for name, content in sorted(database.trigger_files(triggers, level.plain).items()):
            path = f"{admin}/triggers/{name}"
            earlier = b"" if name == "File" else self.read(f"/{path}")
            yield _file(path, earlier + content)
        records = [database.status_paragraph(package, read) for package in level.plain]
        pending = database.fired(triggers, level.plain)
        yield _file(f"{admin}/status", database.extend_status(status, records, pending))

    def _note(self, step: Step) -> None:
        if self._stage is not None:
            self._stage.note(step.package if isinstance(step, RunPreinst) else "dpkg")

    def _take(self, step: Step, level: LevelPackages) -> None:
        match step:
            case RunPreinst():
                self._preinst(step, level)
                self._check_diversions(step, level)
            case Configure():
                self.run("/usr/bin/dpkg", "--configure", *step.packages, what="dpkg --configure")
            case ConfigureAll():
                self.run("/usr/bin/dpkg", "--configure", "--pending", what="dpkg --configure --pending")
                self.run(
                    "/usr/bin/dpkg", "--triggers-only", "--pending", what="dpkg --triggers-only --pending"
                )
            case Unpack():
                archives = [level.archives[name].target for name in step.packages]
                self.run("/usr/bin/dpkg", "--unpack", "--force-unsafe-io", *archives, what="dpkg --unpack")

    def _preinst(self, step: RunPreinst, level: LevelPackages) -> None:
        """From `tmp.ci`, its control files beside it: debconf, for one, looks there for who is asking."""
        (package,) = (p for p in level.plain if p.name == step.package)
        files = [_file(name, file.content, file.mode) for name, file in package.fragment.control.items()]
        extra = {
            "DPKG_MAINTSCRIPT_PACKAGE": step.package,
            "DPKG_MAINTSCRIPT_ARCH": step.architecture,
            "DPKG_MAINTSCRIPT_NAME": "preinst",
            "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
            "DPKG_MAINTSCRIPT_DEBUG": "0",
            "DPKG_ROOT": "",
            "DPKG_ADMINDIR": f"/{database.ADMIN}",
        }
        self.run(
            "/bin/sh", "-c", _RUN_PREINST, stdin=_tar(files), extra=extra, what=f"preinst of {step.package}"
        )

    def _check_diversions(self, step: RunPreinst, level: LevelPackages) -> None:
        """Who diverts a path it ships itself has moved our copy away: only dpkg gets that right."""
        owned = {f"/{e.path}" for p in level.plain if p.name == step.package for e in p.fragment.entries}
        lines = self.read(f"/{database.ADMIN}/diversions").decode().splitlines()
        diverted = {lines[i] for i in range(0, len(lines) - 2, 3) if lines[i + 2] == step.package}
        if diverted & owned:
            raise DivertsError(frozenset({step.package}))

    def add_account(self, account: Account) -> None:
        user = account.user
        self.run("/usr/sbin/groupadd", "--gid", str(user.gid), user.name)
        self.run(
            "/usr/sbin/useradd", "--uid", str(user.uid), "--gid", str(user.gid), "--create-home",
            "--shell", account.shell, user.name,
        )  # fmt: skip
        if user.sudo:
            rule = f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL\n".encode()
            self.write([_file(f"etc/sudoers.d/{user.name}", rule, 0o440)])

    def check_room(self) -> None:
        """Scripts may pass over a full disk in silence; what they left is then not to be trusted."""
        if not self._has_room():
            raise OutsideError("no room left for the cache after configuring packages", hint=_MORE_ROOM)

    def _has_room(self) -> bool:
        question = ("/usr/bin/stat", "--file-system", "--format=%a %S", "/")
        done = self._box.run(Command(question, environment=self._environment))
        blocks, size = done.stdout.split() if done.exit_code == 0 else (_ROOM, 1)
        return int(blocks) * int(size) >= _ROOM


def _file(path: str, content: bytes, mode: int = 0o644) -> tuple[Entry, bytes]:
    return Entry(path, Kind.FILE, mode, size=len(content)), content


def _tar(entries: Iterable[tuple[Entry, bytes]]) -> bytes:
    """A plain tar of a few generated files for the image's own tar to unpack."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in entries:
            member = tarfile.TarInfo(entry.path)
            member.mode, member.uid, member.gid, member.size = entry.mode, entry.uid, entry.gid, len(content)
            member.type = tarfile.DIRTYPE if entry.kind is Kind.DIRECTORY else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
