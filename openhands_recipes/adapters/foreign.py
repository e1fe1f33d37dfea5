"""Whether this machine's kernel runs programs of other kinds of machines (binfmt_misc, with QEMU behind it).

Source: Linux, Documentation/admin-guide/binfmt-misc.rst; the headers are those of elf(5).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from openhands_recipes.ports import Ability

FOLDER = Path("/proc/sys/fs/binfmt_misc")
HINT = (
    "install QEMU's user mode emulation (Debian: `apt-get install qemu-user-static binfmt-support`); "
    "in a container or a bare VM also `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc`"
)
_ELF_MACHINE = {"x86_64": 62, "aarch64": 183}
_EXECUTABLE = 3  # position independent, as Debian's programs are
_FIXED = "F"  # the interpreter was opened when it was registered, so that no root needs to have it


def runs_programs_of(machine: str, *, folder: Path = FOLDER) -> bool:
    """Whether programs of a machine, named as `uname -m` does, run here, also inside sandboxes."""
    return machine == platform.machine() or any(_takes(entry, machine) for entry in _entries(folder))


def emulation(folder: Path = FOLDER) -> Iterator[Ability]:
    """One line for every kind of machine that images are built for and this one is not."""
    for machine in sorted(_ELF_MACHINE.keys() - {platform.machine()}):
        there = runs_programs_of(machine, folder=folder)
        detail = f"programs of {machine} {'run' if there else 'do not run'} here"
        yield Ability(f"emulation {machine}", there, detail, "" if there else HINT)


def _entries(folder: Path) -> Iterator[Mapping[str, str]]:
    """Every registered format as its words; `state` is what the first line says."""
    try:
        files = sorted(path for path in folder.iterdir() if path.name not in {"register", "status"})
        if (folder / "status").read_text(encoding="ascii").strip() != "enabled":
            return
    except OSError:
        return
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        words = dict(line.partition(" ")[::2] for line in lines[1:])
        yield words | {"state": lines[0] if lines else ""}


def _takes(entry: Mapping[str, str], machine: str) -> bool:
    if entry["state"] != "enabled" or _FIXED not in entry.get("flags:", "") or entry.get("offset") != "0":
        return False
    try:
        magic = bytes.fromhex(entry.get("magic", ""))
        mask = bytes.fromhex(entry.get("mask", "")) or b"\xff" * len(magic)
    except ValueError:
        return False
    number = _ELF_MACHINE[machine].to_bytes(2, "little")
    header = b"\x7fELF\2\1\1" + bytes(9) + _EXECUTABLE.to_bytes(2, "little") + number
    if not magic or len(magic) > len(header) or len(magic) != len(mask):
        return False
    return all(h & m == g & m for h, g, m in zip(header, magic, mask, strict=False))
