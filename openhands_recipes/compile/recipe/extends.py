"""What a recipe extends, from its text alone: enough for an index of a hundred thousand, no judgement."""

from __future__ import annotations

import re

from openhands_recipes.compile.recipe.parse import examine

PLAIN = re.compile(rb"^extends: *\[([^\]\[{}&*!|>#%\n\\]*)\] *$", re.MULTILINE)
UNUSUAL = re.compile(rb"^(?:[\"'{?%&*!\-\[]|extends\b)", re.MULTILINE)
"""How a line may begin that holds `extends` in another way; then the whole document is read."""
NAME = re.compile(r"[a-z][a-z0-9-]{1,47}")


def bases_in(content: bytes) -> tuple[str, ...]:
    """The recipes of the same registry that a recipe extends, by name. Never raises."""
    found = PLAIN.findall(content)
    unusual = len(UNUSUAL.findall(content))
    if len(found) == 1 == unusual:
        entries = [part.strip(" \"'") for part in found[0].decode("utf-8", "replace").split(",")]
    elif not unusual:
        return ()
    else:
        parsed = examine(content, file="").parsed
        entries = list(parsed.recipe.extends) if parsed else []
    names = (entry.partition("@")[0] for entry in entries)
    return tuple(dict.fromkeys(name for name in names if NAME.fullmatch(name)))
