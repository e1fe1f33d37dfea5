"""How a verdict is printed."""

from __future__ import annotations

from typing import Literal

from openhands_recipes.model.gate import Verdict
from openhands_recipes.publish.gate.reports import as_annotations, as_json, as_text
from openhands_recipes.publish.gate.sarif import as_sarif

Format = Literal["text", "json", "sarif", "github"]


def render(verdict: Verdict, form: Format, *, tool_version: str) -> str:
    """The verdict for people, for programs, for code scanning, or as GitHub annotations."""
    match form:
        case "text":
            return as_text(verdict)
        case "json":
            return as_json(verdict)
        case "sarif":
            return as_sarif(verdict, tool_version=tool_version)
        case "github":
            return as_annotations(verdict)
