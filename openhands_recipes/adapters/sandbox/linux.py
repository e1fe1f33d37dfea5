"""The system calls Python 3.11 has no name for, as plain functions that raise OSError.

It does not decide anything; numbers are from the kernel's uapi headers (include/uapi/linux/*.h).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

READ_ONLY = 1  # MOUNT_ATTR_*
NO_SUID = 2
NO_DEV = 4
NO_EXEC = 8

_ID_MAP = 0x0010_0000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_MACHINE = os.uname().machine
_NUMBERS = {
    # name: x86_64, aarch64 (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h)
    "pivot_root": (155, 41),
    "capset": (126, 91),
    "keyctl": (250, 219),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "openat2": (437, 437),
    "mount_setattr": (442, 442),
}

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_BOTH_EMPTY = 0x4 | 0x40  # MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
_KEYCTL_JOIN_SESSION_KEYRING = 1
_CAPABILITY_VERSION_3 = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _syscall(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    number = _NUMBERS[name][1 if _MACHINE == "aarch64" else 0]
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(int(_libc.syscall(ctypes.c_long(number), *converted)), name)


def unshare(flags: int) -> None:
    """Leave the namespaces named by CLONE_* flags for new ones."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def prctl(option: int, value: int = 0, third: int = 0) -> int:
    """Set an attribute of this process."""
    return _checked(
        _libc.prctl(
            ctypes.c_int(option),
            ctypes.c_ulong(value),
            ctypes.c_ulong(third),
            ctypes.c_ulong(0),
            ctypes.c_ulong(0),
        ),
        "prctl",
    )


def install_filter(program: bytes) -> None:
    """Install a seccomp filter, given as the bytes of `struct sock_filter` records."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    _checked(
        _libc.prctl(
            ctypes.c_int(PR_SET_SECCOMP), ctypes.c_ulong(2), header, ctypes.c_ulong(0), ctypes.c_ulong(0)
        ),
        "seccomp",
    )


def set_capabilities(mask: int) -> None:
    """Make `mask` the permitted and effective set; nothing is inheritable."""
    low, high = mask & 0xFFFF_FFFF, mask >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _syscall("capset", header, struct.pack("=6I", low, low, 0, high, high, 0))


def limit_bounding_set(mask: int) -> None:
    """Drop every capability outside `mask` from the bounding set, for good."""
    for capability in range(64):
        if not mask >> capability & 1:
            try:
                prctl(PR_CAPBSET_DROP, capability)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                return  # beyond the last capability this kernel knows


def rename_process(title: bytes) -> None:
    """Overwrite the command line that `ps` shows: it names folders of the host."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, 48 and 49 in proc(5)
    if 0 < start < end:
        ctypes.memmove(start, title.ljust(end - start, b"\0")[: end - start], end - start)
    prctl(PR_SET_NAME, ctypes.addressof(ctypes.create_string_buffer(title)))


def join_new_keyring() -> None:
    """Leave the caller's session keyring; kernels without keyrings have none to leave."""
    try:
        _syscall("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None)
    except OSError:
        return


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """The old way to mount, for what the newer calls cannot say in time (overlay's option string)."""
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), os.fsencode(options)
    )
    _checked(result, f"mount {kind}")


def pivot_root_here() -> None:
    """Make the working directory, a mount of its own, the root, and let go of the old root."""
    _syscall("pivot_root", b".", b".")
    _checked(_libc.umount2(b".", ctypes.c_int(MNT_DETACH)), "umount2")


def sync_file_system(fd: int) -> None:
    """Have everything on the file system of an open file written to its disk."""
    _checked(_libc.syncfs(ctypes.c_int(fd)), "syncfs")


def new_mount(kind: str, attributes: int, **options: str) -> int:
    """A detached mount of a new file system (fsopen, fsconfig, fsmount)."""
    context = _syscall("fsopen", kind.encode(), 1)
    try:
        for key, value in options.items():
            if value:
                _syscall("fsconfig", context, _FSCONFIG_SET_STRING, key.encode(), value.encode(), 0)
            else:
                _syscall("fsconfig", context, _FSCONFIG_SET_FLAG, key.encode(), None, 0)
        _syscall("fsconfig", context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall("fsmount", context, 1, attributes)
    finally:
        os.close(context)


def clone_mount(path: str, *, recursive: bool = False, at: int = _AT_FDCWD) -> int:
    """A detached copy of what is seen at a path: a bind mount waiting for its place."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    return _syscall("open_tree", at, os.fsencode(path), flags | (0 if path else _AT_EMPTY_PATH))


def restrict_mount(fd: int, attributes: int, *, recursive: bool = False) -> None:
    """Add attributes (READ_ONLY, ...) to a mount, and on demand to all mounts below it."""
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    _syscall("mount_setattr", fd, b"", flags, struct.pack("=4Q", attributes, 0, 0, 0), 32)


def map_mount_owners(fd: int, namespace: int) -> None:
    """Show a detached mount's files under the ids that a user namespace maps theirs to."""
    _syscall("mount_setattr", fd, b"", _AT_EMPTY_PATH, struct.pack("=4Q", _ID_MAP, 0, 0, namespace), 32)


def attach_mount(fd: int, target: int) -> None:
    """Attach a detached mount on top of the opened path `target`."""
    _syscall("move_mount", fd, b"", target, b"", _MOVE_MOUNT_BOTH_EMPTY)


def open_below(root: int, path: str, flags: int, resolve: int) -> int:
    """openat2(2): open a path below a folder under the rules of RESOLVE_* flags."""
    how = struct.pack("=3Q", flags | os.O_CLOEXEC, 0, resolve)
    return _syscall("openat2", root, os.fsencode(path), how, len(how))


def probe_call(name: str) -> bool:
    """Whether the kernel knows a call at all (every one of ours refuses fd -1)."""
    try:
        _syscall(name, -1, b"", -1, b"", 0)
    except OSError as error:
        return error.errno != errno.ENOSYS
    return True
