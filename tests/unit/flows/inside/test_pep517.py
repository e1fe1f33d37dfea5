"""The program that builds wheels, in this process and as a process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from openhands_recipes.flows.inside import parcel, pep517, program
from tests.local_index import backend_wheel, buildable, sdist, wheel


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A room, with everything a build changes in a process put back afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delitem(sys.modules, "tinybackend", raising=False)
    monkeypatch.chdir(tmp_path)
    room = tmp_path / "room"
    (room / "wheels").mkdir(parents=True)
    (room / "sdist").mkdir()
    return room


def furnish(
    room: Path, source: tuple[str, bytes], *wheels: tuple[str, bytes], backend: str = "tinybackend"
) -> None:
    (room / "order.json").write_text(json.dumps({"backend": backend, "backend_path": []}))
    (room / "sdist" / source[0]).write_bytes(source[1])
    for name, content in (backend_wheel(), *wheels):
        (room / "wheels" / name).write_bytes(content)


def test_a_wheel_is_built_and_commands_are_on_path(settled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    furnish(settled, buildable("demo", "1.0"))
    wanted, made = pep517.build(settled, settled=False)
    assert wanted == []
    assert made is not None
    assert zipfile.ZipFile(made).testzip() is None
    tool = settled / "environment" / "bin" / "tiny-tool"
    assert os.access(tool, os.X_OK)
    assert (
        tool.read_text()
        == f"#!{sys.executable}\nimport sys\nfrom tinybackend import main\nsys.exit(main())\n"
    )
    assert os.environ["PATH"].startswith(str(tool.parent))
    assert "the backend talks" in capsys.readouterr().out


def test_what_is_missing_is_said_unless_it_is_settled(settled: Path) -> None:
    furnish(settled, buildable("demo", "1.0", requires=["tinybackend", "Extra.Tool>=2", "other[x]"]))
    assert pep517.build(settled, settled=False) == (["Extra.Tool>=2", "other[x]"], None)


def test_projects_count_as_there_under_any_spelling(settled: Path) -> None:
    furnish(settled, buildable("demo", "1.0", requires=["Extra.Tool>=2"]), wheel("extra_tool", "3"))
    assert pep517.build(settled, settled=False)[1] is not None


def test_data_folders_of_wheels_are_spread(tmp_path: Path) -> None:
    files = {
        "tool-1.data/purelib/tool.py": "",
        "tool-1.data/platlib/native.so": "",
        "tool-1.data/scripts/run": "#!python -E\nprint()\n",
        "tool-1.data/scripts/binary": "\x7fELF",
    }
    name, content = wheel("tool", "1", files=files)
    (tmp_path / name).write_bytes(content)
    environment = tmp_path / "environment"
    pep517.unpack_wheel(tmp_path / name, environment)
    assert (environment / "tool.py").exists()
    assert (environment / "native.so").exists()
    assert (environment / "bin" / "run").read_text() == f"#!{sys.executable}\nprint()\n"
    assert (environment / "bin" / "binary").read_text() == "\x7fELF"
    assert not list(environment.glob("*.data"))


def test_sources_are_unpacked_from_both_kinds_of_archive(tmp_path: Path) -> None:
    name, content = sdist("demo", "1", {"setup.py": ""})
    (tmp_path / name).write_bytes(content)
    assert (pep517.unpack_source(tmp_path / name, tmp_path / "tar") / "setup.py").exists()
    with zipfile.ZipFile(tmp_path / "demo-1.zip", "w") as archive:
        archive.writestr("demo-1/setup.py", "")
    assert (pep517.unpack_source(tmp_path / "demo-1.zip", tmp_path / "zip") / "setup.py").exists()


def test_a_backend_may_be_an_object_within_a_module_of_the_source(settled: Path) -> None:
    (settled / "mine.py").write_text("class outer:\n    class inner:\n        x = 1\n")
    order = {"backend": "mine:outer.inner", "backend_path": ["."]}
    assert pep517.backend_of(order, settled).x == 1


def test_as_a_process_it_reads_a_parcel_and_answers_with_the_wheel(tmp_path: Path) -> None:
    source = buildable("demo", "1.0")
    name, content = backend_wheel()
    order = json.dumps({"backend": "tinybackend", "backend_path": []}).encode()
    done = subprocess.run(
        [sys.executable, "-S", "-c", program("pep517"), str(tmp_path / "room")],
        input=parcel({"order.json": order, f"sdist/{source[0]}": source[1], f"wheels/{name}": content}),
        capture_output=True,
        check=True,
    )
    head, _, body = done.stdout.partition(b"\n")
    assert json.loads(head) == {"wheel": "demo-1.0-py3-none-any.whl", "size": len(body)}
    assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
    assert b"the backend talks on standard output" in done.stderr
