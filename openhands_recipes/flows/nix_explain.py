"""Nix's complaints with the line of the recipe that caused them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openhands_recipes.compile.nix.complaint import reason_of, thrown
from openhands_recipes.compile.nix.explain import explain, set_of
from openhands_recipes.errors import NixError, OutsideError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.nix import Thrown
from openhands_recipes.ports import Nix


@contextmanager
def explained(nix: Nix, flake: Path, composed: Composed, *, system: str) -> Iterator[None]:
    """Inside, Nix works on a recipe's flake; what the recipe is to blame for is told as its own fault.

    Raises:
        ResolutionError: nixpkgs lacks what the recipe asks for, or has it in another version.
        NixError: Nix gave up for another reason.
    """
    try:
        yield
    except NixError as error:
        said = thrown(error.messages)
        if said is None:
            raise
        names = _names_beside(nix, flake, said, system)
        raise explain(said, composed, reason=reason_of(error.messages), names=names) from error


def _names_beside(nix: Nix, flake: Path, said: Thrown, system: str) -> tuple[str, ...]:
    """All names of the set in which something is missing; none when Nix cannot tell them either."""
    if said.fault in ("version", "unavailable"):
        return ()
    place = ".".join(filter(None, ("nixpkgs#legacyPackages", system, set_of(said))))
    try:
        listed = nix.run(
            ("eval", "--json", "--inputs-from", "{flake}", place, "--apply", "builtins.attrNames"),
            flake=flake,
        )
    except (NixError, OutsideError):
        return ()
    return tuple(json.loads(listed))
