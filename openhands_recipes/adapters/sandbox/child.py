"""The last steps between a fork and the command: streams, limits, ids, rights, filter, execve.

Order matters: the filter goes in while there still is the right to install it, rights go before the command
comes. Nothing here may be undone by the command.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import termios

from openhands_recipes.adapters.sandbox import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What root in a Docker container holds (moby, oci/caps/defaults.go), as bits of linux/capability.h: CHOWN,
# DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD,
# AUDIT_WRITE, SETFCAP
CONTAINER_RIGHTS = sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGCHLD)  # by Python, or by who started us
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def start(command: dict[str, Any], streams: tuple[int, int, int], program: bytes) -> int:
    """Fork and execute; the process id.

    What goes wrong before the command runs is on its stderr, with code 126 or 127, as shells have it.
    """
    pid = os.fork()
    if pid:
        return pid
    code = _NOT_EXECUTABLE
    try:
        _take_streams(streams, terminal=command["terminal"])
        signal.set_wakeup_fd(-1)
        _prepare(command, program)
        code = _execute(command)
    except OSError as error:
        os.write(2, f"sandbox: cannot start {command['argv'][0]}: {error}\n".encode(errors="surrogateescape"))
    finally:
        os._exit(code)


def _take_streams(streams: tuple[int, int, int], *, terminal: bool) -> None:
    os.setsid()
    kept = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in streams]
    for number, fd in enumerate(kept):
        os.dup2(fd, number)
    os.closerange(3, 1 << 20)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _prepare(command: dict[str, Any], program: bytes) -> None:
    os.umask(0o022)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    for name, value in command["limits"].items():
        _limit(getattr(resource, name), value)
    os.chdir(command["workdir"])
    os.setgroups(command["groups"])
    os.setresgid(command["gid"], command["gid"], command["gid"])
    if not command["may_gain"]:
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.install_filter(program)
    keep = command["keep_capabilities"]
    linux.limit_bounding_set(CONTAINER_RIGHTS if keep or command["may_gain"] else 0)
    linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
    os.setresuid(command["uid"], command["uid"], command["uid"])
    linux.set_capabilities(CONTAINER_RIGHTS if keep and command["uid"] == 0 else 0)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _execute(command: dict[str, Any]) -> int:
    """Try the places where the command may be; returns only when there is none."""
    environment: dict[str, str] = command["environment"]
    name = command["argv"][0]
    folders = [""] if "/" in name else environment.get("PATH", _USUAL_PATH).split(":")
    refused = None
    for folder in folders:
        try:
            os.execve(f"{folder}/{name}" if folder else name, command["argv"], environment)  # noqa: S606
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                refused = error
    if refused:
        raise refused
    os.write(2, f"sandbox: {name}: command not found\n".encode(errors="surrogateescape"))
    return _NOT_FOUND
