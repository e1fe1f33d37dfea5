"""Programs that run inside the sandbox, by the image's own Python; they import nothing of ours."""

from __future__ import annotations

from importlib import resources


def program(name: str) -> str:
    """The text of one of them."""
    return resources.files(__name__).joinpath(f"{name}.py").read_text(encoding="utf-8")
