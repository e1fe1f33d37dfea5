"""What of an image's surroundings makes sense in a shell on somebody's machine.

The rules: a variable whose value points at a folder of the image stays in the image, and so does a folder
of `path`, unless it lies in the home of the recipe's user: there it means the home of whoever runs the
shell. Files are the image's. A test stays in the image if its `scope` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.flake import FlakeTest, OmittedThing
from openhands_recipes.model.proof import TestCase

ELSEWHERE_TOO = "tmp|dev|proc|sys|nix"
"""Folders that mean the same on every Linux machine with Nix."""
OWN_PATH = re.compile(rf"(?:^|[\s:;,=\"']|-[ILBF])(/(?!(?:{ELSEWHERE_TOO})(?:/|$))[\w.@+-][^\s:;,\"']*)")


def split_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], tuple[OmittedThing, ...]]:
    """The variables for a shell, sorted, and those that stay in the image."""
    kept, omitted = {}, []
    for name, value in sorted(environment.items()):
        found = OWN_PATH.search(value)
        if found is None:
            kept[name] = value
        else:
            reason = f"points at {found[1]}, which only the image has"
            omitted.append(OmittedThing(kind="variable", name=name, reason=reason))
    return kept, tuple(omitted)


def split_path(composed: Composed) -> tuple[tuple[str, ...], tuple[OmittedThing, ...]]:
    """The folders for a shell's PATH, nearest level first, and those that stay in the image."""
    home = f"/home/{composed.user.name}" if composed.user is not None else None
    kept, omitted = [], []
    for folder in composed.path:
        if home is not None and folder.startswith(f"{home}/"):
            kept.append("~" + folder.removeprefix(home))
        else:
            omitted.append(OmittedThing(kind="path", name=folder, reason="a folder that only the image has"))
    return tuple(kept), tuple(omitted)


def split_tests(tests: Iterable[TestCase]) -> tuple[tuple[FlakeTest, ...], tuple[OmittedThing, ...]]:
    """The tests that a flake can run, by name, and those that need the image."""
    kept, omitted = [], []
    for test in sorted(tests, key=lambda test: test.name):
        if test.scope == "anywhere":
            kept.append(FlakeTest.model_validate(test.model_dump(exclude={"scope"})))
        else:
            reason = f"its scope is '{test.scope}'"
            omitted.append(OmittedThing(kind="test", name=test.name, reason=reason))
    return tuple(kept), tuple(omitted)
