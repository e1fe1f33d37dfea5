"""`ohr index` and its readers as people use them, on a ledger in a real Git repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from openhands_recipes.adapters.clock import SystemClock
from openhands_recipes.adapters.git_ledger import GitLedger
from openhands_recipes.cli.main import run_with
from openhands_recipes.publish.verify import unverified_change
from tests.indexes import released

TREE = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    shutil.copy(TREE / "recipes" / "registry.yaml", tmp_path / "recipes")
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "ledger.git"], check=True)
    return tmp_path


def ohr(project: Path, *arguments: str) -> int:
    return run_with(["--root", str(project), "--cache", str(project / "cache"), *arguments])


def release(project: Path, *names: str) -> None:
    ledger = GitLedger(
        str(project / "ledger.git"), "ledger", cache=project / "ledgers", clock=SystemClock(),
        read_change=unverified_change,
    )  # fmt: skip
    ledger.append([released(name, "1.0.0") for name in names], expected=ledger.head(), reason="test")


def test_an_index_is_begun_filled_verified_and_read(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = ("--index", str(project / "site"))
    keys = ("--keys", str(project / "keys"))
    assert (
        ohr(project, "index", "init", *index, *keys, "--bins", "16", "--images", "127.0.0.1:5000/team") == 0
    )
    told = capsys.readouterr()
    assert "3 of root (2 must sign)" in told.out
    assert "move" in told.err
    assert {p.stat().st_mode & 0o777 for p in (project / "keys").rglob("*.pem")} == {0o600}
    assert ohr(project, "index", "init", *index, *keys) == 2
    release(project, "python", "node")
    ledger = ("--ledger", str(project / "ledger.git"))
    assert ohr(project, "index", "add", *index, *keys, *ledger) == 0
    assert "2 recipes changed; 2 recipes, 2 releases" in capsys.readouterr().out
    release(project, "go")
    assert ohr(project, "index", "add", *index, *keys, *ledger, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["changed"] == ["go"]
    assert ohr(project, "index", "add", *index, *keys, *ledger) == 0
    assert "0 recipes changed; 3 recipes" in capsys.readouterr().out
    assert ohr(project, "index", "verify", *index, "--max-age", "12", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["releases"] == 3
    assert ohr(project, "index", "rotate-keys", "timestamp", *index, *keys) == 0
    assert ohr(project, "index", "sign-timestamp", *index, "--keys", str(project / "keys" / "online")) == 0
    shutil.copy(project / "site" / "metadata" / "1.root.json", project / "recipes" / "root.json")
    settings = project / "recipes" / "registry.yaml"
    settings.write_text(settings.read_text() + "index: {url: ../site, root: root.json}\n")
    capsys.readouterr()
    assert ohr(project, "search", "tools") == 0
    assert "Tools for python" in capsys.readouterr().out
    assert ohr(project, "info", "go") == 0
    assert "go 1.0.0-r1" in capsys.readouterr().out
    assert ohr(project, "info", "go", "--offline") == 0


def test_what_is_missing_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ohr(project, "info", "python") == 2
    assert "OHR445" in capsys.readouterr().err
    assert ohr(project, "info", "python", "--index", str(project)) == 2
    assert "OHR438" in capsys.readouterr().err
    assert ohr(project, "info", "python", "--index", str(project), "--index-root", str(project / "none")) == 2
    assert "OHR438" in capsys.readouterr().err
    assert ohr(project, "index", "verify", "--index", str(project / "none")) == 2
    assert "ohr index init" in capsys.readouterr().err
    assert ohr(project, "search") == 2


def test_encrypted_keys_open_with_their_passphrase_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index = ("--index", str(project / "site"))
    keys = ("--keys", str(project / "keys"))
    monkeypatch.setenv("OHR_INDEX_PASSPHRASE", "secret")
    assert ohr(project, "index", "init", *index, *keys, "--bins", "16") == 0
    assert all(b"ENCRYPTED" in path.read_bytes() for path in (project / "keys").rglob("*.pem"))
    assert ohr(project, "index", "sign-timestamp", *index, *keys) == 0
    monkeypatch.setenv("OHR_INDEX_PASSPHRASE", "wrong")
    capsys.readouterr()
    assert ohr(project, "index", "sign-timestamp", *index, *keys) == 2
    assert "OHR447" in capsys.readouterr().err


def test_an_old_timestamp_raises_the_alarm(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = ("--index", str(project / "site"))
    assert ohr(project, "index", "init", *index, "--keys", str(project / "keys"), "--bins", "16") == 0
    assert ohr(project, "index", "verify", *index, "--max-age", "0") == 4
    assert "hours old" in capsys.readouterr().err
    (project / "site" / "metadata" / "1.snapshot.json").unlink()
    (project / "site" / "metadata" / "2.snapshot.json").write_bytes(b"{}")
    assert ohr(project, "index", "verify", *index) == 4
    assert "OHR449" in capsys.readouterr().err
