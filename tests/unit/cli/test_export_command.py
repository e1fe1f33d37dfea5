"""`ohr export`, from the command line to the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_recipes.cli.main import run_with
from tests.recipe_texts import recipe_text

PINNED = "registry.example.com:5000/team/python@sha256:" + "0" * 64


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; the library that comes along is the only one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recipe_is_written_as_a_dockerfile(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["export", "dockerfile", "python"]) == 0
    told = capsys.readouterr()
    assert told.out == "docker/python\n"
    assert told.err == "next: `docker build --tag python docker/python`\n"
    packages = (here / "docker" / "python" / "apt" / "packages.amd64").read_text().splitlines()
    assert any(line.startswith("python3.13=") for line in packages)
    assert "/opt/agent-server" in (here / "docker" / "python" / "Dockerfile").read_text()
    assert run_with(["export", "dockerfile", "python"]) == 0
    assert capsys.readouterr().out == "docker/python (unchanged)\n"


def test_an_editor_gets_a_folder_that_builds_or_an_image_by_digest(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(["export", "devcontainer", "base", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["recipe"], told["folder"], told["changed"]) == ("base", ".devcontainer", True)
    assert {"Dockerfile", "devcontainer.json"} <= set(told["files"])
    assert run_with(["export", "devcontainer", "python", "--image", PINNED, "-o", "by-image"]) == 0
    assert {path.name for path in (here / "by-image").iterdir()} == {".ohr.json", "devcontainer.json"}


def test_an_image_without_a_digest_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["export", "devcontainer", "python", "--image", "team/python:1.0.0"]) == 2
    assert "the image 'team/python:1.0.0' is not named by its digest" in capsys.readouterr().err
    assert not (here / ".devcontainer").exists()


def test_what_others_wrote_is_spared_unless_forced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".devcontainer").mkdir()
    (here / ".devcontainer" / "devcontainer.json").write_text("{}")
    assert run_with(["export", "devcontainer", "base"]) == 2
    assert "the folder holds other things" in capsys.readouterr().err
    assert run_with(["export", "devcontainer", "base", "--force"]) == 0
    assert "remoteUser" in (here / ".devcontainer" / "devcontainer.json").read_text()


def test_a_recipe_that_was_never_locked_says_what_to_do(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "recipes" / "mine").mkdir(parents=True)
    (here / "recipes" / "mine" / "recipe.yaml").write_text(recipe_text("mine", "packages: [git]\n"))
    assert run_with(["export", "dockerfile", "mine"]) == 1
    assert "run `ohr lock mine`" in capsys.readouterr().err
