"""An apt with lists, state and configuration of its own; it is asked what it would do, and told no."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

CONFIGURATION = """
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc "{folder}/etc";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Solver "internal";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
"""


class PrivateApt:
    """One apt over some sources (deb822) and some installed packages."""

    def __init__(self, folder: Path, sources: str) -> None:
        if not shutil.which("apt-get"):
            pytest.skip("this machine lacks apt-get")
        self.folder = folder
        for name in ("etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d", "state/lists/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        (folder / "etc/sources.list.d/test.sources").write_text(sources)
        (folder / "apt.conf").write_text(CONFIGURATION.format(folder=folder))
        self.install([])

    def install(self, stanzas: Iterable[str]) -> None:
        """These packages, and no others, are installed."""
        text = "\n".join(f"{stanza.rstrip()}\nStatus: install ok installed\n" for stanza in stanzas)
        (self.folder / "status").write_text(text)

    def update(self) -> None:
        done = self._run("update", "-q")
        assert done.returncode == 0, done.stderr

    def packages_file(self, suite: str) -> bytes:
        """The list apt itself has downloaded."""
        (found,) = (self.folder / "state/lists").glob(f"*_dists_{suite}_main_binary-amd64_Packages")
        return found.read_bytes()

    def would_install(self, names: Sequence[str]) -> dict[str, str] | None:
        """Name -> version of what `apt-get install --no-install-recommends` adds; None if it refuses."""
        asked = ("install", "--no-install-recommends", "--verbose-versions", "--assume-no")
        done = self._run(*asked, "-oDebug::NoLocking=true", *names)
        summary = re.search(
            r"^(\d+) upgraded, (\d+) newly installed, (\d+) to remove", done.stdout, re.MULTILINE
        )
        if not summary:
            assert re.search(
                r"unmet dependencies|no installation candidate|broken packages", done.stdout + done.stderr
            )
            return None
        listed = re.search(r"NEW packages will be installed:\n((?:   .*\n)+)", done.stdout)
        added = dict(re.findall(r"   (\S+) \((\S+)\)\n", listed[1])) if listed else {}
        assert summary.groups() == ("0", str(len(added)), "0"), "something is upgraded or removed"
        return added

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "APT_CONFIG": str(self.folder / "apt.conf"),
            "LC_ALL": "C",
            "COLUMNS": "80",
        }
        return subprocess.run(
            ["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False
        )
