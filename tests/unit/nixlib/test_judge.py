"""nixlib/judge.py judges inside Nix what `ohr test` judges in a sandbox: both have to say the same."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openhands_recipes.compile.verdict import judge as verdict_of
from openhands_recipes.model.proof import OutputCheck, TestCase
from openhands_recipes.ports import Completed
from tests.recipe_texts import TREE

FILE = TREE / "nixlib" / "judge.py"
TEXTS = st.text(alphabet="ab\n^.é", max_size=8)


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("judge", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


JUDGE = load()


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return bool(text)


@given(
    kind=st.sampled_from(["equals", "contains", "matches"]),
    wanted=TEXTS.filter(_is_pattern),
    text=TEXTS,
)
@example(kind="matches", wanted="^b$", text="a\nb\n")
@example(kind="equals", wanted="a\n", text="a")
@example(kind="equals", wanted="a", text="a\n\n")
def test_it_agrees_with_the_toolkit_on_every_output(kind: str, wanted: str, text: str) -> None:
    test = TestCase(name="x", run="x", stdout=OutputCheck.model_validate({kind: wanted}))
    done = Completed(exit_code=0, stdout=text.encode(), stderr=b"", seconds=0.0, timed_out=False)
    ours = [f"stdout {reason}" for reason in JUDGE.mismatches({kind: wanted}, text)]
    assert "; ".join(ours) == verdict_of(test, done).reason


def judge(folder: Path, exports: str = "", **test: Any) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash is not None
    (folder / "exports").write_text(exports)
    (folder / "case").write_text(json.dumps({"name": "a test"} | test))
    command = [sys.executable, "-I", str(FILE), bash, str(folder / "exports"), str(folder / "case")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_test_that_does_as_promised_passes(tmp_path: Path) -> None:
    done = judge(
        tmp_path,
        exports="export ONE=1\n",
        run="echo out $ONE; echo err >&2; exit 3",
        exit_code=3,
        stdout={"equals": "out 1"},
        stderr={"contains": "err"},
        timeout=10,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a test: passed\n", "")


def test_a_test_that_does_not_says_everything_that_is_wrong_and_what_it_printed(tmp_path: Path) -> None:
    done = judge(
        tmp_path, run="echo out; echo err >&2; false", stdout={"matches": "^x$"}, stderr={"equals": "e"}
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "a test: exit code 1, not 0; stdout does not match '^x$'; stderr is not 'e'",
        "--- stdout",
        "out",
        "--- stderr",
        "err",
    ]


def test_a_test_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    done = judge(tmp_path, run=f"(sleep 3; touch {mark}) & sleep 60", timeout=1)
    assert done.returncode == 1
    assert done.stderr.startswith("a test: no end after 1 s")
    subprocess.run(["sleep", "3"], check=True)
    assert not mark.exists()


def test_a_test_starts_in_an_empty_folder_with_a_home_and_stops_at_the_first_fault(tmp_path: Path) -> None:
    alone = 'test -z "$(ls -A)" && touch "$HOME/x" && test -z "${PYTHONPATH:-}"'
    assert judge(tmp_path, run=alone).returncode == 0
    assert judge(tmp_path, run="false; true").returncode == 1
    assert judge(tmp_path, run="echo $nowhere").returncode == 1
    assert judge(tmp_path, run="false | true").returncode == 1


@pytest.mark.parametrize("name", ["OHR_SECRET", "NIX_BUILD_TOP"])
def test_what_stands_around_the_build_is_not_seen(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "seen")
    assert judge(tmp_path, run=f'test -z "${{{name}:-}}"').returncode == 0
