"""A skipped integration test must not look like a pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"
SETTINGS = """\
[pytest]
markers =
    sandbox: x
    docker: x
    online: x
    xdist_group: x
"""
TESTS = """\
import pytest

def test_that_runs():
    pass

@pytest.mark.skip(reason="this machine lacks a frobnicator")
def test_the_machine_lacks_something():
    pass

@pytest.mark.skip(reason="not today")
def test_left_out():
    pass
"""


def run(folder: Path, where: str, *options: str, text: str = TESTS) -> subprocess.CompletedProcess[str]:
    (folder / "tests" / where).mkdir(parents=True)
    (folder / "tests" / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "tests" / where / "test_some.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    return subprocess.run([*command, *options], cwd=folder, check=False, capture_output=True, text=True)


def test_a_test_left_out_fails_the_run_and_what_the_machine_lacks_is_reported(tmp_path: Path) -> None:
    done = run(tmp_path, "integration", "--strict-skips", "-n", "1")
    assert done.returncode == 1
    assert "1 passed, 1 skipped, 1 error" in done.stdout
    assert "a skip would look like a pass: not today" in done.stdout
    assert json.loads((tmp_path / "reports" / "skips.json").read_text()) == [
        {
            "test": "tests/integration/test_some.py::test_the_machine_lacks_something",
            "reason": "this machine lacks a frobnicator",
        }
    ]


def test_a_whole_module_left_out_fails_the_run(tmp_path: Path) -> None:
    text = 'import pytest\npytest.importorskip("no_such_module")\n'
    done = run(tmp_path, "integration", "--strict-skips", text=text)
    assert done.returncode != 0
    assert "a skip would look like a pass" in done.stdout


@pytest.mark.parametrize(("where", "options"), [("unit", ["--strict-skips"]), ("integration", [])])
def test_elsewhere_a_skip_is_a_skip(where: str, options: list[str], tmp_path: Path) -> None:
    done = run(tmp_path, where, *options)
    assert done.returncode == 0
    assert "1 passed, 2 skipped" in done.stdout
