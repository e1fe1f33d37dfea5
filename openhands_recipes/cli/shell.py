"""`ohr shell`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.sandbox_options import sandbox_options
from openhands_recipes.cli.source_option import source_option

if TYPE_CHECKING:
    from openhands_recipes.cli.sandbox_options import SandboxChoice
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.nix_fast_path import Shape


@click.command(short_help="Open an interactive shell in a sandbox of a recipe.")
@click.argument("name")
@source_option
@sandbox_options
@click.pass_obj
def command(
    world: World,
    *,
    name: str,
    sandbox: SandboxChoice,
    shape: Shape,
) -> None:
    """Open a login shell in a fresh sandbox of a recipe; leaving it throws the changes away."""
    from openhands_recipes.cli.sandbox_run import SandboxRequest, run_in_sandbox  # noqa: PLC0415 - start-up time

    request = SandboxRequest(world.store.name_of(name), ("/bin/bash",), sandbox, shape)
    run_in_sandbox(world, request)
