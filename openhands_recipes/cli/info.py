"""`ohr info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.index_options import IndexChoice, index_options
from openhands_recipes.cli.output import format_option, human_size, print_json, table

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.find import Resolution

SHOWN = 10


@click.command(short_help="Tell what a registry's index says of a recipe.")
@click.argument("place", metavar="NAME[@VERSION]")
@index_options
@format_option()
@click.pass_obj
def command(world: World, *, place: str, index: IndexChoice, output: str) -> None:
    """Tell what the signed index says of a recipe's release: digests, evidence, state, other releases.

    NAME means the highest active version. NAME@VERSION, NAME@VERSION-rREVISION, NAME@RANGE (^1.2) and
    NAME@sha256:... are understood as well.
    """
    from openhands_recipes.flows.find import parse_asked, resolve  # noqa: PLC0415 - start-up time

    with world.index_reader(index) as reader:
        resolution = resolve(reader, parse_asked(place))
    if output == "json":
        print_json(_json(resolution))
        return
    _print(resolution)
    for note in resolution.notes:
        world.say(click.style("note:", fg="yellow") + f" {note}")


def _json(resolution: Resolution) -> dict[str, object]:
    shard = resolution.shard
    return {
        "schema": 1,
        "name": shard.name,
        "release": resolution.entry.to_json(),
        "about": dict(shard.about),
        "releases": [{"release": one.label, "state": one.state.name} for one in shard.entries],
        "archived": list(shard.archived),
        "notes": list(resolution.notes),
    }


def _print(resolution: Resolution) -> None:
    shard, entry = resolution.shard, resolution.entry
    click.echo(click.style(f"{shard.name} {entry.label}", bold=True) + f"  {entry.state.name}")
    click.echo(str(shard.about.get("summary", "")))
    rows = [["index", entry.index], ["lock", entry.lock], ["released from", entry.commit or "-"]]
    rows += [[platform, f"{at.digest}  {human_size(at.size)}"] for platform, at in entry.platforms.items()]
    rows += [[kind, digest] for kind, digest in sorted(entry.evidence.items())]
    for key in ("license", "tags", "tools", "lineage", "end_of_life"):
        value = shard.about.get(key)
        if value:
            rows.append([key.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value)])
    click.echo(table(rows))
    others = [
        f"{one.label} ({one.state.name})" if one.state.name != "active" else one.label
        for one in shard.entries
    ]
    more = len(others) + len(shard.archived) - SHOWN
    click.echo("releases: " + ", ".join(others[:SHOWN]) + (f" and {more} more" if more > 0 else ""))
