"""Which ids of this machine a box may have, and how they become ids 0 to 65535 inside.

Ids inside never are ids of people outside: a file that root owns in a tree belongs to a number nobody has.
Sources: subuid(5), newuidmap(1), user_namespaces(7).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from openhands_recipes.errors import SandboxError

COUNT = 65536
# The last block of the container range of systemd's list of ids (systemd.io/UIDS-GIDS), above all that
# useradd hands out (SUB_UID_MAX 600100000), so it can only be ours.
_ROOTS_OWN = 1_879_048_192 - COUNT
_Kind = Literal["uid", "gid"]


@dataclass(frozen=True)
class IdRange:
    """The first of 65536 ids for users and for groups, and whether setuid helpers have to map them."""

    uid: int
    gid: int
    through_helpers: bool
    caller: tuple[int, int] | None = None
    """The user and group inside that whoever calls stands for, so that both may write to one folder."""

    @property
    def name(self) -> str:
        """Trees made under one range are of no use under another."""
        mixed = "-".join(map(str, self.caller)) if self.caller and self.through_helpers else ""
        return f"{self.uid}-{self.gid}" + f"-{mixed}" * bool(mixed)

    @property
    def borrowers(self) -> tuple[int, int] | None:
        """The machine's numbers of that user and group, where root lends folders to them."""
        if self.caller is None or self.through_helpers:
            return None
        return self.uid + self.caller[0], self.gid + self.caller[1]

    def lines(self, kind: _Kind) -> list[tuple[int, int, int]]:
        """What belongs into a map: first id inside, first outside, how many."""
        base = self.uid if kind == "uid" else self.gid
        if self.caller is None or not self.through_helpers:
            return [(0, base, COUNT)]
        inside, outside = (self.caller[0], os.getuid()) if kind == "uid" else (self.caller[1], os.getgid())
        lines = [(0, base, inside), (inside, outside, 1), (inside + 1, base + inside + 1, COUNT - inside - 1)]
        return [line for line in lines if line[2]]


def find_range(caller: tuple[int, int] | None = None) -> IdRange:
    """The range of the calling user, who may want to stand for a user and a group inside.

    Raises:
        SandboxError: there is none; the hint says how to get one.
    """
    if os.geteuid() == 0:
        return IdRange(_root_base("uid"), _root_base("gid"), through_helpers=False, caller=caller)
    for helper in ("newuidmap", "newgidmap"):
        if shutil.which(helper) is None:
            raise SandboxError(
                f"{helper} is missing, and without it only root can open a sandbox",
                hint="install it: `apt-get install uidmap`",
            )
    return IdRange(_subordinate("uid"), _subordinate("gid"), through_helpers=True, caller=caller)


def write_maps(ids: IdRange, pid: int) -> None:
    """Give the user namespace of a process its ids.

    Raises:
        SandboxError: the kernel or a helper refuses.
    """
    kinds: tuple[_Kind, ...] = ("uid", "gid")
    for kind in kinds:
        lines = ids.lines(kind)
        if ids.through_helpers:
            _map_by_helper(f"new{kind}map", [str(pid), *(str(number) for line in lines for number in line)])
            continue
        text = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in lines)
        try:
            Path(f"/proc/{pid}/{kind}_map").write_text(text, encoding="ascii")
        except OSError as error:
            base = lines[0][1]
            raise SandboxError(
                f"the kernel refuses to map {kind}s {base} to {base + COUNT - 1}: {error.strerror}",
                where=f"/proc/{pid}/{kind}_map",
                hint="inside a container, allow it user namespaces with enough ids, or run as a user",
            ) from error


def _map_by_helper(helper: str, arguments: list[str]) -> None:
    done = subprocess.run([helper, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(
            f"{helper} refuses: {done.stderr.strip()}",
            hint=f"{helper} has to be setuid root or hold its file capability: reinstall uidmap",
        )


def _root_base(kind: _Kind) -> int:
    declared = _declared("root", 0, kind)
    if declared is not None:
        return declared
    for line in Path(f"/proc/self/{kind}_map").read_text(encoding="ascii").splitlines():
        inside, _, count = (int(field) for field in line.split())
        if inside <= _ROOTS_OWN <= inside + count - COUNT:
            return _ROOTS_OWN
    return _last_block(kind)


def _last_block(kind: _Kind) -> int:
    """Inside another user namespace: the highest 65536 ids it has."""
    best = -1
    for line in Path(f"/proc/self/{kind}_map").read_text(encoding="ascii").splitlines():
        inside, _, count = (int(field) for field in line.split())
        if count >= COUNT:
            best = max(best, inside + count - COUNT)
    if best < 0:
        raise SandboxError(
            f"this user namespace has fewer than {COUNT} {kind}s",
            where=f"/proc/self/{kind}_map",
            hint="run on the machine itself, or give the container a larger id range",
        )
    return best


def _subordinate(kind: _Kind) -> int:
    user = _user_name()
    declared = _declared(user, os.getuid(), kind)
    if declared is None:
        first = _first_free(kind)
        raise SandboxError(
            f"user {user} has no {COUNT} subordinate {kind}s",
            where=f"/etc/sub{kind}",
            hint=f"as root: `usermod --add-sub{kind}s {first}-{first + COUNT - 1} {user}`",
        )
    return declared


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _first_free(kind: _Kind) -> int:
    """Above everything declared so far, and above what useradd hands out first."""
    return max([1_000_000, *(first + count for _, first, count in _declarations(kind))])


def _declared(user: str, number: int, kind: _Kind) -> int | None:
    for owner, first, count in _declarations(kind):
        if owner in (user, str(number)) and count >= COUNT:
            return first
    return None


def _declarations(kind: _Kind) -> Iterator[tuple[str, int, int]]:
    """The lines of /etc/subuid or /etc/subgid: owner, first id, how many."""
    try:
        lines = Path(f"/etc/sub{kind}").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        owner, _, span = line.partition(":")
        first, _, count = span.partition(":")
        if first.isdecimal() and count.isdecimal():
            yield owner, int(first), int(count)
