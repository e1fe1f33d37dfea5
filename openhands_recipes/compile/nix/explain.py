"""Whose fault it is: what our Nix library threw, with the line of the recipe that asked for it."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable

from packaging.utils import canonicalize_name

from openhands_recipes.compile.recipe.requirements import node_requirement, python_requirement
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.composed import Composed, Origin
from openhands_recipes.model.nix import Thrown

MOST_NAMES = 3


class Code(enum.StrEnum):
    """The stable code of each kind of fault; every one has a page, docs/errors/<code>.md."""

    MISSING = "OHR120"
    VERSION = "OHR121"
    UNFIT = "OHR122"


def explain(
    thrown: Thrown, composed: Composed, *, reason: str = "", names: Iterable[str] = ()
) -> ResolutionError:
    """The error of a recipe behind what the library threw.

    `reason` is Nix's own last word; `names` are all attributes of the set it was looked for in.
    """
    origin = origin_of(thrown, composed)
    who = f"recipe '{origin.recipe if origin else composed.name}'"
    what = f"'{thrown.attribute or thrown.package}'"
    match thrown.fault:
        case "version":
            code, hint = Code.VERSION, "widen the range, or pin a nixpkgs that has such a version"
            message = f"{who} wants {thrown.package} {thrown.wanted}, but nixpkgs has {what} {thrown.version}"
        case "unavailable":
            code, hint = Code.UNFIT, "leave it out, or say `unavailable: {nixpkgs: reason}` in the recipe"
            message = f"{who} wants {thrown.package}, but nixpkgs refuses {what}: {thrown.reason or reason}"
        case _:
            code = Code.MISSING
            message = f"{who} wants {thrown.package}, but the pinned nixpkgs has no {what}"
            hint = _suggestion(thrown, names)
    return ResolutionError(message, where=str(origin) if origin else None, hint=hint, code=code)


def set_of(thrown: Thrown) -> str:
    """The attribute set in which something was looked for; empty for the top level."""
    return (thrown.attribute or "").rpartition(".")[0]


def origin_of(thrown: Thrown, composed: Composed) -> Origin | None:
    """The line that asks for a package, of whichever kind, lowest level first."""
    for path, origins in composed.origins.items():
        match path:
            case ("packages", name) if name == thrown.package and origins:
                return origins[0]
            case ("python" | "node" as language, "packages", text) if origins:
                if _name_of(language, text) == thrown.package:
                    return origins[0]
            case ("python" | "node" as language, "version") if language == thrown.package and origins:
                return origins[0]
            case _:
                continue
    return None


def _name_of(language: str, text: str) -> str:
    """The name of the package that a requirement of a language asks for."""
    if language == "node":
        found = node_requirement(text)
        return found[0] if found is not None else ""
    parsed = python_requirement(text)
    return canonicalize_name(parsed.name) if parsed is not None else ""


def _suggestion(thrown: Thrown, names: Iterable[str]) -> str:
    wanted = (thrown.attribute or thrown.package).rpartition(".")[2]
    close = difflib.get_close_matches(wanted, sorted(names), n=MOST_NAMES, cutoff=0.7)
    near = list(dict.fromkeys((*close, *thrown.near)))[:MOST_NAMES]
    if near:
        return f"names like it: {', '.join(near)}"
    return "correct the name, or pin a nixpkgs that has it"
