"""Commands of npm packages: links as `npm install --global` makes them, and the files they need to run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from posixpath import normpath, relpath

from openhands_recipes.compile.node.lockfile import FOLDER, NodePackage
from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.fragment import Entry

_COMMAND = re.compile(r"^[A-Za-z0-9_@.+~-]+$")


def command_links(
    packages: Iterable[NodePackage], *, prefix: str, owner: tuple[int, int]
) -> tuple[Entry, ...]:
    """Links to the commands of all packages, with their folders, sorted by path.

    Those of packages asked for stand in `<prefix>/bin`; those of dependencies in the `.bin` of the
    `node_modules` they lie in, as npm looks for them. The prefix, its `lib` and `bin` are always there.

    Raises:
        ResolutionError: two packages asked for bring the same command, or one leads out of its package.
    """
    home = Home(prefix.strip("/"), *owner)
    modules = f"{home.prefix}/lib/{FOLDER.strip('/')}"
    entries = {
        path: home.folder(path) for path in (home.prefix, f"{home.prefix}/bin", f"{home.prefix}/lib", modules)
    }
    owners: dict[str, str] = {}
    for package in sorted(packages, key=lambda package: package.location):
        for command, script in package.commands.items():
            target = _script(package, command, script)
            path = f"{_folder(home, package)}/{command}"
            if package.top and path in owners:
                raise ResolutionError(
                    f"npm's {owners[path]} and {package.name} both bring the command '{command}'",
                    hint="leave one of them out",
                )
            owners[path] = package.name
            folder = path.rpartition("/")[0]
            entries.setdefault(folder, home.folder(folder))
            link = relpath(f"{home.prefix}/lib/{package.location}/{target}", folder)
            entries.setdefault(path, home.link(path, link))
    return tuple(entries[path] for path in sorted(entries))


def executables(package: NodePackage) -> tuple[str, ...]:
    """Files of a package that must be executable, whatever its tarball says; as npm does."""
    return tuple(sorted({_script(package, command, script) for command, script in package.commands.items()}))


def _folder(home: Home, package: NodePackage) -> str:
    if package.top:
        return f"{home.prefix}/bin"
    return f"{home.prefix}/lib/{package.location.rpartition(FOLDER)[0]}{FOLDER}.bin"


def _script(package: NodePackage, command: str, script: str) -> str:
    path = normpath(script)
    if not _COMMAND.match(command) or path.startswith(("/", "..")) or "\n" in path or path == ".":
        raise ResolutionError(f"npm's {package.name} brings a command that leads out of it: {command!r}")
    return path
