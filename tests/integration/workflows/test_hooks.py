"""The hooks contributors install: a commit with a faulty recipe is refused where it is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

TREE = Path(__file__).parents[3]
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org")
RECIPE = """\
schema: 1
name: tools
version: 1.0.0
summary: Tools to work with
license: MIT
maintainers: [{github: someone, id: 1}]
extends: [base]
packages: [git]
tests:
  - name: git is there
    run: git --version
    stdout: {contains: git}
"""


def run(*command: str, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **GIT, "PRE_COMMIT_HOME": str(home)}
    return subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A registry of somebody else that uses our hooks; the hooks' commands are this Python's own."""
    project = tmp_path / "project"
    (project / "recipes" / "tools").mkdir(parents=True)
    hooks: list[dict[str, Any]] = yaml.safe_load((TREE / ".pre-commit-hooks.yaml").read_text())
    ohr = Path(sys.executable).with_name("ohr")
    local = [
        hook | {"language": "system", "entry": hook["entry"].replace("ohr", str(ohr), 1)} for hook in hooks
    ]
    config = {"repos": [{"repo": "local", "hooks": local}]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    assert run("git", "init", "-q", cwd=project, home=tmp_path).returncode == 0
    installed = run(sys.executable, "-m", "pre_commit", "install", cwd=project, home=tmp_path)
    assert installed.returncode == 0, installed.stderr
    return project


def commit(project: Path, recipe: str) -> subprocess.CompletedProcess[str]:
    (project / "recipes" / "tools" / "recipe.yaml").write_text(recipe)
    run("git", "add", ".", cwd=project, home=project.parent)
    return run("git", *AUTHOR, "commit", "-qm", "tools", cwd=project, home=project.parent)


def test_a_sound_recipe_is_committed(project: Path) -> None:
    done = commit(project, RECIPE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_faulty_recipe_is_refused_with_its_place_and_code(project: Path) -> None:
    done = commit(project, RECIPE.replace("license: MIT", "licence: MIT"))
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert "OHR010" in told
    assert "recipes/tools/recipe.yaml:5:1" in told
    assert run("git", "log", cwd=project, home=project.parent).returncode != 0


@pytest.mark.parametrize(
    ("what", "file"),
    [("validate-config", ".pre-commit-config.yaml"), ("validate-manifest", ".pre-commit-hooks.yaml")],
)
def test_pre_commit_understands_both_files(what: str, file: str, tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "pre_commit", what, str(TREE / file), cwd=TREE, home=tmp_path)
    assert done.returncode == 0, done.stdout
