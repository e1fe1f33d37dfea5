"""`--from` and `--pure`: which kind of image a verb works on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from openhands_recipes.errors import UsageError
from openhands_recipes.flows.nix_fast_path import Shape


def source_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--from debian|nixpkgs` and `--pure`, handed on as one `shape`."""

    @functools.wraps(command)
    def with_shape(*arguments: Any, source: str, pure: bool, **options: Any) -> Any:  # noqa: ANN401 - passed on
        return command(*arguments, shape=shape_of(source, pure=pure), **options)

    options = [
        click.option(
            "--from",
            "source",
            type=click.Choice(["debian", "nixpkgs"]),
            default="debian",
            show_default=True,
            help="Where packages come from. nixpkgs: the contract from Debian, the tools from a Nix closure.",
        ),
        click.option("--pure", is_flag=True, hidden=True, help="With --from nixpkgs: nothing from Debian."),
    ]
    for option in reversed(options):
        with_shape = option(with_shape)
    return with_shape


def shape_of(source: str, *, pure: bool) -> Shape:
    """What the options come to.

    Raises:
        UsageError: they do not fit together.
    """
    if source == "debian":
        if pure:
            raise UsageError("--pure says that nothing comes from Debian", hint="write --from nixpkgs --pure")
        return "debian"
    return "pure" if pure else "hybrid"
