"""Packages of the languages' own registries -> attributes of nixpkgs.

Python projects are found by their normalised name in the interpreter's package set, npm packages among the
programs that nixpkgs has; nixlib/languages.toml knows the exceptions. Whether the pinned nixpkgs has the
attribute, in a version that will do, is found out by Nix.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from openhands_recipes.compile.recipe.faults import Code, Fault, error_of
from openhands_recipes.compile.recipe.requirements import node_requirement, python_requirement
from openhands_recipes.model.composed import Composed, Origin
from openhands_recipes.model.flake import FlakeLibrary, LanguageNames
from openhands_recipes.model.package import Unavailable
from openhands_recipes.model.platform import MACHINE, Platform

SIMPLE = re.compile(r"(>=|<=|>|<|=|\^|~)?\d+(\.\d+)*(-[0-9A-Za-z.-]+)?")
"""One comparator of an npm range that Nix understands as well."""
NO_NPM_PACKAGE = Unavailable(unavailable="it has no set of npm packages, only programs")


def parse_language_names(content: bytes, *, file: str) -> LanguageNames:
    """The names in nixlib/languages.toml.

    Raises:
        InvalidRecipeError: not TOML, or not of its form.
    """
    try:
        return LanguageNames.model_validate(tomllib.loads(content.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise error_of([Fault(Code.PACKAGE_TABLE, f"not TOML: {error}", file)]) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise error_of([Fault(Code.PACKAGE_TABLE, f"{place}: {first['msg']}", file)]) from error


def python_libraries(
    composed: Composed, names: LanguageNames, platforms: Sequence[Platform]
) -> tuple[tuple[FlakeLibrary, ...], list[Fault]]:
    """What the user's Python must import, by name, and what nixpkgs lacks of it."""
    section = composed.python
    if section is None:
        return (), []
    said = [r for text in section.packages if (r := python_requirement(text)) is not None]
    wanted: dict[str, list[Requirement]] = {}
    for requirement in said:
        if _is_wanted(requirement, section.version, platforms):
            wanted.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    libraries, faults = [], []
    for name, requirements in sorted(wanted.items()):
        attribute = names.python.get(name, name)
        if isinstance(attribute, Unavailable):
            origins = _origins(composed, "python", name)
            faults += [_missing("Python", name, attribute.unavailable, origin) for origin in origins]
            continue
        specifiers = {str(clause) for requirement in requirements for clause in requirement.specifier}
        extras = {extra for requirement in requirements for extra in requirement.extras}
        library = FlakeLibrary(
            name=name,
            attribute=attribute,
            range=",".join(sorted(specifiers)),
            extras=tuple(sorted(extras)),
        )
        libraries.append(library)
    return tuple(libraries), faults


def _is_wanted(requirement: Requirement, version: str, platforms: Sequence[Platform]) -> bool:
    """Whether a requirement holds on any of the platforms (PEP 508 markers)."""
    if requirement.marker is None:
        return True
    common = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }
    machines = [MACHINE[platform] for platform in platforms]
    return any(requirement.marker.evaluate({**common, "platform_machine": m}) for m in machines)


def node_libraries(composed: Composed, names: LanguageNames) -> tuple[tuple[FlakeLibrary, ...], list[Fault]]:
    """The npm packages a recipe wants, by name, and those that nixpkgs lacks."""
    libraries, faults = [], []
    packages = composed.node.packages if composed.node is not None else ()
    for name, range_text in sorted(r for text in packages if (r := node_requirement(text)) is not None):
        attribute = names.npm.get(name, NO_NPM_PACKAGE)
        if isinstance(attribute, Unavailable):
            origins = _origins(composed, "node", name)
            faults += [_missing("npm", name, attribute.unavailable, origin) for origin in origins]
        else:
            libraries.append(FlakeLibrary(name=name, attribute=attribute, range=_node_range(range_text)))
    return tuple(libraries), faults


def _node_range(text: str) -> str:
    """An npm range for Nix: comparators joined by commas; empty where it cannot be said like that."""
    spaced = re.sub(r"([<>=^~])\s+", r"\1", text.replace(",", " "))
    words = [re.sub(r"(\.[xX*])+$", "", word) for word in spaced.split()]
    return ",".join(words) if words and all(SIMPLE.fullmatch(word) for word in words) else ""


def _origins(composed: Composed, language: str, name: str) -> tuple[Origin, ...]:
    """Who asks for a package of a language."""
    found = [
        origin
        for path, origins in composed.origins.items()
        if path[:2] == (language, "packages") and _name_of(language, path[2]) == name
        for origin in origins
    ]
    return tuple(dict.fromkeys(found))


def _name_of(language: str, text: str) -> str | None:
    if language == "node":
        requirement = node_requirement(text)
        return requirement[0] if requirement is not None else None
    parsed = python_requirement(text)
    return canonicalize_name(parsed.name) if parsed is not None else None


def _missing(kind: str, name: str, reason: str, origin: Origin) -> Fault:
    hint = (
        "names are in nixlib/languages.toml; "
        "a recipe that does without nixpkgs says `unavailable: {nixpkgs: ...}`"
    )
    message = f"the {kind} package '{name}' is not available from nixpkgs: {reason}"
    return Fault(Code.NOT_IN_NIXPKGS, message, origin.file, origin.line, origin.column, hint=hint)
