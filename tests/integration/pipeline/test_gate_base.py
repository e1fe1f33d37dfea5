"""The gate over a real recipe of the library: nothing to complain about."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.integration.gate.checkout import PERSON
from tests.integration.gate.test_proving import SECRETS
from tests.integration.pipeline.command import Ohr

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.slow, pytest.mark.xdist_group("build")]
STAGES = ("--stage", "G", "--stage", "H", "--stage", "I", "--stage", "J")


def test_base_is_built_twice_to_the_same_bytes_and_keeps_the_contract(
    ohr: Ohr, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)

    def git(*words: str) -> None:
        subprocess.run(["git", *PERSON, *words], cwd=ohr.root, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "The library")
    git("checkout", "-q", "-b", "change")
    path = ohr.root / "recipes/base/recipe.yaml"
    old, new = (
        "  - name: sudo needs",
        "  - name: words are counted\n    run: echo a b | wc -w\n  - name: sudo needs",
    )
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    ohr("lock", "base")
    git("commit", "-q", "-s", "-a", "-m", "Prove more")
    document = json.loads(ohr("gate", "--base", "main", *STAGES, "--format", "json").stdout)
    assert document["verdict"] == "pass", document["findings"]
    (proven,) = document["proven"]
    assert proven["same"] is True
    assert all(check["ok"] for check in proven["checks"])
    assert proven["before"]["layers"][:3] == proven["image"]["layers"][:3]
