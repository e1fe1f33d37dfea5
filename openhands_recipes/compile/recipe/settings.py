"""recipes/registry.yaml -> Settings, with the same faults at the same care as recipes."""

from __future__ import annotations

from openhands_recipes.compile.recipe.document import understand
from openhands_recipes.compile.recipe.faults import error_of, in_reading_order
from openhands_recipes.model.settings import Settings


def parse_settings(content: bytes, *, file: str) -> Settings:
    """The settings of a registry.

    Raises:
        InvalidRecipeError: with every fault of the document.
    """
    understood = understand(content, file=file, model=Settings)
    if understood.model is None:
        raise error_of(in_reading_order(understood.faults))
    return understood.model
