"""Names of what recipes ask other registries for."""

from __future__ import annotations

import re

NAME = re.compile(r"(?P<name>@?[A-Za-z0-9][A-Za-z0-9._~/-]*)")


def requirement_name(text: str) -> str:
    """The project a Python (PEP 508) or npm requirement names, markers kept apart by their text."""
    match = NAME.match(text.strip())
    name = match["name"].lower() if match else text
    _, semicolon, marker = text.partition(";")
    return f"{name};{marker.strip()}" if semicolon else name
