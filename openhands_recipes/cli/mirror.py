"""`ohr mirror`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.index_options import IndexChoice, index_options
from openhands_recipes.cli.mirroring import mirror_index
from openhands_recipes.cli.output import format_option, human_size, print_json
from openhands_recipes.cli.pulling import Puller
from openhands_recipes.errors import UsageError
from openhands_recipes.model.reference import RegistryAddress, parse_address

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.flows.mirror import Copy

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Copy a registry's index and images to another place.")
@click.argument("places", metavar="[NAME[@VERSION]]...", nargs=-1)
@click.option("--to", required=True, metavar="DIR|HOST[:PORT]/NAMESPACE", help="Folder or registry.")
@click.option("--from", "source", metavar="HOST[:PORT]/NAMESPACE", help="Another place of the images.")
@click.option("--trust", type=FILE, multiple=True, help="Public key of releases; else of registry.yaml.")
@index_options
@format_option()
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option
    world: World,
    *,
    places: tuple[str, ...],
    to: str,
    source: str | None,
    trust: tuple[Path, ...],
    index: IndexChoice,
    output: str,
) -> None:
    """Copy the signed index, and the images of some recipes or of all, to a folder or another registry.

    Everything is verified on the way and has the same digests there. A registry gets images, evidence and
    tags under HOST/NAMESPACE/<name> and the index as oci://HOST/NAMESPACE/index; a folder gets index/ for a
    static host and OCI layouts in images/<name>.
    """
    names = places or world.names_in_index(index)
    puller = Puller(world, index, source, trust)
    folder = _folder(to)
    address = None if folder else parse_address(to)
    copies = []
    for place in names:
        copies.append(
            _to_folder(world, puller, place, folder) if folder else _to_registry(puller, place, address)
        )
        if output == "text":
            click.echo(f"{copies[-1]['name']} {copies[-1]['release']}: copied")
    target = str(folder / "index") if folder else f"oci://{address}/index"
    copied = mirror_index(world, index, target)
    if output == "json":
        print_json({"schema": 1, "to": to, "index": target, "images": copies, "index_bytes": copied.bytes})
        return
    click.echo(f"{target}: {copied.files} files, {human_size(copied.bytes)} are new")


def _folder(to: str) -> Path | None:
    """What looks like a path is one: `./x`, `/x`, `x`; what names a host is none."""
    try:
        parse_address(to)
    except UsageError:
        return Path(to)
    return Path(to) if to.startswith((".", "/")) or Path(to).is_dir() else None


def _to_folder(world: World, puller: Puller, place: str, folder: Path) -> dict[str, object]:
    resolution, pulled = puller.all_platforms(place)
    for one in pulled:
        world.image_store.write_layout(folder / "images" / resolution.name, one.image)
    return {"name": resolution.name, "release": resolution.entry.label, "index": resolution.entry.index}


def _to_registry(puller: Puller, place: str, address: RegistryAddress | None) -> dict[str, object]:
    assert address is not None  # noqa: S101 - it is no folder
    copy: Copy = puller.copy(place, address)
    return {
        "name": copy.name, "release": copy.label, "reference": copy.report.reference,
        "uploaded_bytes": copy.report.uploaded_bytes,
    }  # fmt: skip
