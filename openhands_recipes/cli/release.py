"""`ohr release`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.output import format_option, human_seconds, human_size, print_json
from openhands_recipes.cli.refreshing import index_places as index_places_of
from openhands_recipes.cli.refreshing import refresh_options, refresher
from openhands_recipes.model.platform import PLATFORMS
from openhands_recipes.model.reference import parse_address

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.candidate import Wishes
    from openhands_recipes.flows.release import Released, ReleaseDoors
    from openhands_recipes.model.reference import RegistryAddress

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def signing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the ledger is, who signs, who acts: what releasing and withdrawing have in common."""
    options: tuple[Decorator, ...] = (
        click.option(
            "--ledger",
            "place",
            metavar="REPOSITORY[#BRANCH]",
            help="Git repository with the ledger; else branch `ledger` of where the recipes come from.",
        ),
        click.option(
            "--key",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="OHR_SIGNING_KEY",
            help="Private key: PEM, or from cosign. Else $OHR_SIGNING_KEY.",
        ),
        click.option("--keyless", is_flag=True, help="Sign with cosign and an identity token, as in CI."),
        click.option("--by", "actor", metavar="ID", help="Who acts: GitHub user id, else $GITHUB_ACTOR_ID."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Release tested images: signed, described, recorded.")
@click.argument("names", nargs=-1, required=True)
@click.option("--to", required=True, metavar="HOST[:PORT]/NAMESPACE", help="Registry and namespace.")
@click.option("--plain-http", is_flag=True, help="The registry serves HTTP, not HTTPS.")
@click.option("--platform", "platforms", type=click.Choice(PLATFORMS), multiple=True, help="Repeatable.")
@click.option(
    "--compression", type=click.Choice(["zstd", "gzip"]), default="zstd", show_default=True, help="Of layers."
)
@click.option("--unsafe-untested", is_flag=True, help="Release without test results; the record says so.")
@signing_options
@refresh_options
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    /,
    *,
    names: tuple[str, ...],
    to: str,
    plain_http: bool,
    place: str | None,
    key: Path | None,
    keyless: bool,
    actor: str | None,
    index_places: tuple[str, ...],
    index_keys: tuple[Path, ...],
    output: str,
    **wished: Any,  # noqa: ANN401 - what goes into Wishes
) -> None:
    """Release images as NAME:VERSION-rREVISION, with SBOMs, provenance, test results and signatures.

    Builds and tests what is not built and tested yet. A change of lock or parent alone is a new revision of
    the same version; nothing changed is nothing released. A release that broke off is finished by the next.
    """
    from openhands_recipes.flows.candidate import Wishes  # noqa: PLC0415 - start-up time
    from openhands_recipes.flows.release import ReleaseDoors  # noqa: PLC0415

    address = parse_address(to)
    signer, ledger = world.signer(key, keyless=keyless), world.ledger(place)
    places = index_places_of(index_places, index_keys, plain_http=plain_http)
    results: list[Released] = []
    with world.artifacts(address, plain_http=plain_http) as registry:
        doors = ReleaseDoors(
            ledger=ledger,
            registry=registry,
            blobs=world.image_store.blob,
            signer=signer,
            origin=world.origin(),
            actor=world.actor(actor),
            progress=world.progress,
            clock=world.clock,
            refresh_index=refresher(world, ledger, signer, places),
        )
        for name in names:
            results.append(_release(world, doors, world.store.name_of(name), address, Wishes(**wished)))
            if output == "text":
                _tell(results[-1])
    if output == "json":
        documents = [released.to_json() for released in results]
        print_json(documents[0] if len(documents) == 1 else documents)


def _release(
    world: World, doors: ReleaseDoors, name: str, address: RegistryAddress, wishes: Wishes
) -> Released:
    from openhands_recipes.flows.candidate import candidate  # noqa: PLC0415 - start-up time
    from openhands_recipes.flows.release import release  # noqa: PLC0415

    with world.about(name) as subject:
        found = candidate(world.workshop, name, wishes, licenses=world.part_licenses())
        subject.version = found.version
        subject.platform = ",".join(image.platform for image in found.images)
        released = release(doors, found, to=address)
        subject.digest = released.record.index
        subject.bytes = released.report.bytes
    return released


def _tell(released: Released) -> None:
    record, report = released.record, released.report
    what = "released" if released.new else "was released before, nothing changed"
    moved = f"{human_size(report.uploaded_bytes)} uploaded, {human_size(report.mounted_bytes)} mounted"
    untested = "" if record.evidence.tests else "; untested"
    where = report.reference.partition("@")[0]
    click.echo(
        f"{record.identity} {what}: {', '.join(record.platforms)}{untested}; "
        f"{moved}, {human_seconds(released.seconds)}\n{where}@{record.index}"
    )
