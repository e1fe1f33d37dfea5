"""A composed recipe -> FlakeData -> the bytes of recipe.json, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence

from openhands_recipes.compile.nix.attributes import Attributes, attribute_faults, attributes_of
from openhands_recipes.compile.nix.environment import split_environment, split_path, split_tests
from openhands_recipes.compile.nix.languages import node_libraries, python_libraries
from openhands_recipes.compile.recipe.faults import Fault, error_of
from openhands_recipes.compile.recipe.packages import refusals
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.flake import (
    FlakeData,
    FlakeLanguage,
    FlakeLibrary,
    LanguageNames,
    OmittedThing,
)
from openhands_recipes.model.nix import NIX_SYSTEM
from openhands_recipes.model.package import PackageTable
from openhands_recipes.model.platform import Platform

APPLICATION = "an application with a world of its own: part of images"
FILE = "files belong to images"


def flake_data(
    composed: Composed, table: PackageTable, names: LanguageNames, *, platforms: Sequence[Platform]
) -> FlakeData:
    """What the flake of a recipe is made of. The order in which levels were named changes nothing.

    Raises:
        ResolutionError: the recipe says that it cannot be had from nixpkgs, or nixpkgs lacks what it asks
            for; all of it.
    """
    if faults := nixpkgs_faults(composed, table, names, platforms):
        raise error_of(faults, ResolutionError)
    python, _ = python_libraries(composed, names, platforms)
    node, _ = node_libraries(composed, names)
    attributes = attributes_of(composed, table)
    recipe = composed.recipe
    environment, variables = split_environment(composed.environment)
    path, folders = split_path(composed)
    tests, needing_images = split_tests(composed.tests)
    omitted = (*_images_only(composed), *attributes.omitted, *variables, *folders, *needing_images)
    return FlakeData(
        name=recipe.name,
        version=recipe.version,
        summary=recipe.summary,
        license=recipe.license,
        tags=tuple(sorted(recipe.tags)),
        systems=tuple(NIX_SYSTEM[platform] for platform in sorted(platforms)),
        packages=attributes.packages,
        python=_language("python", attributes, python),
        node=_language("node", attributes, node),
        environment=environment,
        path=path,
        shell_hook=composed.shell_hook or "",
        tests=tests,
        omitted=tuple(sorted(omitted, key=lambda thing: (thing.kind, thing.name))),
    )


def nixpkgs_faults(
    composed: Composed, table: PackageTable, names: LanguageNames, platforms: Sequence[Platform]
) -> list[Fault]:
    """What `flake_data` would complain about."""
    return refusals(composed, "nixpkgs") or [
        *attribute_faults(composed, table),
        *python_libraries(composed, names, platforms)[1],
        *node_libraries(composed, names)[1],
    ]


def _language(name: str, attributes: Attributes, libraries: tuple[FlakeLibrary, ...]) -> FlakeLanguage | None:
    interpreter = attributes.interpreters.get(name)
    return FlakeLanguage(attribute=interpreter, packages=libraries) if interpreter is not None else None


def _images_only(composed: Composed) -> list[OmittedThing]:
    applications = [
        OmittedThing(kind="application", name=a.name, reason=APPLICATION) for a in composed.applications
    ]
    return applications + [OmittedThing(kind="file", name=path, reason=FILE) for path in composed.files]


def write_flake_data(data: FlakeData) -> bytes:
    """The file: sorted keys, one value a line, so that reviews show what moved. Byte-stable."""
    value = data.model_dump(mode="json", by_alias=True)
    for test in value["tests"]:
        for stream in ("stdout", "stderr"):
            if test[stream] is not None:
                test[stream] = {check: text for check, text in test[stream].items() if text is not None}
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def read_flake_data(content: bytes) -> FlakeData:
    """Flake data from its file; the inverse of `write_flake_data`.

    Raises:
        ValueError: not flake data.
    """
    return FlakeData.model_validate_json(content)
