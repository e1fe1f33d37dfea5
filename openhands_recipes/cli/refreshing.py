"""Options by which a release or a withdrawal also brings the published index up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openhands_recipes.errors import UsageError

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.ports.ledger import Ledger
    from openhands_recipes.ports.signer import Signer

OCI = "oci://"


@dataclass(frozen=True)
class IndexPlaces:
    """Which index follows the ledger at once."""

    folder: Path | None = None
    pushed_to: tuple[str, ...] = ()
    keys: tuple[Path, ...] = ()
    plain_http: bool = False


def refresh_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--index` and `--index-keys`."""
    keys = click.option(
        "--index-keys",
        type=click.Path(path_type=Path, file_okay=False),
        multiple=True,
        envvar="OHR_INDEX_KEYS",
        help="Folder with the index's online keys. Repeatable. Else $OHR_INDEX_KEYS.",
    )
    index = click.option(
        "--index",
        "index_places",
        multiple=True,
        metavar="DIR|oci://...",
        help="Bring this index up to date as well; an oci:// place gets a copy of the folder's.",
    )
    return index(keys(command))


def index_places(places: Sequence[str], keys: Sequence[Path], *, plain_http: bool) -> IndexPlaces:
    """What the options say.

    Raises:
        UsageError: several folders, an oci:// place without a folder, or an index without keys.
    """
    folders = [Path(place) for place in places if not place.startswith(OCI)]
    if len(folders) > 1:
        raise UsageError("--index names several folders", hint="one folder is edited, and may be copied")
    if places and not folders:
        raise UsageError(
            "--index names no folder", hint="an index is edited in a folder: --index DIR --index oci://..."
        )
    if places and not keys:
        raise UsageError(
            "an index cannot be signed without keys", hint="add --index-keys FOLDER (see `ohr index init`)"
        )
    return IndexPlaces(
        folder=folders[0] if folders else None,
        pushed_to=tuple(place for place in places if place.startswith(OCI)),
        keys=tuple(keys),
        plain_http=plain_http,
    )


def refresher(
    world: World, ledger: Ledger, signer: Signer, places: IndexPlaces
) -> Callable[[Sequence[str]], None] | None:
    """What brings the index up to date; None where there is none.

    Changes of state are believed that are signed by the keys of registry.yaml, or by the one in use now.
    """
    folder = places.folder
    if folder is None:
        return None

    def refresh(_: Sequence[str]) -> None:
        from openhands_recipes.cli.index_options import IndexChoice  # noqa: PLC0415 - start-up time
        from openhands_recipes.flows.index import add  # noqa: PLC0415

        keys = (*world.trusted_keys(IndexChoice()), *world.public_keys_of(signer))
        add(
            ledger,
            world.index_repository(folder, places.keys),
            verify=world.change_verifier(keys),
            progress=world.progress,
            texts=world.released_texts(),
        )
        for place in places.pushed_to:
            world.push_index(folder, place, plain_http=places.plain_http)

    return refresh
