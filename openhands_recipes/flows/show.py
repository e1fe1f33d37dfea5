"""What a recipe amounts to, with everything it extends, and where each value comes from."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.packages import choose_packages, parse_package_table
from openhands_recipes.compile.recipe.print import effective_document, origins_of, to_yaml
from openhands_recipes.flows.check import Bases
from openhands_recipes.model.composed import Composed, Origin
from openhands_recipes.model.package import ChosenPackage, PackageSource
from openhands_recipes.ports import RecipeStore

Format = Literal["text", "json", "yaml"]
NAMED = frozenset({"packages", "applications", "ports", "tests"})
"""Lists whose entries are known by their name."""


class Entry(NamedTuple):
    """One value of the composed recipe that has origins; `name` is empty for a value there is one of."""

    key: str
    name: str
    value: Any
    origins: tuple[Origin, ...]


def show(store: RecipeStore, name: str, form: Format) -> str:
    """The composed recipe in one of three forms.

    Raises:
        UsageError: there is no such recipe.
        InvalidRecipeError: it, or one it extends, is faulty.
        ResolutionError: it does not fit together with what it extends, or with the package table.
    """
    composed = compose(name, Bases(store, whole=name))
    stored = store.package_table()
    table = parse_package_table(stored.content, file=stored.file)
    source: PackageSource = "nixpkgs" if "debian" in composed.unavailable else "debian"
    packages = choose_packages(composed.packages, table, source)
    match form:
        case "text":
            return _as_text(composed, packages)
        case "json":
            return _as_json(composed, packages, source)
        case "yaml":
            return _as_yaml(composed)


def _entries(composed: Composed, key: str, value: Any) -> list[Entry]:  # noqa: ANN401 - any JSON value
    """A value of the effective document, taken apart as far as its parts have origins of their own."""
    whole = composed.origins.get((key,))
    if whole is not None:
        return [Entry(key, "", value, whole)]
    if not origins_of(composed, key):
        return []  # identity: the recipe's own, never inherited
    if isinstance(value, dict):
        return [Entry(key, name, below, origins_of(composed, key, name)) for name, below in value.items()]
    if isinstance(value, list):
        named = [(item["name"] if isinstance(item, dict) else str(item), item) for item in value]
        return [Entry(key, name, item, origins_of(composed, key, name)) for name, item in named]
    return [Entry(key, "", value, origins_of(composed, key))]


def _as_json(composed: Composed, packages: tuple[ChosenPackage, ...], source: PackageSource) -> str:
    levels = [{"name": level.name, "version": level.version, "file": level.file} for level in composed.levels]
    document = effective_document(composed)
    return json.dumps(
        {
            "schema": 1,
            "name": composed.name,
            "version": composed.version,
            "lineage": levels,
            "recipe": document,
            "packages": [{"name": p.name, "stream": p.stream, source: list(p.names)} for p in packages],
            "origins": [
                {"path": list(path), "origins": [_place(origin) for origin in origins]}
                for path, origins in sorted(composed.origins.items())
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _place(origin: Origin) -> dict[str, Any]:
    return {"recipe": origin.recipe, "file": origin.file, "line": origin.line, "column": origin.column}


def _as_yaml(composed: Composed) -> str:
    """The effective document, each entry below a comment that names its origins."""
    lines: list[str] = []
    for key, value in effective_document(composed).items():
        entries = [entry for entry in _entries(composed, key, value) if entry.origins]
        if not entries or not entries[0].name:
            lines += [f"# {_places(entry.origins)}" for entry in entries]
            lines += to_yaml({key: value}).splitlines()
            continue
        lines.append(f"{key}:")
        for entry in entries:
            part = {entry.name: entry.value} if isinstance(value, dict) else [entry.value]
            lines.append(f"  # {_places(entry.origins)}")
            lines += [f"  {line}".rstrip() for line in to_yaml(part).splitlines()]
    return "\n".join(lines)


def _as_text(composed: Composed, packages: tuple[ChosenPackage, ...]) -> str:
    """A table of values and origins; long values are shortened."""
    chain = " <- ".join(f"{level.name} {level.version}" for level in reversed(composed.levels))
    document = effective_document(composed)
    requests = zip(composed.packages, packages, strict=True)
    rows = [("packages", _package(package), request.origins) for request, package in requests]
    for key, value in document.items():
        if key != "packages":
            rows += [
                (key, _said(entry), entry.origins)
                for entry in _entries(composed, key, value)
                if entry.origins
            ]
    width = max((len(said) for _, said, _ in rows), default=0)
    lines = [f"{composed.name} {composed.version}: {composed.recipe.summary}", f"lineage: {chain}"]
    previous = ""
    for key, said, origins in rows:
        if key != previous:
            lines += ["", key]
        lines.append(f"  {said:<{width}}  {_places(origins)}")
        previous = key
    return "\n".join(lines)


def _package(package: ChosenPackage) -> str:
    name = f"{package.name} {package.stream}".rstrip()
    same = package.names in {(package.name,), ()}
    return name if same else _short(f"{name} ({', '.join(package.names)})")


def _said(entry: Entry) -> str:
    if entry.key in NAMED or entry.value == entry.name:
        return _short(entry.name)
    value = _flat(entry.value)
    return _short(f"{entry.name}: {value}") if entry.name else _short(value)


def _flat(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str, limit: int = 72) -> str:
    one_line = text.replace("\n", "\\n")
    return one_line if len(one_line) <= limit else one_line[: limit - 3] + "..."


def _places(origins: tuple[Origin, ...]) -> str:
    return ", ".join(str(origin) for origin in origins)
