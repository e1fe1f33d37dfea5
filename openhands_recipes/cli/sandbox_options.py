"""The options `ohr run` and `ohr shell` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def sandbox_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Network, binds, certificates, folder, variables, account."""
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
    for option in reversed(options):
        command = option(command)
    return command
