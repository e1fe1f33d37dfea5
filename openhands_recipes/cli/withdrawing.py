"""What `ohr deprecate`, `ohr yank` and `ohr block` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.output import format_option, print_json
from openhands_recipes.cli.refreshing import index_places as index_places_of
from openhands_recipes.cli.refreshing import refresh_options, refresher
from openhands_recipes.cli.release import signing_options

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.model.release_record import ReleaseRecord, StateName


def withdrawal(state: StateName, short_help: str, text: str) -> click.Command:
    """The command that brings releases into one state."""

    @click.command(short_help=short_help, help=text)
    @click.argument("release", metavar="NAME@VERSION[-rN]")
    @click.option("--reason", required=True, help="One line that users will read.")
    @click.option("--successor", metavar="NAME@VERSION", help="What to use instead.")
    @click.option("--plain-http", is_flag=True, help="The registry of --index oci:// serves HTTP, not HTTPS.")
    @signing_options
    @refresh_options
    @format_option()
    @click.pass_obj
    def command(  # noqa: PLR0913 - one parameter an option
        world: World,
        *,
        release: str,
        reason: str,
        successor: str | None,
        place: str | None,
        key: Path | None,
        keyless: bool,
        actor: str | None,
        plain_http: bool,
        index_places: tuple[str, ...],
        index_keys: tuple[Path, ...],
        output: str,
    ) -> None:
        from openhands_recipes.flows.withdraw import Withdrawal, WithdrawDoors, withdraw  # noqa: PLC0415

        signer, ledger = world.signer(key, keyless=keyless), world.ledger(place)
        places = index_places_of(index_places, index_keys, plain_http=plain_http)
        doors = WithdrawDoors(
            ledger=ledger,
            signer=signer,
            actor=world.actor(actor),
            progress=world.progress,
            clock=world.clock,
            refresh_index=refresher(world, ledger, signer, places),
        )
        with world.about(release.partition("@")[0], release.partition("@")[2]):
            changed = withdraw(doors, Withdrawal(release, state, reason, successor))
        if output == "json":
            print_json([record.model_dump(mode="json", by_alias=True) for record in changed])
        else:
            _tell(changed, release, state)

    return command


def _tell(changed: tuple[ReleaseRecord, ...], release: str, state: StateName) -> None:
    if not changed:
        click.echo(f"{release} is {state} already, for this reason")
    for record in changed:
        click.echo(f"{record.identity} is {state}")
