"""Stages G and H for real: a tiny recipe is built twice in rooms of its own, and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gate.checkout import PERSON
from tests.integration.pipeline.command import Ohr, Result

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("build")]
HEAD = """\
# yaml-language-server: $schema=../../schema/recipe.schema.json
schema: 1
name: tiny
version: {version}
summary: Something tiny
license: Apache-2.0
maintainers: [{{github: someone, id: 1}}]
packages: [passwd]
user: {{name: openhands, uid: 10001, gid: 10001}}
workdir: /workspace
command: [{command}]
tests:
  - name: it works
    run: {run}
"""
STAGES = ("--stage", "G", "--stage", "H", "--stage", "I", "--stage", "J")
BASICS = {"OHR321"}
"""The contract wants tools that something tiny does not have."""
SECRETS = ("GITHUB_TOKEN", "OHR_SIGNING_KEY", "MY_REGISTRY_PASSWORD", "SSH_AUTH_SOCK")


class Project:
    """A repository of one recipe."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.ohr = root, Ohr(root, cache)

    def git(self, *words: str) -> None:
        import subprocess  # noqa: PLC0415 - the one place

        subprocess.run(["git", *PERSON, *words], cwd=self.root, check=True, capture_output=True)

    def write(self, *, version: str = "1.0.0", command: str = "/bin/bash", run: str = "exit 0") -> None:
        path = self.root / "recipes/tiny/recipe.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD.format(version=version, command=command, run=run))
        self.ohr("lock", "tiny")

    def save(self, branch: str) -> None:
        self.git("checkout", "-q", "-B", branch)
        self.git("add", "-A")
        self.git("commit", "-q", "-s", "-m", branch)

    def gate(self, *words: str, expect: int | None = None) -> Result:
        return self.ohr("gate", "--base", "main", *words, "--format", "json", expect=expect)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("tiny"), tmp_path_factory.mktemp("cache"))
    made.git("init", "-q", "-b", "main")
    made.write()
    made.save("main")
    return made


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)


def judged(result: Result) -> tuple[set[str], dict[str, Any]]:
    document = json.loads(result.stdout)
    return {f["code"] for f in document["findings"] if f["severity"] in {"error", "human"}}, document


def test_a_recipe_is_built_twice_to_the_same_bytes_tested_and_described(
    project: Project, tmp_path: Path
) -> None:
    project.write(version="1.0.1", run="echo more")
    project.save("good")
    (project.root / "recipes/tiny/recipe.yaml").write_text("the work tree says something else\n")
    comment = tmp_path / "comment.md"
    codes, document = judged(project.gate(*STAGES, "--comment", str(comment)))
    project.git("checkout", "-q", "--", ".")
    assert codes == BASICS, document["findings"]
    assert document["stages"]["run"] == ["G", "H", "I", "J"]
    assert "G size" not in {left["stage"] for left in document["stages"]["not_run"]}
    (proven,) = document["proven"]
    assert proven["same"] is True
    assert proven["image"] == proven["again"]
    assert proven["before"]["layers"] == proven["image"]["layers"]  # only a test has changed
    held = {c["name"] for c in proven["checks"] if c["ok"]}
    assert {"it works", "/bin/bash", "processes do not run as root"} <= held
    assert "nothing can be reached without network" in held
    assert "built twice: the same bytes" in comment.read_text()
    assert not list((project.ohr.cache / "gate").glob("rooms-*"))


def test_failing_tests_and_missing_commands_are_told_and_nothing_is_left(project: Project) -> None:
    project.write(version="2.0.0", command="/usr/bin/nothing", run="exit 3")
    project.save("bad")
    codes, document = judged(project.gate("--stage", "H"))
    assert codes == {*BASICS, "OHR320", "OHR322"}, document["findings"]
    assert document["proven"][0]["same"] is None
    told = " ".join(f["message"] for f in document["findings"])
    assert "it works (exit code 3, not 0)" in told
    assert "/usr/bin/nothing (not on PATH)" in told
    assert not list((project.ohr.cache / "gate").glob("rooms-*"))


@pytest.mark.parametrize("name", SECRETS)
def test_nothing_is_executed_beside_credentials(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "something")
    refused = project.gate("--stage", "H", expect=2)
    assert refused.stdout == ""
    assert name in refused.stderr
    assert "something" not in refused.stderr
    project.gate("--stage", "I", "--stage", "J")


def test_what_cannot_be_built_is_a_finding(project: Project) -> None:
    project.write(version="1.0.1")
    (project.root / "recipes/tiny/recipe.yaml").write_text(
        HEAD.format(version="1.0.1", command="/bin/sh", run="exit 0").replace("[passwd]", "[passwd, jq]")
    )
    project.save("stale")
    codes, document = judged(project.gate("--stage", "G"))
    assert codes == {"OHR311"}, document["findings"]


def test_a_base_that_cannot_be_built_any_more_is_told_and_stops_nothing(project: Project) -> None:
    project.git("checkout", "-q", "-B", "old", "main")
    project.git("rm", "-q", "recipes/tiny/recipe.lock.json")
    project.git("commit", "-q", "-s", "-m", "old")
    project.write(version="1.0.1")
    project.save("mended")
    result = project.ohr("gate", "--base", "old", "--stage", "G", "--format", "json", expect=None)
    codes, document = judged(result)
    assert codes == set()
    assert {"stage": "G size", "reason": "the base's image of 'tiny' cannot be built any more"} in document[
        "stages"
    ]["not_run"]
