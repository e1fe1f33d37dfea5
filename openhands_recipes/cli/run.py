"""`ohr run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.sandbox_options import sandbox_options
from openhands_recipes.cli.source_option import source_option

if TYPE_CHECKING:
    from openhands_recipes.cli.sandbox_options import SandboxChoice
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.nix_fast_path import Shape


@click.command(
    short_help="Run a command in a sandbox of a recipe.", context_settings={"ignore_unknown_options": True}
)
@click.argument("name")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD...]")
@source_option
@sandbox_options
@click.pass_obj
def command(
    world: World,
    *,
    name: str,
    argv: tuple[str, ...],
    sandbox: SandboxChoice,
    shape: Shape,
) -> None:
    """Run a command in a fresh sandbox of a recipe; without a command, what the image starts.

    No network unless asked for, nothing of this machine inside but what is bound. The exit code is the
    command's own.
    """
    from openhands_recipes.cli.sandbox_run import SandboxRequest, run_in_sandbox  # noqa: PLC0415 - start-up time

    request = SandboxRequest(world.store.name_of(name), argv, sandbox, shape)
    run_in_sandbox(world, request)
