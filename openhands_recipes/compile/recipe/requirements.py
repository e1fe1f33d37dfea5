"""Requirements in the syntax of a language's own registry: PEP 508 and npm."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from openhands_recipes.compile.recipe.ranges import parse_range

# npm's validate-npm-package-name, for new packages.
NODE = re.compile(r"(?P<name>(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)(@(?P<range>.+))?")


class RequirementProblem(NamedTuple):
    """Why a requirement will not do, and what to write instead."""

    message: str
    hint: str


@functools.lru_cache(maxsize=65536)
def python_requirement(text: str) -> Requirement | None:
    """A PEP 508 requirement, or None."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def python_name(text: str) -> str | None:
    """The normalised project name (PEP 503) of a requirement; extras and markers keep it apart."""
    requirement = python_requirement(text)
    if requirement is None or requirement.marker is not None:
        return None
    return canonicalize_name(requirement.name)


def python_problem(text: str) -> RequirementProblem | None:
    """What is wrong with a Python requirement."""
    requirement = python_requirement(text)
    if requirement is None:
        return RequirementProblem(
            "is not a Python requirement", 'write "numpy", "numpy>=2.2" or "uvicorn[standard]"'
        )
    if requirement.url:
        hint = "name a version; recipes never say where bytes come from"
        return RequirementProblem("names a place to download from", hint)
    return None


@functools.lru_cache(maxsize=65536)
def node_requirement(text: str) -> tuple[str, str] | None:
    """Name and range (`*` if not given) of an npm requirement, or None."""
    match = NODE.fullmatch(text)
    if match is None:
        return None
    range_text = match["range"] or "*"
    try:
        parse_range(range_text)
    except ValueError:
        return None
    return match["name"], range_text


def node_problem(text: str) -> RequirementProblem | None:
    """What is wrong with an npm requirement."""
    if node_requirement(text) is not None:
        return None
    return RequirementProblem(
        "is not an npm requirement", 'write "prettier", "prettier@^3.4" or "@scope/name@1.2.3"'
    )
