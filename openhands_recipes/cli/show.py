"""`ohr show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from openhands_recipes.cli.output import format_option

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World


@click.command(short_help="Print a composed recipe and where each value came from.")
@click.argument("name")
@format_option("yaml")
@click.pass_obj
def command(world: World, *, name: str, output: Literal["text", "json", "yaml"]) -> None:
    """Print what a recipe amounts to with everything it extends, and where each value comes from.

    The YAML form is a recipe itself: the same sandbox, extending nothing.
    """
    from openhands_recipes.flows.show import show  # noqa: PLC0415 - start-up time

    click.echo(show(world.store, world.store.name_of(name), output))
