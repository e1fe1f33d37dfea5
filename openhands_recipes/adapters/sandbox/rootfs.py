"""Builds the root a box sees, and moves into it.

Trees are the lower layers of an overlay; below them lies a skeleton in memory that holds every mount point,
so that making them never shows up as a change. Old and new root part before anything of the image is looked
at: from then on every path, link and all, resolves inside.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import stat
import struct

from openhands_recipes.adapters.sandbox import lend, linux, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STAGE = "stage"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
# What runc hides and freezes (runtime-spec, config-linux.md: maskedPaths, readonlyPaths; moby's defaults).
_MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
    "/sys/devices/virtual/powercap", "/sys/fs/bpf", "/sys/kernel/debug", "/sys/kernel/tracing",
    "/sys/kernel/security",
)  # fmt: skip
_FROZEN = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_PLAIN = linux.NO_SUID | linux.NO_DEV | linux.NO_EXEC


class Root:
    """What is left to know about a root once one is inside."""

    def __init__(self, upper: int, *, memory: bool) -> None:
        self.upper = upper
        """The writable layer, opened as a folder."""
        self.memory = memory
        """Whether that layer lies in memory because the store's file system cannot carry it."""
        self.made: list[str] = []
        """Mount points that had to be made in the writable layer after all."""


def open_binds(order: dict[str, Any]) -> list[int]:
    """Detached copies of the declared host paths, restricted, in order."""
    opened = []
    for source, _, writable, owners in order["binds"]:
        fd = linux.clone_mount(source, recursive=True)
        if owners:
            try:
                lend.lend(fd, owners, order["caller"])
            except OSError as error:
                if error.errno != errno.EINVAL:  # a file system without such mounts: for looking only
                    raise
        attributes = linux.NO_SUID | linux.NO_DEV | (0 if writable else linux.READ_ONLY)
        linux.restrict_mount(fd, attributes, recursive=True)
        opened.append(fd)
    return opened


def enter(order: dict[str, Any], binds: list[int]) -> Root:
    """Build the root and make it this process's own; called with the store as working directory."""
    linux.mount("none", "/", "none", linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("scratch", STAGE, "tmpfs", 0, "mode=755")
    targets = [(target, fd) for (_, target, *_), fd in zip(order["binds"], binds, strict=True)]
    files = _write_files(order["files"])
    _make_skeleton([*files, *targets])
    root = _mount_overlay(order)
    kernel = _kernel_mounts(network=order["network"])
    devices = [linux.clone_mount(f"/dev/{name}") for name in _DEVICES]
    os.chdir(f"{STAGE}/root")
    linux.pivot_root_here()
    os.chdir("/")
    for target, fd in kernel:
        _place(root, target, fd)
    _fill_dev(root, devices)
    if not order["nested"]:
        _mask(root)
    for target, fd in [*files, *targets]:
        _place(root, target, fd)
    _socket.sethostname(order["hostname"])
    if not order["network"]:
        _raise_loopback()
    return root


def _write_files(files: list[tuple[str, bytes, int]]) -> list[tuple[str, int]]:
    os.mkdir(f"{STAGE}/files")
    mounts = []
    for number, (target, content, mode) in enumerate(files):
        path = f"{STAGE}/files/{number}"
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        fd = linux.clone_mount(path)
        linux.restrict_mount(fd, _PLAIN | (0 if mode & 0o200 else linux.READ_ONLY))
        mounts.append((target, fd))
    return mounts


def _make_skeleton(targets: list[tuple[str, int]]) -> None:
    top = f"{STAGE}/skeleton"
    for folder in ("/dev", "/proc", "/sys"):
        os.makedirs(top + folder)
    for target, fd in targets:
        try:
            _make_point(top + "/" + target.lstrip("/"), fd)
        except OSError as error:  # one target below another's file: placing it will say so
            if error.errno not in (errno.ENOTDIR, errno.EEXIST):
                raise


def _make_point(path: str, fd: int) -> None:
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644))


