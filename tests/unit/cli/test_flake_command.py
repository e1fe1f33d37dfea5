"""`ohr flake`, from the command line to the folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openhands_recipes.cli.main import run_with
from tests.recipe_texts import TREE, recipe_text


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; the library that comes along is the only one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_recipe_becomes_a_folder_that_needs_nothing_but_nixpkgs(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(["flake", "python"]) == 0
    told = capsys.readouterr()
    assert told.out == "flakes/python\n"
    assert told.err == "next: `nix develop path:flakes/python`\n"
    folder = here / "flakes" / "python"
    assert (folder / "recipe.json").read_bytes() == (TREE / "recipes/python/flake.json").read_bytes()
    assert (folder / "flake.lock").read_bytes() == (TREE / "flake.lock").read_bytes()
    assert (folder / "nixlib" / "default.nix").is_file()
    assert run_with(["flake", "python"]) == 0
    assert capsys.readouterr().out == "flakes/python (unchanged)\n"


def test_several_recipes_go_to_folders_of_their_own_and_one_to_the_folder_named(here: Path) -> None:
    assert run_with(["flake", "go", "base", "-o", "out"]) == 0
    assert {path.name for path in (here / "out").iterdir()} == {"go", "base"}
    assert run_with(["flake", "go", "-o", "one"]) == 0
    assert tree(here / "one") == tree(here / "out" / "go")


def test_a_program_reads_what_was_written_and_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(["flake", "base", "--format", "json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["recipe"], one["version"], one["folder"], one["changed"]) == (
        "base", "1.0.0", "flakes/base", True,
    )  # fmt: skip
    assert {"kind": "package", "name": "apt", "reason": "manages the machine's Debian packages"} in one[
        "omitted"
    ]
    assert (here / "flakes" / "base").is_dir()
    assert run_with(["-v", "flake", "base"]) == 0
    assert "left out: package apt: manages the machine's Debian packages" in capsys.readouterr().err


def test_a_folder_that_is_out_of_date_is_told_and_not_touched(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(["flake", "base", "--check"]) == 1
    assert run_with(["flake", "base"]) == 0
    assert run_with(["flake", "base", "--check"]) == 0
    (here / "flakes" / "base" / "recipe.json").write_text("{}")
    capsys.readouterr()
    assert run_with(["flake", "base", "--check"]) == 1
    assert "the flake of 'base' is not what its recipe says: recipe.json" in capsys.readouterr().err
    assert run_with(["flake", "base"]) == 2
    assert "changed by hand: recipe.json" in capsys.readouterr().err
    assert run_with(["flake", "base", "--force"]) == 0


def test_all_or_none_are_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "recipes" / "mine").mkdir(parents=True)
    text = recipe_text("mine", 'extends: [base]\nnode: {version: "18"}\n')
    (here / "recipes" / "mine" / "recipe.yaml").write_text(text)
    assert run_with(["flake", "base", "mine"]) == 1
    assert capsys.readouterr().err == (
        "error[OHR052]: package 'node' 18 is not available from nixpkgs: "
        "nixpkgs dropped Node.js 18 at the end of its life\n"
        "  --> recipes/mine/recipe.yaml:8:8\n"
        "  hint: version streams: 20 (default), 22, 24, 26\n"
    )
    assert not (here / "flakes").exists()


def test_a_projects_own_nixlib_wins_file_by_file(here: Path) -> None:
    (here / "recipes").mkdir()
    (here / "nixlib" / "template").mkdir(parents=True)
    (here / "nixlib" / "template" / "flake.nix").write_text("mine")
    (here / "nixlib" / ".hidden.nix").write_text("not this")
    assert run_with(["flake", "base"]) == 0
    files = tree(here / "flakes" / "base")
    assert files["flake.nix"] == b"mine"
    assert "nixlib/default.nix" in files
    assert "nixlib/.hidden.nix" not in files


def test_time_folder_locale_and_hash_seed_change_no_byte(here: Path) -> None:
    for number, extra in enumerate(
        ({"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C"})
    ):
        code = "import sys; from openhands_recipes.cli.main import run_with; sys.exit(run_with(sys.argv[1:]))"
        subprocess.run(
            [sys.executable, "-c", code, "flake", "node", "-o", str(here / str(number) / "x")],
            check=True, capture_output=True, env=os.environ | extra | {"PYTHONPATH": str(TREE)},
        )  # fmt: skip
        time.sleep(0.01)
    assert tree(here / "0" / "x") == tree(here / "1" / "x")
