"""`ohr gate` as people and CI run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sarif_pydantic import Sarif

from openhands_recipes.cli.main import run_with
from openhands_recipes.cli.world import World
from tests.integration.gate.checkout import Checkout
from tests.integration.gate.registry import ALICE, BOB, GATE, MALLORY, RECIPES, TREE
from tests.release_records import record
from tests.releases import MemoryLedger

LEAF = "recipes/leaf/recipe.yaml"
README = "recipes/leaf/README.md"
OWN = sorted(path.parent.name for path in (TREE / "recipes").glob("*/recipe.yaml"))


@pytest.fixture
def here(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "registry")


class Ran:
    """What a run of the command left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


RunGate = Callable[..., Ran]
"""Runs `ohr gate --base main` with more words."""


@pytest.fixture
def ohr_gate(here: Checkout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunGate:
    def run(*words: str) -> Ran:
        monkeypatch.chdir(here.folder)
        capsys.readouterr()
        cache = str(here.folder.parent / "cache")
        code = run_with(["--root", str(here.folder), "--cache", cache, "gate", "--base", "main", *words])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run


def test_a_good_pull_request_passes_with_exit_code_0(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "# Leaf\n")
    here.save("Say more")
    ran = ohr_gate("--event", str(here.event()))
    assert ran.code == 0, ran.out
    assert "pass: leaf, stages ABCDEF" in ran.out
    assert "lane: update" in ran.out


def test_people_who_must_agree_are_named_with_exit_code_5(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "# Leaf\n")
    here.save("Say more")
    ran = ohr_gate("--event", str(here.event(author=MALLORY)))
    assert ran.code == 5
    assert "needs a human[OHR372]" in ran.out
    assert "docs/errors/OHR372.md" in ran.out
    assert f"may approve: {ALICE}, {BOB}" in ran.err


def test_a_later_dismissal_takes_an_approval_back(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "# Leaf\n")
    head = here.save("Say more")
    words = [
        {"user": {"id": ALICE}, "state": state, "commit_id": head} for state in ("APPROVED", "COMMENTED")
    ]
    assert ohr_gate("--event", str(here.event(author=MALLORY, reviews=words))).code == 0
    words.append({"user": {"id": ALICE}, "state": "DISMISSED", "commit_id": head})
    assert ohr_gate("--event", str(here.event(author=MALLORY, reviews=words))).code == 5


def test_a_faulty_one_fails_with_exit_code_1_and_every_fault_in_json(
    here: Checkout, ohr_gate: RunGate
) -> None:
    here.write(README, "one\r\ntwo")
    head = here.save("Break it")
    ran = ohr_gate("--format", "json", "--event", str(here.event()))
    document = ran.document()
    assert ran.code == 1
    assert document["schema"] == 1
    assert document["verdict"] == "fail"
    assert document["head"] == head
    assert document["base"] == here.git("rev-parse", "main")
    findings = document["findings"]
    assert isinstance(findings, list)
    assert [(f["code"], f["file"], f["line"], f["fixable"]) for f in findings] == [
        ("OHR209", README, 1, True),
        ("OHR216", README, 2, True),
    ]
    assert document["stages"]["run"] == list("ABCDEF")
    assert document["stages"]["not_run"][0]["stage"] == "D online"


def test_sarif_is_sarif_with_a_rule_and_a_place_for_each_result(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "one\r\ntwo\u202e\n")
    here.save("Break it")
    ran = ohr_gate("--format", "sarif", "--event", str(here.event()))
    log = Sarif.model_validate_json(ran.out)
    assert log.version == "2.1.0"
    results = log.runs[0].results or []
    assert sorted(result.rule_id or "" for result in results) == ["OHR206", "OHR209"]
    rules = [rule.id for rule in log.runs[0].tool.driver.rules or []]
    assert all(rules[result.rule_index or 0] == result.rule_id for result in results)
    assert ran.document()["runs"][0]["properties"]["verdict"] == "fail"


def test_annotations_are_single_lines_whatever_a_path_says(here: Checkout, ohr_gate: RunGate) -> None:
    here.write("recipes/leaf/a\n::error::b.md", "x\n")
    here.save("Break it")
    ran = ohr_gate("--format", "github", "--event", str(here.event()))
    assert all(line.startswith("::") for line in ran.out.splitlines())
    assert "::error file=recipes/leaf/a%255Cn" in ran.out or "::error file=recipes/leaf/a\\n" in ran.out
    assert not any(line.startswith("::error::b") for line in ran.out.splitlines())


def test_the_work_tree_is_never_looked_at(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "# Leaf\n")
    here.save("Say more")
    event = str(here.event())
    for path in (here.folder / "recipes").rglob("recipe.*"):
        path.write_text("not what was committed")
    (here.folder / "OWNERS").unlink()
    assert ohr_gate("--event", event).code == 0


def test_a_pull_request_cannot_lift_its_own_fault(here: Checkout, ohr_gate: RunGate) -> None:
    skip = '  - {rule: OHR243, path: "**", reason: "mine", expires: 2099-01-01, by: 1001}\n'
    here.write("recipes/gate.yaml", GATE + skip)
    here.write(LEAF, RECIPES["leaf"].partition("tests:")[0].replace("1.0.0", "1.0.1"))
    here.save("Loosen it")
    ran = ohr_gate("--event", str(here.event()))
    assert ran.code == 1
    assert "error[OHR243]" in ran.out
    assert "error[OHR201]" in ran.out


def test_fix_mends_what_has_one_meaning_and_the_next_run_is_content(
    here: Checkout, ohr_gate: RunGate
) -> None:
    lines = RECIPES["leaf"].splitlines()[1:]
    moved = [line for line in lines if not line.startswith("packages:")] + [
        "# what it has",
        "packages: [git, jq]",
    ]
    path = here.write(LEAF, "\r\n".join(moved))
    path.chmod(0o755)
    here.save("Make a mess")
    ran = ohr_gate("--fix", "--event", str(here.event()))
    assert ran.code == 1
    assert f"mended: {LEAF}; judge again after committing" in ran.out
    text = path.read_text()
    assert text == RECIPES["leaf"].replace("packages:", "# what it has\npackages:")
    assert not path.stat().st_mode & 0o111
    here.save("Mend it")
    assert ohr_gate("--event", str(here.event())).code == 0


def test_fix_leaves_what_is_not_committed_alone(here: Checkout, ohr_gate: RunGate) -> None:
    path = here.write(README, "one\r\n")
    here.save("Windows")
    path.write_text("my unsaved work\r\n", newline="")
    ran = ohr_gate("--fix")
    assert "mended" not in ran.out
    assert path.read_bytes() == b"my unsaved work\r\n"


def test_fix_refuses_when_something_else_is_checked_out(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "one\r\n")
    here.save("Windows")
    here.git("checkout", "-q", "main")
    ran = ohr_gate("--fix", "--head", "change")
    assert ran.code == 2
    assert "not at the judged commit" in ran.err


def test_named_stages_alone_run_and_people_are_not_judged(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "one\r\n")
    here.save("Windows")
    assert ohr_gate("--stage", "C").code == 0
    ran = ohr_gate("--stage", "A", "--format", "json")
    assert ran.code == 1
    assert ran.document()["lane"] is None
    assert [left["stage"] for left in ran.document()["stages"]["not_run"]] == list("BCDEFGHIJ")


def test_an_event_of_another_commit_is_no_proof(here: Checkout, ohr_gate: RunGate) -> None:
    here.write(README, "# Leaf\n")
    here.save("Say more")
    ran = ohr_gate("--event", str(here.event(head="a" * 40)))
    assert ran.code == 1
    assert "error[OHR371]" in ran.out


def test_what_cannot_be_asked_is_told_with_exit_code_2(
    here: Checkout, ohr_gate: RunGate, tmp_path: Path
) -> None:
    here.write(README, "# Leaf\n")
    here.save("Say more")
    unknown = ohr_gate("--head", "no-such-branch")
    assert unknown.code == 2
    assert "git fetch" in unknown.err
    event = tmp_path / "bad.json"
    event.write_text('{"pull_request": {"number": 0}}')
    malformed = ohr_gate("--event", str(event))
    assert malformed.code == 2
    assert "pull_request.number" in malformed.err
    assert ohr_gate("--event", str(tmp_path / "missing.json")).code == 2


def test_a_state_file_says_what_was_withdrawn(here: Checkout, ohr_gate: RunGate, tmp_path: Path) -> None:
    here.write(README, "# Leaf\n")
    here.save("Say more")
    states = tmp_path / "states.json"
    states.write_text(json.dumps({"states": {"base@1.0.0": {"name": "yanked", "reason": "broken"}}}))
    ran = ohr_gate("--states", str(states), "--event", str(here.event()))
    assert "error[OHR304]: 'leaf' builds on base 1.0.0, which is yanked: broken" in ran.out
    states.write_text('{"states": {"base@1.0.0": {"name": "gone"}}}')
    assert ohr_gate("--states", str(states)).code == 1


def test_outside_a_repository_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["--root", str(tmp_path), "--cache", str(tmp_path / "c"), "gate", "--base", "main"]) == 2
    assert "no Git repository" in capsys.readouterr().err


