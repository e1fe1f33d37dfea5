"""An image of a closure and a skeleton, without anything from Debian."""

from __future__ import annotations

from openhands_recipes.errors import UsageError
from openhands_recipes.flows.build_nix import ClosureLevels, NixShop
from openhands_recipes.flows.fast_path import Built
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.image import Compression
from openhands_recipes.model.platform import Platform


def build_pure(
    nix: NixShop, closures: ClosureLevels, composed: Composed, *, platform: Platform, compression: Compression
) -> Built:
    """Build a recipe's image from its closure alone."""
    raise UsageError("--pure is not there yet", hint="leave it out: the contract comes from Debian then")
