"""`ohr search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.index_options import IndexChoice, index_options
from openhands_recipes.cli.output import format_option, print_json, table
from openhands_recipes.model.platform import PLATFORMS

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.model.platform import Platform

WIDTH = 60


@click.command(short_help="Look for recipes in a registry's index.")
@click.argument("words", nargs=-1)
@click.option("--tag", "tags", multiple=True, help="Has this tag. Repeatable.")
@click.option("--tool", "tools", multiple=True, help="Contains this package. Repeatable.")
@click.option("--platform", type=click.Choice(PLATFORMS), help="Is built for this platform.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option("--fresh", is_flag=True, help="Ask for the newest list even if the last one is young.")
@index_options
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    words: tuple[str, ...],
    tags: tuple[str, ...],
    tools: tuple[str, ...],
    platform: Platform | None,
    limit: int,
    fresh: bool,
    index: IndexChoice,
    output: str,
) -> None:
    """Look for recipes whose name, tags, tools or summary hold all the words, best first.

    Searches the signed list of the index on this machine; what is searched for is told to nobody.
    """
    from openhands_recipes.flows.find import Query, search  # noqa: PLC0415 - start-up time

    if not (words or tags or tools or platform):
        raise click.UsageError("say what to look for: words, --tag, --tool or --platform")
    query = Query(tuple(" ".join(words).split()), tags, tools, platform or "")
    with world.index_reader(index) as reader:
        found = search(reader, query, limit=limit, fresh=fresh)
    if output == "json":
        hits = [
            hit._asdict() | {key: getattr(hit, key).split() for key in ("platforms", "tags", "tools")}
            for hit in found.hits
        ]
        print_json({"schema": 1, "hits": hits, "more": found.more})
        return
    rows = [[hit.name, hit.label + _mark(hit.state), _short(hit.summary)] for hit in found.hits]
    click.echo(table(rows, header=["recipe", "release", "summary"]) if rows else "nothing found")
    if found.more:
        world.say("there are more; say more words, or a larger --limit")


def _mark(state: str) -> str:
    return "" if state == "active" else f" ({state})"


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
