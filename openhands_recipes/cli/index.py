"""`ohr index`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.cli.index_options import IndexChoice, index_options
from openhands_recipes.cli.output import format_option, human_size, print_json, table
from openhands_recipes.errors import VerificationError

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.ports.index_site import IndexRole, Published

ROLES = ("root", "targets", "bins", "snapshot", "timestamp")
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def folder_option() -> Decorator:
    """The index's folder."""
    return click.option(
        "--index",
        "folder",
        type=FOLDER,
        required=True,
        envvar="OHR_INDEX_FOLDER",
        help="Folder of the index.",
    )


def keys_option() -> Decorator:
    """Folders with keys."""
    return click.option(
        "--keys",
        type=FOLDER,
        multiple=True,
        required=True,
        envvar="OHR_INDEX_KEYS",
        help="Folder with keys, also its online/ and offline/. Repeatable. Else $OHR_INDEX_KEYS.",
    )


@click.group(short_help="Publish the signed index of releases.")
def command() -> None:
    """Publish the signed index of releases: a folder of files for any static host, or an OCI artifact.

    Passphrases of keys come from $OHR_INDEX_PASSPHRASE; on a terminal, those of offline keys are asked for.
    """


@command.command(short_help="Begin an empty index and its keys.")
@folder_option()
@keys_option()
@click.option("--images", multiple=True, metavar="HOST/NAMESPACE", help="Where images are. Repeatable.")
@click.option("--root-keys", type=click.IntRange(1, 15), default=3, show_default=True, help="How many.")
@click.option("--threshold", type=click.IntRange(1, 15), default=2, show_default=True, help="Must sign.")
@click.option(
    "--bins",
    type=click.Choice(["16", "64", "256", "512", "1024", "2048"]),
    default="512",
    show_default=True,
    help="Parts of the list; 512 is best for 100,000 recipes.",
)
@click.pass_obj
def init(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    folder: Path,
    keys: tuple[Path, ...],
    images: tuple[str, ...],
    root_keys: int,
    threshold: int,
    bins: str,
) -> None:
    """Begin an empty index, and write its keys into the first --keys folder.

    offline/ holds the keys of root and targets: move them to media that are not attached, each root key to
    another person. online/ holds those of bins and snapshot, for the job that releases, and of the timestamp,
    for the job that signs it every few hours. Whoever reads the index needs its root file once.
    """
    from openhands_recipes.flows.index import name_index  # noqa: PLC0415 - start-up time
    from openhands_recipes.ports.index_site import NewIndex  # noqa: PLC0415 - the same

    if threshold > root_keys:
        raise click.UsageError("--threshold is more than there are root keys")
    repository = world.index_repository(folder, keys)
    repository.create(NewIndex(int(bins), root_keys, threshold))
    name_index(repository, name=world.registry_settings.name, images=images)
    click.echo(
        f"index begun in {folder}\n"
        f"keys in {keys[0]}: {root_keys} of root ({threshold} must sign), one of each other role\n"
        f"trusted root for readers: {folder / 'metadata' / '1.root.json'}"
    )
    world.say(
        f"now move {keys[0] / 'offline'} to media that are not attached, each root key to another person;\n"
        "without them no key can ever be replaced, and who has two of them owns the index"
    )


@command.command(short_help="Bring the index up to date with the ledger.")
@folder_option()
@keys_option()
@click.option(
    "--ledger", metavar="REPOSITORY[#BRANCH]", help="Else branch `ledger` of the recipes' repository."
)
@click.option("--trust", type=FILE, multiple=True, help="Public key that signs changes of state. Repeatable.")
@format_option()
@click.pass_obj
def add(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    folder: Path,
    keys: tuple[Path, ...],
    ledger: str | None,
    trust: tuple[Path, ...],
    output: str,
) -> None:
    """Bring the index up to date with the ledger of releases, only what changed, visible all at once.

    A run that is cut off changes nothing for readers; the next one finishes the work. Where the timestamp key
    is not here, `ohr index sign-timestamp` makes it visible.
    """
    from openhands_recipes.flows.index import add as add_releases  # noqa: PLC0415 - start-up time

    trusted = world.trusted_keys(IndexChoice(), trust)
    report = add_releases(
        world.ledger(ledger),
        world.index_repository(folder, keys),
        verify=world.change_verifier(trusted),
        progress=world.progress,
        texts=world.released_texts(),
    )
    catalogue = report.catalogue
    if output == "json":
        print_json(
            {
                "schema": 1, "changed": list(report.changed), "recipes": catalogue.recipes,
                "releases": catalogue.releases, "version": report.published.version,
                "visible": report.published.visible,
            }
        )  # fmt: skip
        return
    click.echo(
        f"{len(report.changed)} recipes changed; {catalogue.recipes} recipes, {catalogue.releases} releases"
    )
    _tell(world, report.published)


