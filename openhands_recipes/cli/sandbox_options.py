"""The options `ohr run` and `ohr shell` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class SandboxChoice:
    """What the command line says about the sandbox, as it stands there."""

    network: bool
    binds: tuple[str, ...]
    ca_bundle: Path | None
    workdir: str | None
    environment: tuple[str, ...]
    as_root: bool


def sandbox_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Network, binds, certificates, folder, variables, account; the command gets them as `sandbox`."""
    options = [
        click.option(
            "--network", is_flag=True, help="Share this machine's network, proxies and certificates."
        ),
        click.option(
            "--bind", "binds", multiple=True, metavar="SRC:DST[:ro]", help="Show a host path inside."
        ),
        click.option(
            "--ca-bundle",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Certificates to trust with --network; this machine's own if not given.",
        ),
        click.option("--workdir", help="Folder to start in; the recipe's if not given."),
        click.option("--env", "environment", multiple=True, metavar="NAME=VALUE", help="A further variable."),
        click.option("--as-root", is_flag=True, help="Run as the sandbox's root."),
    ]

    @functools.wraps(command)
    def with_choice(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click hands anything on
        choice = SandboxChoice(**{field.name: kwargs.pop(field.name) for field in fields(SandboxChoice)})
        return command(*args, sandbox=choice, **kwargs)

    for option in reversed(options):
        with_choice = option(with_choice)
    return with_choice
