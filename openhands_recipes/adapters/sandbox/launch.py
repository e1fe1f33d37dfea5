"""Starts the launcher and talks it through its first steps; translates the kernel's refusals."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from openhands_recipes.adapters.sandbox import ids, wire
from openhands_recipes.adapters.sandbox.cgroup import ControlGroup
from openhands_recipes.adapters.sandbox.ids import IdRange
from openhands_recipes.errors import SandboxError, VerificationError

_BOOT = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from openhands_recipes.adapters.sandbox.launcher import main; main(int(sys.argv[2]))"
)
_INHERITED: tuple[int, ...] = ()
_PACKAGES = Path(__file__).parents[3]


class Launcher:
    """A launcher process and our end of its channel."""

    def __init__(
        self,
        base: Path,
        range_: IdRange,
        order: Mapping[str, Any],
        *,
        held: Sequence[int] = (),
        group: ControlGroup | None = None,
    ) -> None:
        """Start it with an order; `held` are descriptors that live as long as the launcher does."""
        self.channel, theirs = wire.pair()
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the launcher
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, str(_PACKAGES), str(theirs.fileno())],
                cwd=base,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                pass_fds=(theirs.fileno(), *held, *_INHERITED),
                start_new_session=True,
            )
        finally:
            theirs.close()
        try:
            if group is not None:
                group.take(self.process.pid)
            self.channel.send(dict(order))
            if self.expect("map"):
                ids.write_maps(range_, self.process.pid)
                self.channel.send(("mapped",))
        except BaseException:
            self.close()
            raise

    def expect(self, word: str) -> tuple[object, ...]:
        """The next message, which has to begin with a word.

        Raises:
            SandboxError: the launcher reports a failure or has died.
            VerificationError: it refuses what it was given.
        """
        received = self.channel.receive()
        if received is None:
            self.process.wait()
            self._complaints.seek(0)
            last = self._complaints.read().decode(errors="replace").strip().splitlines()[-1:]
            raise SandboxError("the sandbox ended before it began" + "".join(f": {line}" for line in last))
        message, _ = received
        match message:
            case ("error", int(number), str(text)):
                raise explain(number, text)
            case ("refused", str(text)):
                raise VerificationError(text)
            case _ if message[0] == word:
                return message
        raise SandboxError(f"the sandbox answers {message[0]!r}, not {word!r}")

    def close(self) -> None:
        """Hang up; the launcher ends all it has started and cleans up before this returns."""
        self.channel.close()
        self.process.wait()
        self._complaints.close()


def explain(number: int, text: str) -> SandboxError:
    """A failure of the kernel in the reader's words."""
    return SandboxError(f"the sandbox cannot be set up: {text}", hint=_hint(number, text))


def _hint(number: int, text: str) -> str:
    if number == errno.ENOSPC and text.startswith("unshare"):
        return "no more user namespaces: raise user.max_user_namespaces with sysctl, or close other sandboxes"
    if number == errno.ENOSPC:
        return "the disk is full: free some space, or choose another cache folder"
    if number in (errno.EPERM, errno.EACCES) and "unshare" in text:
        return _namespace_hint()
    if number == errno.EPERM and ("fsmount" in text or "fsconfig" in text):
        return "/proc is masked, as in a container: start that one with --security-opt systempaths=unconfined"
    if number == errno.ENOSYS:
        return "the kernel is too old: Linux 5.12 or later is needed"
    return "`ohr doctor` says what this machine can and cannot do"


def _namespace_hint() -> str:
    restriction = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if os.geteuid() != 0 and restriction.exists() and restriction.read_text(encoding="ascii").strip() == "1":
        return (
            "AppArmor forbids user namespaces; as root: "
            "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or a profile with `userns`"
        )
    return (
        "user namespaces are disabled; as root: "
        "`sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000`"
    )
