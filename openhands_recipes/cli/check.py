"""`ohr check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from openhands_recipes.cli.output import format_option
from openhands_recipes.cli.world import cores

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World


@click.command(short_help="Judge recipes: shape, composition, packages.")
@click.argument("places", metavar="[NAME|PATH]...", nargs=-1)
@click.option(
    "--from",
    "source",
    type=click.Choice(["debian", "nixpkgs"]),
    default="debian",
    show_default=True,
    help="Where packages are looked for.",
)
@format_option("github")
@click.pass_obj
def command(
    world: World,
    *,
    places: tuple[str, ...],
    source: Literal["debian", "nixpkgs"],
    output: Literal["text", "json", "github"],
) -> None:
    """Judge recipes by name or path; without any, all recipes of the project.

    Reports every fault at once, with its place, its code (docs/errors explains each) and what to do.
    Ends with 1 when there is one. A recipe that is `unavailable` from a source is judged by the other one.
    """
    from openhands_recipes.flows.check import check, render  # noqa: PLC0415 - start-up time

    report = check(world.store, places, workers=cores(), source=source)
    text = render(report, output)
    if text:
        click.echo(text)
    if not report.is_good:
        raise click.exceptions.Exit(1)
