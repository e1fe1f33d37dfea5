"""Settings: what the command line and the environment decide for one run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LogFormat = Literal["text", "json"]
Color = Literal["auto", "always", "never"]

APP = "openhands-recipes"


@dataclass(frozen=True)
class Settings:
    """Where things lie and how to talk; everything a run may be told from outside."""

    root: Path
    """The folder that holds `recipes/`."""
    cache: Path | None
    """None: where the cache usually is."""
    state: Path
    log_format: LogFormat = "text"
    verbosity: int = 0
    """-1 quiet, 0 normal, 1 and more: tell what happens."""
    color: bool | None = None
    """None: only on a terminal."""

    @property
    def evidence(self) -> Path:
        """The ledger of evidence."""
        return self.state / "evidence.jsonl"


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds `recipes/`, else `start` itself."""
    for folder in (start, *start.parents):
        if (folder / "recipes").is_dir():
            return folder
    return start


def state_folder(environment: Mapping[str, str]) -> Path:
    """$OHR_STATE, else the user's state folder (XDG base directory specification)."""
    if own := environment.get("OHR_STATE"):
        return Path(own).expanduser().absolute()
    base = Path(environment.get("XDG_STATE_HOME") or "")  # the specification: ignore a relative path
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / APP


def color_choice(color: Color, environment: Mapping[str, str]) -> bool | None:
    """Whether to colour; None leaves it to whether there is a terminal (no-color.org)."""
    if color == "auto":
        return False if environment.get("NO_COLOR") else None
    return color == "always"


def settings_from(
    *, root: Path | None, cache: Path | None, log_format: LogFormat, verbosity: int, color: Color
) -> Settings:
    """Settings of this run: options first, then the environment, then what is usual."""
    return Settings(
        root=root.absolute() if root else find_root(Path.cwd()),
        cache=cache.absolute() if cache else None,
        state=state_folder(os.environ),
        log_format=log_format,
        verbosity=verbosity,
        color=color_choice(color, os.environ),
    )
