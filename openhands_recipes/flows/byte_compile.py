"""Compile Python modules with the image's own Python and hand the bytecode to the parts it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from openhands_recipes.compile.python.bytecode import order_of, owners, settled
from openhands_recipes.errors import SandboxError
from openhands_recipes.flows.inside import program
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports import Box, Command, Content

log = logging.getLogger(__name__)

RULES = 1
"""Raise it when the same sources give other bytecode for a reason outside the program inside."""
ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
}
TIMEOUT = 3600.0


def bytecode_key(part: str, *, python: str) -> Digest:
    """Of the bytecode of the part with this key.

    `python` tells interpreters apart that compile differently: best the hash of the interpreter's package.
    """
    return digest_of_json(["bytecode", RULES, digest_of(program("byte_compile").encode()), python, part])


def compile_command(python: str, *, owner: tuple[int, int] = (0, 0)) -> Command:
    """Runs the compiler inside; it reads `compile.python.bytecode.order_of` from standard input.

    It lowers its own priority: dpkg, configuring beside it one process at a time, goes first.
    """
    return Command(
        argv=(python, "-s", "-S", "-P", "-B", "-W", "ignore", "-c", program("byte_compile")),
        environment=ENVIRONMENT,
        uid=owner[0],
        gid=owner[1],
        timeout=TIMEOUT,
    )


def byte_compile(
    box: Box,
    parts: Iterable[Sequence[str]],
    *,
    python: str,
    jobs: int,
    owner: tuple[int, int] = (0, 0),
) -> tuple[str, ...]:
    """Compile the modules of some parts, paths as in `Entry.path`; returns what is no valid Python.

    The bytes depend on each part's own files and on the interpreter alone, not on `jobs`, nor on the
    other parts.

    Raises:
        SandboxError: the interpreter fails.
    """
    done = box.run(compile_command(python, owner=owner), stdin=order_of(parts, jobs=jobs))
    said = done.stderr.decode(errors="replace").splitlines()
    if done.exit_code:
        reason = "it took too long" if done.timed_out else "\n".join(said[-5:]) or "no reason given"
        raise SandboxError(f"compiling Python modules failed: {reason}", where=python)
    left_out = tuple(sorted(line.removeprefix("left out ") for line in said if line.startswith("left out ")))
    for line in left_out:
        log.debug("not compiled: %s", line)
    return left_out


def bytecode_entries(
    box: Box, sources: Mapping[str, Sequence[str]], *, python_version: str
) -> Iterator[tuple[str, list[tuple[Entry, Content]]]]:
    """What `byte_compile` made in a box, as entries with their folders by the key of the part they belong to.

    `sources` are the modules of each part. Contents can be read while the box is open.
    """
    owner = owners(sources, python_version)
    made: dict[str, dict[str, tuple[Entry, Content]]] = {key: {} for key in sources}
    folders: dict[str, Entry] = {}
    for entry, content in box.changes():
        if entry.kind is Kind.DIRECTORY:
            folders[entry.path] = settled(entry)
        elif entry.path in owner and entry.kind is Kind.FILE:
            part = made[owner[entry.path]]
            folder = entry.path.rpartition("/")[0]
            part[folder] = (folders[folder], None)
            part[entry.path] = (settled(entry), content)
    for key, entries in made.items():
        yield key, [entries[path] for path in sorted(entries)]
