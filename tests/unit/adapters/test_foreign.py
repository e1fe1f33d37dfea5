from __future__ import annotations

import platform
from pathlib import Path

import pytest

from openhands_recipes.adapters.foreign import HINT, emulation, runs_programs_of

QEMU = """enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


@pytest.fixture
def formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's folder, with Debian's entry for aarch64, on an x86 machine."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    (tmp_path / "qemu-aarch64").write_text(QEMU)
    return tmp_path


def test_own_programs_always_run(tmp_path: Path) -> None:
    assert runs_programs_of(platform.machine(), folder=tmp_path / "none")


def test_foreign_programs_run_where_an_emulator_is_registered(formats: Path) -> None:
    assert runs_programs_of("aarch64", folder=formats)
    assert [(a.ok, a.hint) for a in emulation(formats)] == [(True, "")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("enabled\n", "disabled\n"),
        ("POCF", "POC"),
        ("b700", "f300"),
        ("offset 0", "offset 4"),
        ("magic 7f", "magic xx"),
        ("magic 7f45", "magic 7f"),
        ("mask ffff", "mask ff"),
    ],
    ids=["disabled", "opened by name", "other machine", "offset", "no hex", "other magic", "short mask"],
)
def test_an_entry_that_does_not_serve_sandboxes_does_not_count(formats: Path, old: str, new: str) -> None:
    (formats / "qemu-aarch64").write_text(QEMU.replace(old, new, 1))
    assert not runs_programs_of("aarch64", folder=formats)


def test_a_kernel_that_was_told_to_stop_runs_none(formats: Path) -> None:
    (formats / "status").write_text("disabled\n")
    assert not runs_programs_of("aarch64", folder=formats)


def test_entries_that_cannot_be_read_are_passed_over(formats: Path) -> None:
    (formats / "a-folder").mkdir()
    (formats / "empty").write_text("")
    assert runs_programs_of("aarch64", folder=formats)


@pytest.mark.usefixtures("formats")
def test_without_the_kernel_s_folder_none_run_and_the_hint_says_what_to_do(tmp_path: Path) -> None:
    (ability,) = emulation(tmp_path / "none")
    assert (ability.ok, ability.detail) == (False, "programs of aarch64 do not run here")
    assert ability.hint == HINT
