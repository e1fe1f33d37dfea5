"""Memory and process limits of a whole box by a control group, where the machine lets us make one.

Works with version 1 and 2, for root and inside a delegated part of the tree (systemd's user sessions). Where
it does not work the caller falls back to rlimits, which count each process alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from openhands_recipes.ports import Limits

_PREFIX = "ohr-box-"


class ControlGroup:
    """Folders of one box in the hierarchies of its controllers."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    def take(self, pid: int) -> None:
        """Put a process in; what it starts follows."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def remove(self) -> None:
        """Remove the folders, once every process has ended."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()


def make(limits: Limits) -> ControlGroup | None:
    """A group that holds a box to its memory and processes, or None where none can be made."""
    if limits.memory_bytes is None:
        return None
    wanted = {"memory": limits.memory_bytes, "pids": limits.processes}
    group = ControlGroup([])
    try:
        for controller, limit in wanted.items():
            if limit is not None:
                _limit(group._folders, controller, limit)  # noqa: SLF001 - being built
    except OSError:
        group.remove()
        return None
    return group


def _limit(folders: list[Path], controller: str, limit: int) -> None:
    parent, unified = _parent_of(controller)
    folder = parent / f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}" if not folders else None
    if folder is None:
        folder = parent / folders[0].name
    if folder not in folders:
        _sweep(parent)
        folder.mkdir()
        folders.append(folder)
    names = {"memory": ("memory.max", "memory.limit_in_bytes"), "pids": ("pids.max", "pids.max")}[controller]
    (folder / names[0 if unified else 1]).write_text(str(limit), encoding="ascii")
    if controller == "memory":
        with suppress(OSError):  # machines without swap accounting do not have it
            swap, value = ("memory.swap.max", 0) if unified else ("memory.memsw.limit_in_bytes", limit)
            (folder / swap).write_text(str(value), encoding="ascii")


def _sweep(parent: Path) -> None:
    """Remove groups of boxes whose owner was killed; those in use refuse."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            folder.rmdir()


def _parent_of(controller: str) -> tuple[Path, bool]:
    """The folder in which a group may be made, and whether it belongs to version 2."""
    unified: Path | None = None
    for controllers, path in _own_groups():
        mount = _mount_point(controllers)
        if mount is None:
            continue
        own = mount / path.lstrip("/")
        if controller in controllers.split(","):
            return own, False
        if not controllers:
            unified = own
    if unified is None:
        raise FileNotFoundError(controller)
    parent = unified.parent  # groups with processes of their own may have no children with controllers
    if controller not in (parent / "cgroup.subtree_control").read_text(encoding="ascii").split():
        raise FileNotFoundError(controller)
    return parent, True


def _own_groups() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        yield controllers, path


def _mount_point(controllers: str) -> Path | None:
    """Where the hierarchy of some controllers is mounted (proc(5), mountinfo)."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if not controllers and kind == "cgroup2":
            return Path(left.split(" ")[4])
        if kind == "cgroup" and controllers and set(controllers.split(",")) <= set(options.split(",")):
            return Path(left.split(" ")[4])
    return None
