"""`--from`: which kind of image a verb works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from openhands_recipes.flows.nix_fast_path import Shape

SHAPES: dict[str, Shape] = {"debian": "debian", "nixpkgs": "hybrid"}


def source_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--from debian|nixpkgs`, handed on as `shape`."""
    option = click.option(
        "--from",
        "shape",
        type=click.Choice(list(SHAPES)),
        default="debian",
        show_default=True,
        callback=lambda _context, _option, source: SHAPES[source],
        help="Where packages come from. nixpkgs: the contract from Debian, the tools from a Nix closure.",
    )
    return option(command)
