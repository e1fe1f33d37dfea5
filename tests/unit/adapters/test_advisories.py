"""Advisories are found by the packages they name, in files and archives."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from openhands_recipes.adapters.advisories import AdvisoryFolder
from openhands_recipes.errors import UsageError


def text(id_: str, name: str) -> str:
    return json.dumps({"id": id_, "affected": [{"package": {"ecosystem": "PyPI", "name": name}}]})


def test_files_at_any_depth_and_archives_are_read_and_others_left(tmp_path: Path) -> None:
    (tmp_path / "pypi").mkdir()
    (tmp_path / "pypi" / "A.json").write_text(text("A", "My_Tool"))
    (tmp_path / "B.json").write_text(text("B", "other"))
    (tmp_path / "README.md").write_text(text("C", "my-tool"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("D.json", text("D", "my.tool"))
        archive.writestr("E.json", text("E", "my.tools"))
        archive.writestr("F.txt", text("F", "my-tool"))
    found = dict(AdvisoryFolder(tmp_path).about(["my-tool"]))
    assert list(found) == ["all.zip/D.json", "pypi/A.json"]
    assert json.loads(found["all.zip/D.json"])["id"] == "D"


def test_a_missing_folder_and_a_broken_archive_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        list(AdvisoryFolder(tmp_path / "no").about(["x"]))
    (tmp_path / "all.zip").write_bytes(b"no archive")
    with pytest.raises(UsageError, match="not a zip archive"):
        list(AdvisoryFolder(tmp_path).about(["x"]))
