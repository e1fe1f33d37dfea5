"""Images of a closure alone, without anything from Debian: refused, as they could not keep the contract."""

from __future__ import annotations

from typing import NoReturn

from openhands_recipes.errors import UsageError


def build_pure(name: str) -> NoReturn:
    """Say why there is none.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        f"recipe '{name}' cannot be built without Debian yet: closures hold no sudo and no agent-server",
        hint="leave --pure out: the contract comes from Debian then, the tools from nixpkgs",
    )
