"""The filter, run by a little machine of our own: what it answers to which call."""

from __future__ import annotations

import struct

import pytest

from openhands_recipes.adapters.sandbox import seccomp

ALLOW, EPERM, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 0x50001, 0x50026, 0x50061
NEW_USER, NEW_NET, THREAD = 0x10000000, 0x40000000, 0x003D0F00


def judge(program: bytes, architecture: int, number: int, first: int = 0) -> int:
    """Classic BPF, as far as the filter uses it (Documentation/networking/filter.rst)."""
    record = struct.pack("<IIQ6Q", number, architecture, 0, first, 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("=HBBI", program))
    position = accumulator = 0
    while True:
        code, if_true, if_false, value = steps[position]
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", record, value)
            case 0x06:
                return int(value)
            case 0x15 | 0x25 | 0x45:
                holds = {
                    0x15: accumulator == value,
                    0x25: accumulator > value,
                    0x45: bool(accumulator & value),
                }
                position += if_true if holds[code] else if_false


X86, ARM = "x86_64", "aarch64"
CASES = [
    # machine, call, number, first argument, plain answer, answer with nested namespaces
    (X86, "read", 0, 0, ALLOW, ALLOW),
    (ARM, "read", 63, 0, ALLOW, ALLOW),
    (X86, "mount", 165, 0, EPERM, ALLOW),
    (ARM, "mount", 40, 0, EPERM, ALLOW),
    (X86, "setns", 308, 0, EPERM, ALLOW),
    (X86, "keyctl", 250, 0, EPERM, EPERM),
    (ARM, "keyctl", 219, 0, EPERM, EPERM),
    (X86, "bpf", 321, 0, EPERM, EPERM),
    (X86, "clone of a thread", 56, THREAD, ALLOW, ALLOW),
    (X86, "clone into namespaces", 56, NEW_USER | 17, EPERM, ALLOW),
    (ARM, "clone into namespaces", 220, NEW_NET, EPERM, ALLOW),
    (X86, "unshare of files", 272, 0x400, ALLOW, ALLOW),
    (X86, "unshare", 272, NEW_USER, EPERM, ALLOW),
    (ARM, "unshare", 97, 0x80, EPERM, ALLOW),
    (X86, "clone3", 435, 0, ENOSYS, ALLOW),
    (X86, "socket", 41, 2, ALLOW, ALLOW),
    (X86, "kernel crypto socket", 41, 38, EAFNOSUPPORT, EAFNOSUPPORT),
    (ARM, "vsock", 198, 40, EAFNOSUPPORT, EAFNOSUPPORT),
    (X86, "a call of tomorrow", 480, 0, ENOSYS, ENOSYS),
    (X86, "x32", 0x40000001, 0, ENOSYS, ENOSYS),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_each_call_gets_its_answer(case: tuple[str, str, int, int, int, int]) -> None:
    machine, name, number, first, plain, nested = case
    architecture = seccomp.ARCHITECTURES[machine]
    assert judge(seccomp.program(machine), architecture, number, first) == plain, name
    assert judge(seccomp.program(machine, nested_namespaces=True), architecture, number, first) == nested


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_calls_of_another_architecture_do_not_exist(machine: str) -> None:
    assert judge(seccomp.program(machine), 0x40000003, 1) == ENOSYS  # AUDIT_ARCH_I386


def test_unknown_machines_have_no_filter() -> None:
    with pytest.raises(KeyError):
        seccomp.program("vax")
