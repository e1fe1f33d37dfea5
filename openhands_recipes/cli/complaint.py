"""Errors as people and machines read them: what happened, where, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from openhands_recipes.errors import RecipesError, UsageError

USAGE = 2
INTERRUPTED = 130
BUG = 70
"""EX_SOFTWARE of sysexits.h: apart from every code a RecipesError has."""


def as_text(error: RecipesError) -> str:
    """An error in the house's form; every fault of an invalid recipe is told in full."""
    return "\n\n".join(_paragraph(one) for one in _told(error))


def as_events(error: RecipesError) -> list[dict[str, Any]]:
    """One event an error, for `--log-format json`."""
    return [_event(one) | {"exit_code": error.exit_code} for one in _told(error)]


def from_click(error: click.ClickException) -> RecipesError:
    """Click's own complaints about the command line, in our words."""
    message, _, guess = error.format_message().strip().removesuffix(".").partition(". Did you mean ")
    hint = f"did you mean {guess}" if guess else None
    if hint is None and isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"see `{error.ctx.command_path} --help`"
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _told(error: RecipesError) -> Iterator[object]:
    """The faults and their summary where there are several things to say, else the error."""
    faults: tuple[object, ...] = getattr(error, "faults", ())
    yield from faults
    if len(faults) > 1:
        yield RecipesError(error.message)
    elif not faults:
        yield error


def _paragraph(told: object) -> str:
    parts = _parts(told)
    code = f"[{parts['code']}]" if parts.get("code") else ""
    lines = [click.style(f"error{code}:", fg="red", bold=True) + " " + _indented(parts["message"], "       ")]
    if parts.get("where"):
        lines.append(click.style("  -->", fg="blue") + f" {parts['where']}")
    if parts.get("hint"):
        lines.append(click.style("  hint:", fg="green") + " " + _indented(parts["hint"], "        "))
    return "\n".join(lines)


def _indented(text: str, margin: str) -> str:
    return text.replace("\n", "\n" + margin)


def _event(told: object) -> dict[str, Any]:
    return {"event": "error"} | {name: value for name, value in _parts(told).items() if value}


def _parts(told: object) -> Mapping[str, str]:
    """Message, place, hint and code of an error or a fault; both carry them under these names."""
    names = ("code", "message", "where", "hint")
    parts = {name: str(getattr(told, name, None) or "") for name in names}
    return parts if parts["message"] else {"message": str(told)}


def event_line(event: Mapping[str, Any]) -> str:
    """One event as one line of JSON."""
    return json.dumps(event, ensure_ascii=False, default=str)
