"""Every kind of part and the pure function that makes a fragment of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO

from openhands_recipes.compile.pack.deb import deb_to_fragment
from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.model.fragment import Fragment

Converter = Callable[[IO[bytes], IO[bytes], str, Mapping[str, str]], Fragment]
"""(the part's bytes, where the fragment's bytes go, the fragment's key, options) -> the listing."""

VERSION = 1
"""Belongs into every fragment key: it changes whenever the same part would give other bytes."""


def _deb(source: IO[bytes], sink: IO[bytes], key: str, _options: Mapping[str, str]) -> Fragment:
    return deb_to_fragment(source, sink, key)


# zipfile, installer and their kin are only imported by those who convert wheels.
def _wheel(source: IO[bytes], sink: IO[bytes], key: str, options: Mapping[str, str]) -> Fragment:
    from openhands_recipes.compile.pack.wheel import wheel_to_fragment  # noqa: PLC0415

    return wheel_to_fragment(source, sink, key, python=options.get("python", ""), home=Home.of(options))


def _npm(source: IO[bytes], sink: IO[bytes], key: str, options: Mapping[str, str]) -> Fragment:
    from openhands_recipes.compile.pack.npm import npm_to_fragment  # noqa: PLC0415

    executables = frozenset(filter(None, options.get("executables", "").split("\n")))
    return npm_to_fragment(
        source, sink, key, name=options.get("name", ""), home=Home.of(options), executables=executables
    )


CONVERTERS: Mapping[str, Converter] = {"deb": _deb, "wheel": _wheel, "npm": _npm}
"""By `Conversion.kind`. Options: wheel `prefix`, `python`, `owner`; npm `prefix`, `owner`, `name` and
`executables`, one path a line."""
