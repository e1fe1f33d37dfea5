"""`ohr gate --comment`: the comment beside the usual stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.cli.main import run_with
from tests.integration.gate.checkout import Checkout
from tests.integration.gate.registry import BOB, MALLORY


def test_a_comment_comes_with_the_usual_stages_and_names_who_may_approve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Checkout(tmp_path / "registry")
    here.write("recipes/leaf/README.md", "# Leaf\n")
    here.save("Say more")
    monkeypatch.chdir(here.folder)
    comment = tmp_path / "out" / "comment.md"
    event = str(here.event(author=MALLORY))
    options = ["--root", str(here.folder), "--cache", str(tmp_path / "cache")]
    code = run_with([*options, "gate", "--base", "main", "--event", event, "--comment", str(comment)])
    assert code == 5, capsys.readouterr()
    text = comment.read_text()
    assert "stages A B C D E F J" in text
    assert "lane **change**" in text
    assert f"`bob ({BOB})`" in text
    assert text.splitlines()[1] == "## Gate: needs a human"


def test_stage_j_alone_and_an_unknown_database_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Checkout(tmp_path / "registry")
    here.write("recipes/leaf/README.md", "# Leaf\n")
    here.save("Say more")
    monkeypatch.chdir(here.folder)
    options = ["--root", str(here.folder), "--cache", str(tmp_path / "cache"), "gate", "--base", "main"]
    assert run_with([*options, "--stage", "J"]) == 0
    assert "pass: leaf, stages J" in capsys.readouterr().out
    assert run_with([*options, "--stage", "I", "--advisories", str(tmp_path / "none")]) == 2
    assert "no such folder of advisories" in capsys.readouterr().err
