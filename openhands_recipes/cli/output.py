"""What people and machines read: sizes, times, tables, JSON. Results go to stdout, talk to stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click


def human_size(size: float) -> str:
    """Bytes in the unit people use, decimal: `0 B`, `999 B`, `1.2 MB`."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def human_seconds(seconds: float) -> str:
    """A duration: `0.04 s`, `2.3 s`, `1 min 05 s`, `2 h 03 min`."""
    if seconds < 0.1:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Columns aligned by spaces; `right` names the columns of numbers. No trailing newline."""
    lines = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(click.unstyle(cell)) for cell in column) for column in zip(*lines, strict=True)]

    def padded(cell: str, column: int) -> str:
        gap = " " * (widths[column] - len(click.unstyle(cell)))
        return gap + cell if column in right else cell + gap

    return "\n".join("  ".join(padded(cell, at) for at, cell in enumerate(line)).rstrip() for line in lines)


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """One JSON document on stdout: what `--format json` promises."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def format_option(*more: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--format text|json|...`, handed to the command as `output`."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(["text", "json", *more]),
        default="text",
        show_default=True,
        help="How to print the result.",
    )