def _mount_overlay(order: dict[str, Any]) -> Root:
    os.mkdir(f"{STAGE}/root")
    lower = ":".join([*(f"trees/{tree}" for tree in order["trees"]), f"{STAGE}/skeleton"])
    memory = f"{STAGE}/upper"
    for place in (order["upper"], memory):
        if not place:
            continue
        try:
            _make_upper(place)
            writable = f"upperdir={place}/data,workdir={place}/work"
            options = f"lowerdir={lower},{writable},userxattr,xino=auto,volatile"
            linux.mount("overlay", f"{STAGE}/root", "overlay", 0, options)
        except OSError:
            if place == memory or order["keep_upper"]:
                raise
        else:
            upper = os.open(f"{place}/data", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            return Root(upper, memory=place == memory)
    raise AssertionError


def _make_upper(place: str) -> None:
    os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
    unpack.make_held(place)  # as long as this process lives
    unpack.remove(f"{place}/work")  # a volatile overlay leaves a mark, and refuses to be mounted over it
    os.makedirs(f"{place}/data", 0o755, exist_ok=True)
    os.mkdir(f"{place}/work", 0o755)


def _kernel_mounts(*, network: bool) -> list[tuple[str, int]]:
    """Made while the host's /proc and /sys are still in sight: the kernel insists on that."""
    mounts = [
        ("/proc", linux.new_mount("proc", _PLAIN)),
        ("/dev", linux.new_mount("tmpfs", linux.NO_SUID | linux.NO_EXEC, mode="755", size="64k")),
    ]
    if not network:
        try:
            return [*mounts, ("/sys", linux.new_mount("sysfs", _PLAIN | linux.READ_ONLY))]
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES):
                raise
    return [*mounts, *_small_sys()]


def _small_sys() -> list[tuple[str, int]]:
    """Where sysfs cannot be had (the host's network): only the processors, for those who count them."""
    top = f"{STAGE}/sys"
    processors = "/sys/devices/system/cpu"
    os.makedirs(f"{STAGE}/{processors}")
    sys = linux.clone_mount(top)
    linux.restrict_mount(sys, _PLAIN | linux.READ_ONLY)
    try:
        cpu = linux.clone_mount(processors)
    except OSError:
        return [("/sys", sys)]
    linux.restrict_mount(cpu, _PLAIN | linux.READ_ONLY)
    return [("/sys", sys), (processors, cpu)]


def _fill_dev(root: Root, devices: list[int]) -> None:
    for name, fd in zip(_DEVICES, devices, strict=True):
        os.close(os.open(f"/dev/{name}", os.O_WRONLY | os.O_CREAT, 0o666))
        linux.restrict_mount(fd, linux.NO_SUID | linux.NO_EXEC)
        _place(root, f"/dev/{name}", fd)
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/pts")
    os.mkdir("/dev/shm")  # noqa: S108 - the box's own
    pts = linux.new_mount("devpts", linux.NO_SUID | linux.NO_EXEC, ptmxmode="0666", mode="620", gid="5")
    _place(root, "/dev/pts", pts)
    _place(root, "/dev/shm", linux.new_mount("tmpfs", _PLAIN, mode="1777"))  # noqa: S108


def _mask(root: Root) -> None:
    for path in _FROZEN:
        if os.path.exists(path):
            fd = linux.clone_mount(path, recursive=True)
            linux.restrict_mount(fd, _PLAIN | linux.READ_ONLY, recursive=True)
            _place(root, path, fd)
    for path in _MASKED:
        if os.path.isdir(path):
            _place(root, path, linux.new_mount("tmpfs", _PLAIN | linux.READ_ONLY, size="4k"))
        elif os.path.exists(path):
            _place(root, path, linux.clone_mount("/dev/null"))


def _place(root: Root, target: str, fd: int) -> None:
    """Attach a mount, making its mount point where an image's links led away from the skeleton's."""
    point = _open_point(target)
    if point < 0:
        _make_point(target, fd)
        root.made.append(os.path.realpath(target))
        point = _open_point(target)
    try:
        linux.attach_mount(fd, point)
    finally:
        os.close(point)
        os.close(fd)


def _open_point(target: str) -> int:
    for flags in (os.O_PATH, os.O_PATH | os.O_NOFOLLOW):  # the second: over a link that leads nowhere
        try:
            return os.open(target, flags | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
    return -1


def _raise_loopback() -> None:
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = struct.pack("16sH22x", b"lo", 0x1)  # IFF_UP
    fcntl.ioctl(probe.fileno(), 0x8914, request)  # SIOCSIFFLAGS
    probe.close()
