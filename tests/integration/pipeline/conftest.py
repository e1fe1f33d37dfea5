"""A project of our own recipes, locked for what the mirror has today, and one cache for all tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.pipeline.command import Ohr

TREE = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def ohr(tmp_path_factory: pytest.TempPathFactory) -> Ohr:
    """The command on a copy of the library; locks are made anew only when the mirror moved on."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("recipes", "nixlib", "schema"):
        shutil.copytree(TREE / folder, root / folder)
    command = Ohr(root, tmp_path_factory.mktemp("cache"))
    first = command("build", "base", expect=None)
    if first.exit_code in (1, 3):
        command("lock", "--update", "base", "openhands-agent", "python", "node")
    return command
