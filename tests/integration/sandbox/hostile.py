"""Run inside a box: tries to get out, and prints one line per attempt that succeeded."""

# It runs on a bare Python and speaks to the test by printing.
# ruff: noqa: PTH103, PTH123, PTH208, S108, S606, T201
from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

HOST_FILE, HOST_PORT, HOST_PID = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ARM = os.uname().machine == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)


def call(numbers: tuple[int, int], *arguments: object) -> None:
    if libc.syscall(ctypes.c_long(numbers[ARM]), *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def attempt(name: str, action: Callable[[], object]) -> None:
    try:
        action()
    except OSError as error:
        print("contained", name, error.errno, file=sys.stderr)
    else:
        print("ESCAPED", name)


def mount() -> None:
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), "mount")


def remount_writable() -> None:
    if libc.mount(b"none", b"/proc/sys", None, 0x1020, None) < 0:
        raise OSError(ctypes.get_errno(), "remount")


def unmount() -> None:
    if libc.umount2(b"/proc/sys", 2) < 0:
        raise OSError(ctypes.get_errno(), "umount")


def unshare(flags: int) -> None:
    if libc.unshare(flags) < 0:
        raise OSError(ctypes.get_errno(), "unshare")


def clone_user_namespace() -> None:
    call((56, 220), 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    os._exit(0)


def device(kind: int, major: int, minor: int) -> None:
    path = f"/tmp/device-{kind}-{major}-{minor}"
    os.mknod(path, 0o666 | kind, os.makedev(major, minor))


def use_device() -> None:
    device(stat.S_IFCHR, 1, 1)
    os.read(os.open(f"/tmp/device-{stat.S_IFCHR}-1-1", os.O_RDONLY), 1)


def read_host_by_chroot() -> None:
    os.makedirs("/tmp/jail", exist_ok=True)
    outside = os.open("/", os.O_RDONLY)
    os.chroot("/tmp/jail")
    os.fchdir(outside)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    os.open(HOST_FILE, os.O_RDONLY)


def in_child(action: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        pid = os.fork()
        if pid == 0:
            try:
                action()
            except OSError as error:
                os._exit(error.errno or 255)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            raise OSError(code, "in a child")

    return run


def open_by_handle() -> None:
    handle = ctypes.create_string_buffer(b"\x08\0\0\0\x01\0\0\0\x02" + bytes(7), 16)  # inode 2: the root
    call((304, 265), os.open("/", os.O_RDONLY), handle, 0)


def read(path: str) -> None:
    with open(path, "rb") as file:
        if not file.read(1):
            raise OSError(0, "empty")


def write(path: str, text: bytes = b"1\n") -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(text)


def connect(family: int, address: str | tuple[str, int]) -> None:
    with socket.socket(family) as door:
        door.settimeout(3)
        door.connect(address)


def trace(pid: int) -> None:
    if libc.ptrace(16, pid, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def gain() -> None:
    if os.spawnv(
        os.P_WAIT, "/usr/bin/setuid-python", ["python", "-c", "import os; os.geteuid() and exit(1)"]
    ):
        raise OSError(1, "no root")


def enter(name: str) -> None:
    call((308, 268), os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "mount": mount,
    "remount": remount_writable,
    "umount": unmount,
    "new user namespace": lambda: unshare(0x10000000),
    "new mount namespace": lambda: unshare(0x00020000),
    "clone user namespace": clone_user_namespace,
    "clone3": lambda: call((435, 435), None, 0),
    "fsopen": lambda: call((430, 430), b"tmpfs", 0),
    "open_tree": lambda: call((428, 428), -100, b"/", 1),
    "pivot_root": lambda: call((155, 41), b"/tmp", b"/tmp"),
    "setns": lambda: enter("mnt"),
    "disk": lambda: device(stat.S_IFBLK, 8, 0),
    "memory device": use_device,
    "host disk": lambda: read("/dev/sda"),
    "kernel messages": lambda: read("/dev/kmsg"),
    "kernel memory": lambda: read("/proc/kcore"),
    "keys": lambda: read("/proc/keys"),
    "keyctl": lambda: call((250, 219), 0, -3, 0),
    "add_key": lambda: call((248, 217), b"user", b"x", b"y", 1, -3),
    "bpf": lambda: call((321, 280), 0, None, 0),
    "perf_event_open": lambda: call((298, 241), None, 0, -1, -1, 0),
    "userfaultfd": lambda: call((323, 282), 1),
    "io_uring_setup": lambda: call((425, 425), 1, None),
    "init_module": lambda: call((175, 105), None, 0, b""),
    "reboot": lambda: call((169, 142), 0, 0, 0, None),
    "settimeofday": lambda: call((164, 170), None, None),
    "syslog": lambda: call((103, 116), 3, None, 0),
    "unknown call": lambda: call((500, 500)),
    "open_by_handle_at": open_by_handle,
    "host file": lambda: read(HOST_FILE),
    "host file through process 1": lambda: read(f"/proc/1/root{HOST_FILE}"),
    "host file by chroot": in_child(read_host_by_chroot),
    "memory of process 1": lambda: read("/proc/1/mem"),
    "environment of process 1": lambda: read("/proc/1/environ"),
    "files of process 1": lambda: os.listdir("/proc/1/fd"),
    "trace process 1": lambda: trace(1),
    "trace the minder": lambda: trace(os.getppid()),
    "trace a host process": lambda: trace(HOST_PID),
    "signal a host process": lambda: os.kill(HOST_PID, 0),
    "core pattern": lambda: write("/proc/sys/kernel/core_pattern"),
    "sysrq": lambda: write("/proc/sysrq-trigger", b"h"),
    "sysctl": lambda: write("/proc/sys/vm/drop_caches"),
    "sysfs": lambda: write("/sys/kernel/uevent_helper"),
    "hostname": lambda: socket.sethostname("x"),
    "host port": lambda: connect(socket.AF_INET, ("127.0.0.1", HOST_PORT)),
    "other network": lambda: connect(socket.AF_INET, ("192.0.2.1", 80)),
    "abstract socket": lambda: connect(socket.AF_UNIX, f"\0ohr-test-{HOST_PORT}"),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
    "kernel crypto": lambda: socket.socket(38, socket.SOCK_SEQPACKET),
    "read-only bind": lambda: write(os.__file__.replace("os.py", "hostile-was-here")),
    "setuid program": gain if os.getuid() else lambda: connect(socket.AF_INET, ("127.0.0.1", HOST_PORT)),
}

for name, action in ATTEMPTS.items():
    attempt(name, action)
with suppress(PermissionError):
    os.kill(1, signal.SIGKILL)  # the kernel shields process 1; reaching the next line is the proof
print("finished")
