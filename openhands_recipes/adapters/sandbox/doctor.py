"""What this machine can and cannot do for sandboxes, found out by looking and by trying."""

from __future__ import annotations

import os
from pathlib import Path

from openhands_recipes.adapters.sandbox import cgroup, ids, seccomp
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.errors import SandboxError
from openhands_recipes.ports import Ability, BoxOptions, Limits

_OLDEST = (5, 12)


def probe(folder: Path) -> list[Ability]:
    """Abilities in the order in which a reader should mend things; the last is a real sandbox."""
    return [_kernel(), _machine(), _namespaces(), _ranges(), _memory_limits(), _store(folder)]


def _kernel() -> Ability:
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    hint = "" if numbers >= _OLDEST else "sandboxes need Linux 5.12 or later"
    return Ability("kernel", numbers >= _OLDEST, f"Linux {release}", hint)


def _machine() -> Ability:
    machine = os.uname().machine
    known = machine in seccomp.ARCHITECTURES
    hint = (
        "" if known else f"sandboxes run on {' and '.join(seccomp.ARCHITECTURES)}; use the docker engine here"
    )
    return Ability("processor", known, machine, hint)


def _namespaces() -> Ability:
    limit = _number("/proc/sys/user/max_user_namespaces")
    allowed = _number("/proc/sys/kernel/unprivileged_userns_clone")
    restricted = _number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if limit == 0:
        return Ability(
            "user namespaces",
            False,
            "user.max_user_namespaces is 0",
            "sysctl -w user.max_user_namespaces=10000",
        )
    if os.geteuid() != 0 and allowed == 0:
        return Ability(
            "user namespaces", False, "reserved for root", "sysctl -w kernel.unprivileged_userns_clone=1"
        )
    if os.geteuid() != 0 and restricted == 1:
        hint = (
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with `userns`"
        )
        return Ability("user namespaces", False, "restricted by AppArmor", hint)
    return Ability("user namespaces", True, "allowed", "")


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _ranges() -> Ability:
    try:
        found = ids.find_range()
    except SandboxError as error:
        return Ability("id ranges", False, error.message, error.hint or "")
    how = "by newuidmap and newgidmap" if found.through_helpers else "by the kernel"
    return Ability("id ranges", True, f"uids from {found.uid}, gids from {found.gid}, mapped {how}", "")


def _memory_limits() -> Ability:
    group = cgroup.make(Limits(memory_bytes=1 << 30))
    if group is None:
        return Ability("memory limits", True, "for each process alone: no control group can be made here", "")
    group.remove()
    return Ability("memory limits", True, "for whole sandboxes, by control groups", "")


def _store(folder: Path) -> Ability:
    try:
        with NamespaceEngine(folder).open((), BoxOptions()) as box:
            where = "in memory: this disk cannot carry an overlay" if box.in_memory else "on disk"
    except SandboxError as error:
        return Ability("sandbox", False, error.message, error.hint or "")
    return Ability("sandbox", True, f"opens; changes are kept {where}", "")
