"""A checkout of the small registry, for tests that use the command as people do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.integration.gate.draft import OPENED
from tests.integration.gate.registry import ALICE, registry

PERSON = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org", "-c", "core.autocrlf=false"]


class Checkout:
    """A repository with the registry on `main`, at work on the branch `change`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        for path, content in registry().items():
            self.write(path, content)
        self.save("The registry")
        self.git("checkout", "-q", "-b", "change")

    def git(self, *words: str) -> str:
        """Run Git here; what it prints."""
        done = subprocess.run(
            ["git", *PERSON, *words], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: str, content: bytes | str) -> Path:
        """Put a file into the work tree."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def save(self, message: str) -> str:
        """Commit everything, signed off; the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "-s", "-m", message)
        return self.git("rev-parse", "HEAD")

    def event(
        self, *, author: int = ALICE, head: str = "", reviews: Sequence[Mapping[str, object]] = ()
    ) -> Path:
        """The forge's event, as a file."""
        pull = {
            "number": 7,
            "created_at": OPENED,
            "user": {"id": author, "login": "somebody"},
            "head": {"sha": head or self.git("rev-parse", "HEAD"), "ref": "change"},
            "base": {"sha": self.git("rev-parse", "main")},
        }
        path = self.folder.parent / "event.json"
        path.write_text(json.dumps({"action": "opened", "pull_request": pull, "reviews": [*reviews]}))
        return path
