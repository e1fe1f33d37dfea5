"""`ohr cache`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.output import format_option, human_size, print_json, table

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World


@click.group(short_help="Look at the cache, or clear it.")
def command() -> None:
    """Look at the cache, or clear it. Everything in it can be had again."""


@command.command(short_help="Where it is and what it takes.")
@format_option()
@click.pass_obj
def info(world: World, output: str) -> None:
    """Where the cache is and what it takes."""
    areas, root = world.cache_areas(), world.cache.root
    total = sum(area.size for area in areas)
    if output == "json":
        print_json({"schema": 1, "root": str(root), "size": total, "areas": [vars(area) for area in areas]})
        return
    rows = [[area.name, str(area.files), human_size(area.size), area.holds] for area in areas]
    if rows:
        click.echo(table(rows, header=["area", "files", "size", "holds"], right=[1, 2]))
    click.echo(f"{human_size(total)} in {root}")


@command.command(short_help="Remove what is in it.")
@click.option(
    "--unused",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Only what nobody used for so long.",
)
@click.pass_obj
def clean(world: World, days: float | None) -> None:
    """Remove everything, or only what was not used for some days. The next build takes longer."""
    before = sum(area.size for area in world.cache_areas())
    world.clean_cache(unused_days=days)
    left = sum(area.size for area in world.cache_areas())
    click.echo(f"{human_size(before - left)} removed, {human_size(left)} left in {world.cache.root}")
