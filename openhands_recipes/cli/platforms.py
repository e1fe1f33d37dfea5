"""The option `--platform`, and which platform this machine is."""

from __future__ import annotations

import platform as machine
from collections.abc import Callable
from typing import Any, cast

import click

from openhands_recipes.errors import UsageError
from openhands_recipes.model.platform import MACHINE, PLATFORMS, Platform


def host_platform() -> Platform | None:
    """The platform whose programs run here, if images are built for it."""
    return next((name for name, kernel_name in MACHINE.items() if machine.machine() == kernel_name), None)


def this_platform() -> Platform:
    """The same, for verbs that cannot do without.

    Raises:
        UsageError: no image is built for this kind of machine.
    """
    host = host_platform()
    if host is not None:
        return host
    raise UsageError(
        f"no image is built for {machine.machine()} machines", hint=f"platforms: {', '.join(PLATFORMS)}"
    )


def platform_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--platform`; the machine's own when not given."""

    def chosen(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Platform:
        return cast("Platform", value) if value else this_platform()

    return click.option(
        "--platform",
        type=click.Choice(PLATFORMS),
        callback=chosen,
        help="Platform; this machine's if not given.",
    )(command)
