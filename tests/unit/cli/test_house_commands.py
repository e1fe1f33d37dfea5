"""`ohr doctor` and `ohr cache`, from the command line to the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_recipes.cli.main import run_with
from openhands_recipes.cli.world import World
from openhands_recipes.flows.doctor import Check
from openhands_recipes.ports import Ability


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """The machine is what a test says it is."""
    checks: list[Check] = []
    monkeypatch.setattr(World, "checks", lambda _: tuple(checks))
    return checks


def check(name: str, *, ok: bool, needed: bool) -> Check:
    return Check(
        name, lambda: [Ability(name, ok=ok, detail="as it is", hint="" if ok else "mend it")], needed
    )


def test_doctor_tells_each_finding_and_how_to_mend_it(
    machine: list[Check], capsys: pytest.CaptureFixture[str]
) -> None:
    machine += [check("python", ok=True, needed=True), check("docker", ok=False, needed=False)]
    assert run_with(["doctor"]) == 0
    assert capsys.readouterr().out == (
        "ok    python  as it is\n"
        "warn  docker  as it is\n"
        "              hint: mend it\n"
    )  # fmt: skip


def test_doctor_fails_where_no_image_can_be_built(
    machine: list[Check], capsys: pytest.CaptureFixture[str]
) -> None:
    machine.append(check("sandbox", ok=False, needed=True))
    assert run_with(["doctor"]) == 3
    assert "images cannot be built on this machine: sandbox" in capsys.readouterr().err


def test_doctor_speaks_json(machine: list[Check], capsys: pytest.CaptureFixture[str]) -> None:
    machine.append(check("python", ok=True, needed=True))
    assert run_with(["doctor", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "can_build": True,
        "findings": [{"name": "python", "state": "ok", "detail": "as it is", "hint": ""}],
    }


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "blobs" / "sha256" / "x").write_bytes(b"x" * 100_000)
    return tmp_path


def test_cache_info_tells_what_lies_where(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["--cache", str(cache), "cache", "info"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["area", "files", "size", "holds"]
    assert out[1].split()[:2] == ["blobs", "1"]
    assert out[-1].endswith(f"in {cache}")


def test_cache_info_speaks_json(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["--cache", str(cache), "cache", "info", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["root"], told["areas"][0]["name"]) == (1, str(cache), "blobs")


def test_an_empty_cache_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["--cache", str(tmp_path / "none"), "cache", "info"]) == 0
    assert capsys.readouterr().out == f"0 B in {tmp_path / 'none'}\n"


def test_cache_clean_removes_everything(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["--cache", str(cache), "cache", "clean"]) == 0
    assert "removed, 0 B left" in capsys.readouterr().out
    assert not (cache / "blobs").exists()


def test_cache_clean_keeps_what_was_used(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["--cache", str(cache), "cache", "clean", "--unused", "1"]) == 0
    assert "0 B removed" in capsys.readouterr().out
    assert (cache / "blobs" / "sha256" / "x").exists()
