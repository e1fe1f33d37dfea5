"""What Git says of the folder the recipes come from."""

from __future__ import annotations

from pathlib import Path

from openhands_recipes.adapters.git_run import Git
from openhands_recipes.errors import LedgerError


def commit_of(root: Path) -> str:
    """The commit that `recipes/` and `nixlib/` are exactly as in; empty if they are not, or without Git."""
    git = Git(root)
    try:
        changed = git.output("status", "--porcelain", "--untracked-files=all", "--", "recipes", "nixlib")
        return "" if changed.strip() else git.output("rev-parse", "--verify", "HEAD").decode().strip()
    except LedgerError:
        return ""


def default_ledger(root: Path) -> str:
    """Whose branch is the ledger unless another is named: `origin`, else this repository; else empty."""
    git = Git(root)
    try:
        top = git.output("rev-parse", "--show-toplevel").decode().strip()
    except LedgerError:
        return ""
    remote = git.run("remote", "get-url", "origin")
    return remote.stdout.decode().strip() if remote.returncode == 0 else top
