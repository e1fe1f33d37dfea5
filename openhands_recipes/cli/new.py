"""`ohr new`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World


@click.command(short_help="Start a recipe that passes `ohr check`.")
@click.argument("name")
@click.option(
    "--extends", multiple=True, metavar="MODULE", help="What to build on; openhands-agent if not given."
)
@click.option("--summary", default="", help="What it is for, in one line.")
@click.option("--maintainer", default="somebody:1", metavar="NAME:ID", help="Your GitHub name and number.")
@click.pass_obj
def command(world: World, *, name: str, extends: tuple[str, ...], summary: str, maintainer: str) -> None:
    """Start a recipe in recipes/NAME that passes `ohr check`."""
    from openhands_recipes.flows.new import new  # noqa: PLC0415 - start-up time

    file = new(world.store, name, extends=extends, summary=summary, maintainer=maintainer)
    click.echo(file)
    world.say(f"next: edit it, then `ohr check {name}` and `ohr lock {name}`")
