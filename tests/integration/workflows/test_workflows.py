"""The workflows, by the tools that know their traps, and what their scripts do to a real repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LACKS

TREE = Path(__file__).parents[3]
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
OHR = Path(sys.executable).with_name("ohr")


def call(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def actionlint() -> Path:
    """Built with Go, once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openhands-recipes-tools"
    program = cache / ACTIONLINT.rpartition("@")[2] / "actionlint"
    if not program.exists():
        if not shutil.which("go"):
            pytest.skip(f"{LACKS}Go to build actionlint with")
        call("go", "install", ACTIONLINT, cwd=TREE.parent, GOBIN=str(program.parent))
    return program


def test_actionlint_finds_no_fault(actionlint: Path) -> None:
    call(actionlint, "-no-color", cwd=TREE)


def test_actionlint_would_find_one(actionlint: Path, tmp_path: Path) -> None:
    faulty = tmp_path / ".github" / "workflows" / "faulty.yml"
    faulty.parent.mkdir(parents=True)
    text = (TREE / ".github" / "workflows" / "gate.yml").read_text()
    faulty.write_text(text.replace("github.event.pull_request.base.sha", "github.evnt.base", 1))
    done = subprocess.run([actionlint, str(faulty)], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 1
    assert b'"evnt"' in done.stdout


def test_zizmor_finds_no_fault() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    call(zizmor, "--offline", "--pedantic", "--min-severity", "low", ".github/workflows", cwd=TREE)


# --- the branch `index` ---------------------------------------------------------------------------------


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    """A repository with an empty index on its branch, as `ohr index init` makes it; keys beside it."""
    forge = tmp_path / "forge.git"
    call("git", "init", "-q", "--bare", forge, cwd=tmp_path)
    site, keys = tmp_path / "site", tmp_path / "keys"
    call(OHR, "index", "init", "--index", site, "--keys", keys, "--bins", "16", cwd=TREE)
    call("git", "init", "-q", "-b", "index", cwd=site)
    call("git", "add", ".", cwd=site)
    call("git", *AUTHOR, "commit", "-qm", "empty", cwd=site)
    call("git", "push", "-q", forge, "index", cwd=site)
    return forge


AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def test_the_timestamp_is_signed_on_the_branch_with_the_timestamp_key_alone(
    forge: Path, tmp_path: Path
) -> None:
    runner = tmp_path / "runner"
    (runner / "keys" / "online").mkdir(parents=True)
    shutil.copy(tmp_path / "keys" / "online" / "timestamp-1.pem", runner / "keys" / "online")
    before = call("git", "show", "index:metadata/timestamp.json", cwd=forge)
    path = f"{OHR.parent}:{os.environ['PATH']}"
    script = TREE / ".ci" / "index-branch"
    call(script, "sign-timestamp", cwd=tmp_path, RUNNER_TEMP=str(runner), ORIGIN=str(forge), PATH=path)
    after = call("git", "show", "index:metadata/timestamp.json", cwd=forge)
    assert before != after
    changed = call("git", "diff", "--name-only", "index~1", "index", cwd=forge).split()
    assert changed == ["metadata/timestamp.json"]
