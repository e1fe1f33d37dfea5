"""What the surroundings say of a release: Git, GitHub Actions, passwords."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from openhands_recipes.adapters.git_source import commit_of, default_ledger
from openhands_recipes.cli.settings import settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.errors import UsageError
from tests.releases import key_file


def world(root: Path) -> World:
    return World(
        settings_from(root=root, cache=root / "cache", log_format="text", verbosity=0, color="never")
    )


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *own, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "x").write_text("x")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "recipes")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_a_commit_is_named_only_if_the_recipes_are_exactly_as_in_it(project: Path) -> None:
    assert commit_of(project) == git(project, "rev-parse", "HEAD")
    (project / "other").write_text("is no recipe")
    assert commit_of(project) == git(project, "rev-parse", "HEAD")
    (project / "recipes" / "y").write_text("new")
    assert commit_of(project) == ""


def test_outside_git_there_is_no_commit_and_no_ledger(tmp_path: Path) -> None:
    assert (commit_of(tmp_path), default_ledger(tmp_path)) == ("", "")
    with pytest.raises(UsageError, match="no ledger is named"):
        world(tmp_path).ledger(None)


def test_the_ledger_is_with_the_recipes_unless_it_is_elsewhere(project: Path) -> None:
    assert Path(default_ledger(project)) == project.resolve()
    git(project, "remote", "add", "origin", "https://git.example.com/recipes")
    assert default_ledger(project) == "https://git.example.com/recipes"


def test_github_actions_is_believed_where_it_speaks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVER_URL", "REPOSITORY", "WORKFLOW_REF", "RUN_ID", "ACTOR_ID"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    quiet = world(project)
    assert (quiet.origin().builder, quiet.origin().repository, quiet.actor(None)) == ("", "", None)
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://forge.example.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "o/r/.github/workflows/publish.yml@refs/heads/main")
    monkeypatch.setenv("GITHUB_RUN_ID", "5")
    monkeypatch.setenv("GITHUB_ACTOR_ID", "1234")
    origin = quiet.origin()
    assert origin.commit == git(project, "rev-parse", "HEAD")
    assert origin.repository == "https://forge.example.com/o/r"
    assert origin.builder.endswith("/o/r/.github/workflows/publish.yml@refs/heads/main")
    assert origin.run == "https://forge.example.com/o/r/actions/runs/5/attempts/1"
    assert quiet.actor(None) == 1234
    assert quiet.actor("somebody") == "somebody"


def test_a_key_opens_with_the_password_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, _ = key_file(tmp_path, password="secret")
    for name in ("OHR_KEY_PASSWORD", "COSIGN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", (tmp_path / "ecdsa.pub").open())
    with pytest.raises(UsageError, match="encrypted"):
        world(tmp_path).signer(private, keyless=False)
    monkeypatch.setenv("OHR_KEY_PASSWORD", "secret")
    assert world(tmp_path).signer(private, keyless=False).name.startswith("key ")


def test_keyless_has_no_public_key_to_show(tmp_path: Path) -> None:
    signer = world(tmp_path).signer(None, keyless=True)
    assert signer.name == "keyless"
    assert world(tmp_path).public_keys_of(signer) == ()