def test_the_registrys_own_recipes_pass_their_own_gate(here: Checkout, ohr_gate: RunGate) -> None:
    here.git("checkout", "-q", "main")
    for path in sorted((TREE / "recipes").rglob("*")):
        if path.is_file() and path.parent.name in OWN:
            here.write(path.relative_to(TREE).as_posix(), path.read_bytes())
    for file in ("recipes/gate.yaml", "recipes/ratchet.yaml", "OWNERS"):
        here.write(file, (TREE / file).read_bytes())
    here.git("rm", "-rq", *(f"recipes/{name}" for name in RECIPES if name not in OWN))
    here.save("This registry")
    here.git("checkout", "-q", "-B", "change")
    for name in OWN:
        path = here.folder / "recipes" / name / "recipe.yaml"
        here.write(f"recipes/{name}/README.md", f"# {name}\n")
        assert path.is_file()
    here.save("Say more about all of them")
    document = ohr_gate("--format", "json").document()
    found = {(f["code"], f["file"]) for f in document["findings"] if f["severity"] == "error"}
    assert found == {("OHR200", "")}, found
    assert {f["code"] for f in document["tolerated"]} <= {"OHR240"}


def test_a_ledger_says_what_was_published_and_withdrawn(
    here: Checkout, ohr_gate: RunGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    yanked = record("1.0.0", 2, name="base", state="yanked", reason="broken")
    ledger = MemoryLedger([record("1.0.0", 1, name="base"), yanked])
    monkeypatch.setattr(World, "ledger", lambda _world, place: {"somewhere#ledger": ledger}[place])
    here.write(README, "# Leaf\n")
    here.save("Say more")
    ran = ohr_gate("--ledger", "somewhere#ledger", "--event", str(here.event()))
    assert "error[OHR304]: 'leaf' builds on base 1.0.0, which is yanked: broken" in ran.out
