"""The few files a recipe itself provides: its own little layer, so that editing one moves kilobytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.model.recipe import FileSpec

Made = tuple[Entry, bytes]


def own_files(composed: Composed, *, mtime: int) -> tuple[Made, ...]:
    """What the recipe's own level adds: its `files`, its applications' commands, its workdir. Sorted by path.

    Folders above are not included; whoever lays the layer knows how they stand.
    """
    own = composed.levels[-1].recipe
    made = {path: _file(path, spec, composed, mtime) for path, spec in own.files.items()}
    for application in own.applications:
        for command, script in application.commands.items():
            made[f"/usr/local/bin/{command}"] = _link(
                f"/usr/local/bin/{command}", f"/opt/{application.name}/bin/{script}", mtime
            )
    if own.workdir and own.workdir != "/" and own.workdir not in composed.files:
        made[own.workdir] = _file(own.workdir, FileSpec(directory=True, owner="user"), composed, mtime)
    return tuple(made[path] for path in sorted(made))


def _owner(spec: FileSpec, composed: Composed) -> tuple[int, int]:
    if spec.owner == "user" and composed.user is not None:
        return composed.user.uid, composed.user.gid
    return 0, 0


def _file(path: str, spec: FileSpec, composed: Composed, mtime: int) -> Made:
    uid, gid = _owner(spec, composed)
    relative = path.strip("/")
    if spec.link is not None:
        entry, content = _link(path, spec.link, mtime)
        return entry._replace(uid=uid, gid=gid), content
    if spec.directory:
        mode = int(spec.mode or "0755", 8)
        return Entry(relative, Kind.DIRECTORY, mode, uid, gid, mtime=mtime), b""
    content = (spec.text or "").encode()
    mode = int(spec.mode or "0644", 8)
    sha256 = hashlib.sha256(content).hexdigest()
    return Entry(relative, Kind.FILE, mode, uid, gid, len(content), mtime, sha256=sha256), content


def _link(path: str, target: str, mtime: int) -> Made:
    return Entry(path.strip("/"), Kind.SYMLINK, 0o777, mtime=mtime, link=target), b""


def with_folders(made: Iterable[Made], below: Mapping[str, Entry], *, mtime: int) -> tuple[Made, ...]:
    """The same with every folder above, as it stands below; new ones are root's. Sorted by path."""
    entries = {entry.path: (entry, content) for entry, content in made}
    for path in list(entries):
        folder = path.rpartition("/")[0]
        while folder and folder not in entries:
            there = below.get(folder)
            if there is None:
                entries[folder] = (Entry(folder, Kind.DIRECTORY, 0o755, mtime=mtime), b"")
            elif there.kind is Kind.DIRECTORY:
                entries[folder] = (there._replace(mtime=mtime), b"")
            folder = folder.rpartition("/")[0]
    return tuple(entries[path] for path in sorted(entries))