@command.command("sign-timestamp", short_help="Say that the index is still the newest.")
@folder_option()
@keys_option()
@click.pass_obj
def sign_timestamp(world: World, *, folder: Path, keys: tuple[Path, ...]) -> None:
    """Say that the index is still the newest, good for another 24 hours; needs the timestamp key alone.

    To be run every 6 hours. Also makes visible what `ohr index add` has finished without that key.
    """
    published = world.index_repository(folder, keys).sign_timestamp()
    _tell(world, published)


@command.command("rotate-keys", short_help="Replace the keys of a role.")
@click.argument("role", type=click.Choice(ROLES))
@folder_option()
@keys_option()
@click.pass_obj
def rotate_keys(world: World, *, role: IndexRole, folder: Path, keys: tuple[Path, ...]) -> None:
    """Replace the keys of a role; readers follow by themselves, from any older root.

    Needs the offline keys that must sign it: root for all but bins, targets for bins. The root also has to be
    signed anew once a year, which every rotation does.
    """
    made = world.index_repository(folder, keys).rotate(role)
    click.echo("\n".join(f"new key: {path}" for path in made))
    world.say(f"the old keys of {role} sign nothing any more; destroy them")


@command.command(short_help="Read every byte of the index and check it.")
@folder_option()
@click.option(
    "--max-age",
    type=click.FloatRange(0, 24),
    metavar="HOURS",
    help="Fail if the timestamp is older: an alarm.",
)
@format_option()
@click.pass_obj
def verify(world: World, *, folder: Path, max_age: float | None, output: str) -> None:
    """Read every byte of the index, check signatures, digests and dates, and that its parts agree."""
    from openhands_recipes.flows.index import verify as verify_index  # noqa: PLC0415 - start-up time

    repository = world.index_repository(folder, ())
    report = verify_index(repository, progress=world.progress)
    expiries = repository.expiries()
    now = world.clock.now()
    timestamp = next(one for one in expiries if one.role == "timestamp")
    age = now - (timestamp.expires - timedelta(hours=24))
    if max_age is not None and age > timedelta(hours=max_age):
        raise VerificationError(
            f"the timestamp of the index is {age.total_seconds() / 3600:.1f} hours old", where=str(folder),
            hint="see why the job that runs `ohr index sign-timestamp` does not", code="OHR431",
        )  # fmt: skip
    if output == "json":
        ends = {one.role: {"version": one.version, "expires": one.expires.isoformat()} for one in expiries}
        print_json({"schema": 1} | vars(report) | {"stray": list(report.stray), "roles": ends})
        return
    rows = [[one.role, str(one.version), f"{one.expires:%F %H:%M}"] for one in expiries]
    click.echo(table(rows, header=["role", "version", "good until (UTC)"], right=[1]))
    click.echo(
        f"{report.recipes} recipes, {report.releases} releases, {report.changes} changes: "
        f"{report.targets} targets and {report.blobs} blobs are as they were signed"
    )
    if report.stray:
        world.say(f"{len(report.stray)} blobs are named by nothing any more")


@command.command(short_help="Copy an index to a folder or a registry.")
@click.option("--to", "target", required=True, metavar="DIR|oci://HOST/REPOSITORY", help="Where to.")
@index_options
@format_option()
@click.pass_obj
def mirror(world: World, *, target: str, index: IndexChoice, output: str) -> None:
    """Copy an index byte for byte, only what is new: whoever reads the copy verifies it like the original.

    Everything is verified on the way. A copy that breaks off still is the older index, whole.
    """
    from openhands_recipes.cli.mirroring import mirror_index  # noqa: PLC0415 - start-up time

    copied = mirror_index(world, index, target)
    if output == "json":
        print_json({"schema": 1, "to": target} | vars(copied))
        return
    sent = f"; {copied.bins_sent} of {copied.bins} bins sent" if target.startswith("oci://") else ""
    click.echo(f"{target}: {copied.files} files, {human_size(copied.bytes)} are new{sent}")


def _tell(world: World, published: Published) -> None:
    if published.visible:
        click.echo(f"index {published.version} is visible")
    else:
        world.say(
            f"index {published.version} is finished, but not visible: the timestamp key is elsewhere;\n"
            "run `ohr index sign-timestamp` where it is"
        )
