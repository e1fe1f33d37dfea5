"""The seccomp filter as bytes: what a container's processes have no business with is refused.

A list of refusals in the spirit of Docker's default profile (moby, profiles/seccomp/default.json): mounts,
namespaces, keys, kernel modules, clocks, BPF, io_uring, handles. Calls newer than the list answer ENOSYS, so
that tomorrow's kernel adds nothing. The file system, sockets and tracing of one's own children stay open.
"""

from __future__ import annotations

import struct

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data

ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}  # AUDIT_ARCH_*
_NEWEST_KNOWN = 469  # file_setattr, Linux 6.17
_NAMESPACES = 0x7E02_0080  # every CLONE_NEW* flag
_FAMILIES = (38, 40)  # AF_ALG, AF_VSOCK: kernel attack surface without a use in a sandbox

# name: numbers on x86_64 and aarch64, None where the architecture has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "_sysctl": (156, None),
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_REFUSED_UNLESS_NESTED: dict[str, tuple[int | None, int | None]] = {
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "pivot_root": (155, 41),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "umount2": (166, 39),
}
_CLONE, _UNSHARE, _CLONE3, _SOCKET = (56, 220), (272, 97), (435, 435), (41, 198)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(number: int, error: int) -> bytes:
    return _step(_EQUAL, number, 0, 1) + _step(_RETURN, _ERRNO | error)


def _inspect(number: int, checks: bytes) -> bytes:
    """For one call: run checks on its first argument, then allow it."""
    body = _step(_LOAD, _FIRST_ARGUMENT) + checks + _step(_RETURN, _ALLOW)
    return _step(_EQUAL, number, 0, len(body) // 8) + body


def program(machine: str, *, nested_namespaces: bool = False) -> bytes:
    """The filter for one machine (`uname -m`), as records of `struct sock_filter`.

    `nested_namespaces` leaves user namespaces and mounts to the processes inside (Nix's own sandbox).

    Raises:
        KeyError: no filter is known for this machine.
    """
    column = list(ARCHITECTURES).index(machine) if machine in ARCHITECTURES else -1
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _ERRNO | _ENOSYS),
        _step(_LOAD, _NUMBER),
        _step(_GREATER, _NEWEST_KNOWN, 0, 1),
        _step(_RETURN, _ERRNO | _ENOSYS),
    ]
    refused = _REFUSED if nested_namespaces else _REFUSED | _REFUSED_UNLESS_NESTED
    steps += [_refuse(number, _EPERM) for pair in refused.values() if (number := pair[column]) is not None]
    if not nested_namespaces:
        no_namespaces = _step(_ANY_BIT, _NAMESPACES, 0, 1) + _step(_RETURN, _ERRNO | _EPERM)
        steps += [_inspect(_CLONE[column], no_namespaces), _inspect(_UNSHARE[column], no_namespaces)]
        # Its flags lie in memory where no filter can look; glibc falls back to clone.
        steps.append(_refuse(_CLONE3[column], _ENOSYS))
    steps.append(_inspect(_SOCKET[column], b"".join(_refuse(family, _EAFNOSUPPORT) for family in _FAMILIES)))
    return b"".join([*steps, _step(_RETURN, _ALLOW)])
