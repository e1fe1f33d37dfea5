"""Folders for people: whole or not at all, and never over what others put there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openhands_recipes.adapters.made_folder import MadeFoldersOnDisk
from openhands_recipes.errors import OutsideError, UsageError
from openhands_recipes.ports import MadeFolders

FILES = {"a.txt": b"a", "sub/b.txt": b"b"}
folders: MadeFolders = MadeFoldersOnDisk()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "made"
    assert folders.put(folder, FILES)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".ohr.json"
    }


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir() if path != folder]


def test_a_folder_is_made_with_the_folders_above_it(made: Path) -> None:
    assert content(made) == FILES
    assert left_over(made) == []


def test_the_same_files_again_change_nothing(made: Path) -> None:
    before = made.stat().st_ino
    assert folders.put(made, FILES) is False
    assert made.stat().st_ino == before


def test_other_files_replace_the_folder_and_old_ones_go(made: Path) -> None:
    assert folders.put(made, {"a.txt": b"A"})
    assert content(made) == {"a.txt": b"A"}
    assert left_over(made) == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert folders.put(tmp_path / "empty", FILES)


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("mine")
    with pytest.raises(UsageError, match="the folder holds other things"):
        folders.put(tmp_path, FILES)
    assert content(tmp_path) == {"own": b"mine"}


def test_changes_by_hand_are_refused_by_name(made: Path) -> None:
    (made / "sub" / "b.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"changed by hand: sub/b\.txt"):
        folders.put(made, {"a.txt": b"A"})
    assert content(made)["a.txt"] == b"a"


def test_a_file_deleted_by_hand_comes_back(made: Path) -> None:
    (made / "a.txt").unlink()
    assert folders.put(made, FILES)
    assert content(made) == FILES


def test_files_of_others_inside_are_refused_by_name(made: Path) -> None:
    (made / "sub" / "notes").mkdir()
    (made / "x").write_text("x")
    with pytest.raises(UsageError, match="not from here: sub/notes, x"):
        folders.put(made, {"a.txt": b"A"})


def test_links_that_nix_leaves_stay(made: Path) -> None:
    (made / "result").symlink_to("/nix/store/00000000000000000000000000000000-x")
    assert folders.put(made, {"a.txt": b"A"})
    assert (made / "result").is_symlink()


def test_force_replaces_and_keeps_the_rest(made: Path) -> None:
    (made / "a.txt").write_text("mine")
    (made / ".git").mkdir()
    (made / ".git" / "HEAD").write_text("ref")
    (made / "sub" / "notes").write_text("notes")
    assert folders.put(made, FILES, force=True)
    assert content(made) == FILES | {".git/HEAD": b"ref", "sub/notes": b"notes"}
    assert left_over(made) == []


def test_force_does_not_replace_a_file_or_a_link(tmp_path: Path, made: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(made)
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="not a folder"):
            folders.put(tmp_path / name, FILES, force=True)


def test_what_differs_is_told_without_writing(made: Path, tmp_path: Path) -> None:
    assert folders.differences(made, FILES) == ()
    assert folders.differences(made, {"a.txt": b"A", "new": b""}) == ("a.txt", "new", "sub/b.txt")
    assert folders.differences(tmp_path / "nowhere", FILES) == ("a.txt", "sub/b.txt")


def test_a_broken_note_counts_as_none(made: Path) -> None:
    (made / ".ohr.json").write_text("[]")
    with pytest.raises(UsageError, match="the folder holds other things"):
        folders.put(made, {"a.txt": b"A"})


def test_the_word_of_the_system_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutsideError, match="cannot be written"):
        folders.put(tmp_path / "file" / "below", FILES)


def test_a_failure_on_the_way_leaves_the_old_folder(made: Path) -> None:
    with pytest.raises(OutsideError, match="cannot be written"):
        folders.put(made, {"x" * 300: b""})
    assert content(made) == FILES
    assert left_over(made) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from openhands_recipes.adapters.made_folder import MadeFoldersOnDisk

calls = {"write": 0, "rename": 0}
kind, number = sys.argv[2], int(sys.argv[3])
write, rename = Path.write_bytes, Path.rename
def counted(name, real):
    def call(*args, **kwargs):
        calls[name] += 1
        if name == kind and calls[name] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
Path.write_bytes, Path.rename = counted("write", write), counted("rename", rename)
MadeFoldersOnDisk().put(Path(sys.argv[1]), {"a.txt": b"A", "sub/b.txt": b"B"})
"""


@pytest.mark.parametrize(("kind", "number"), [("write", 1), ("write", 2), ("rename", 1), ("rename", 2)])
def test_a_kill_leaves_the_old_folder_or_none_and_the_next_run_finishes(
    made: Path, kind: str, number: int
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(made), kind, str(number)], check=False)
    assert done.returncode == -9
    assert not made.exists() or content(made) == FILES
    assert folders.put(made, {"a.txt": b"A", "sub/b.txt": b"B"})
    assert content(made) == {"a.txt": b"A", "sub/b.txt": b"B"}
