"""`ohr lock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.output import format_option, print_json, table
from openhands_recipes.model.platform import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.lock import LockChange, LockReport
    from openhands_recipes.model.platform import Platform

_MOST_LINES = 40


@click.command(short_help="Pin every input of a recipe by digest.")
@click.argument("names", nargs=-1, required=True)
@click.option("--update", is_flag=True, help="Take the newest versions even where the lock is fresh.")
@click.option(
    "--platform", "platforms", type=click.Choice(PLATFORMS), multiple=True, help="Only these platforms."
)
@click.option(
    "--unsafe-expired-release", is_flag=True, help="Accept package lists whose Valid-Until has passed."
)
@click.option(
    "--from",
    "source",
    type=click.Choice(["debian", "nixpkgs"]),
    default="debian",
    show_default=True,
    help="What to pin: Debian, Python and npm packages, or the closure of the recipe's flake.",
)
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    names: tuple[str, ...],
    update: bool,
    platforms: tuple[Platform, ...],
    unsafe_expired_release: bool,
    source: str,
    output: str,
) -> None:
    """Pin every input of recipes by digest, their stale ancestors first.

    Writes recipe.lock.json beside each recipe.yaml, with --from nixpkgs recipe.closure.json; prints what
    changed, as a package manager does.
    """
    from openhands_recipes.flows.lock import LockOptions, lock  # noqa: PLC0415 - start-up time

    options = LockOptions(update=update, platforms=platforms, allow_expired=unsafe_expired_release)
    wanted = [world.store.name_of(name) for name in names]
    reports: Sequence[LockReport]
    if source == "nixpkgs":
        from openhands_recipes.flows.nix_lock import lock_closures  # noqa: PLC0415 - start-up time

        reports = lock_closures(world.closure_shop, wanted, options)
    else:
        reports = lock(world.workshop, wanted, options)
    if output == "json":
        print_json([_as_json(report) for report in reports])
        return
    for report in reports:
        _tell(report)


def _as_json(report: LockReport) -> dict[str, object]:
    return {
        "name": report.name,
        "file": report.file,
        "changed": report.changed,
        "reason": report.reason,
        "changes": [vars(change) for change in report.changes],
        **({"skipped": dict(report.skipped)} if report.skipped else {}),
    }


def _tell(report: LockReport) -> None:
    for platform, reason in report.skipped:
        click.echo(f"{report.name}: not locked for {platform}: {reason}")
    if not report.changed:
        click.echo(f"{report.name}: {report.reason if report.reason == 'up to date' else 'nothing changed'}")
        return
    new = sum(c.before is None for c in report.changes)
    gone = sum(c.after is None for c in report.changes)
    moved = len(report.changes) - new - gone
    click.echo(f"{report.name}: {new} added, {moved} changed, {gone} removed -> {report.file}")
    shown = [c for c in report.changes if c.before is not None] or []
    rows = [[f"  {c.platform}", c.source, c.name, _versions(c)] for c in shown[:_MOST_LINES]]
    if rows:
        click.echo(table(rows))
    if len(shown) > _MOST_LINES:
        click.echo(f"  ... and {len(shown) - _MOST_LINES} more (--format json lists all)")


def _versions(change: LockChange) -> str:
    if change.after is None:
        return f"{change.before} removed"
    return f"{change.before} -> {change.after}"
