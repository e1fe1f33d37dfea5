"""The options by which every command that reads an index says which one, and how."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class IndexChoice:
    """What the command line says about the index; settings say the rest."""

    place: str | None = None
    root: Path | None = None
    offline: bool = False
    as_of: datetime | None = None
    plain_http: bool = False
    registry: str = ""
    """Another registry of the settings, by its name; empty for this one's own."""


def index_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the command gets them as `index`, an `IndexChoice`."""
    moments = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
    options = (
        click.option("--index", "index_place", metavar="PLACE", envvar="OHR_INDEX",
                     help="URL, folder or oci://HOST/REPOSITORY; else that of registry.yaml."),
        click.option("--index-root", type=click.Path(path_type=Path, dir_okay=False), envvar="OHR_INDEX_ROOT",
                     help="Trusted root of the index, else that of registry.yaml."),
        click.option("--offline", is_flag=True, help="Use what was verified before; ask nobody."),
        click.option("--index-as-of", "as_of", type=moments, metavar="DATE",
                     help="Read an expired index as it was valid then (UTC)."),
        click.option("--plain-http", is_flag=True, help="The registry serves HTTP, not HTTPS."),
    )  # fmt: skip

    @functools.wraps(command)
    def with_choice(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click hands anything on
        as_of: datetime | None = kwargs.pop("as_of")
        choice = IndexChoice(
            place=kwargs.pop("index_place"),
            root=kwargs.pop("index_root"),
            offline=kwargs.pop("offline"),
            as_of=as_of.replace(tzinfo=UTC) if as_of else None,
            plain_http=kwargs.pop("plain_http"),
        )
        return command(*args, index=choice, **kwargs)

    for option in reversed(options):
        with_choice = option(with_choice)
    return with_choice
