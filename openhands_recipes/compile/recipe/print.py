"""Recipes back into documents and text: the inverse of `parse`, and the views of `ohr show`.

Printed text is YAML that our reader, YAML 1.1 readers and editors understand alike: every text that any
of them would take for something else is quoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from openhands_recipes.compile.recipe.events import FORBIDDEN
from openhands_recipes.compile.recipe.ranges import intersection
from openhands_recipes.compile.recipe.scalars import is_not_text
from openhands_recipes.model.composed import Composed, Origin, RequestedPackage
from openhands_recipes.model.recipe import Recipe

Document = dict[str, Any]
SCHEMA_LINE = "# yaml-language-server: $schema=../../schema/recipe.schema.json\n"


class _Printer(yaml.SafeDumper):
    """Quotes what YAML 1.2 would not read as text, keeps long lines, indents lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        """Indent lists below their key, as people write them."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - PyYAML's signature
        """Equal values are written out each time."""
        return True


def _represent_text(printer: _Printer, text: str) -> yaml.ScalarNode:
    style = None
    if is_not_text(text):
        style = '"'
    elif "\n" in text and not FORBIDDEN.search(text):
        style = "|"
    return printer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Printer.add_representer(str, _represent_text)


def document_of(recipe: Recipe) -> Document:
    """The recipe as a JSON value; what is not given is left out."""
    document: Document = recipe.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return document


def to_yaml(document: Mapping[str, Any] | list[Any]) -> str:
    """A document, or a list out of one, as YAML text."""
    text = _dump(document, allow_unicode=True)
    return _dump(document, allow_unicode=False) if FORBIDDEN.search(text) else text


def _dump(document: Mapping[str, Any] | list[Any], *, allow_unicode: bool) -> str:
    text: str = yaml.dump(
        document,
        Dumper=_Printer,
        sort_keys=False,
        width=100,
        allow_unicode=allow_unicode,
        default_flow_style=False,
    )
    return text


def effective_document(composed: Composed) -> Document:
    """A recipe that says in one document what the composed one says with everything it extends.

    It composes to the same values again, with nothing left to extend.
    """
    own = document_of(composed.recipe)
    identity = ("schema", "name", "version", "summary", "description", "license", "maintainers", "tags")
    document: Document = {key: own[key] for key in identity if key in own}
    dumped: Document = {
        "platforms": list(composed.platforms),
        "packages": [_request(package) for package in composed.packages if package.stream is None],
        "python": _plain(composed.python),
        "node": _plain(composed.node),
        "applications": [_plain(application) for application in composed.applications],
        "environment": dict(composed.environment),
        "path": list(composed.path),
        "files": {path: _plain(spec) for path, spec in composed.files.items()},
        "user": _plain(composed.user),
        "workdir": composed.workdir,
        "entrypoint": None if composed.entrypoint is None else list(composed.entrypoint),
        "command": None if composed.command is None else list(composed.command),
        "processes": {name: _plain(process) for name, process in composed.processes.items()},
        "shell_hook": composed.shell_hook,
        "ports": [_plain(port) for port in composed.ports],
        "permissions": _plain(composed.permissions),
        "resources": _plain(composed.resources),
        "unavailable": dict(composed.unavailable),
        "tests": [_plain(test) for test in composed.tests],
        "end_of_life": composed.recipe.end_of_life,
    }
    given = {
        key: value
        for key, value in dumped.items()
        if value or (value == [] and key in {"entrypoint", "command"})
    }
    return document | given


def _plain(model: Any) -> Any:  # noqa: ANN401 - any model or None
    return None if model is None else model.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _request(package: RequestedPackage) -> str | Document:
    ranges = list(dict.fromkeys(constraint.range for constraint in package.constraints))
    if not ranges:
        return package.name
    return {"name": package.name, "version": ranges[0] if len(ranges) == 1 else intersection(ranges)}


def origins_of(composed: Composed, key: str, entry: str | None = None) -> tuple[Origin, ...]:
    """Who said a top-level value, or one entry of it; of everything below, if it has no word of its own."""
    wanted = (key,) if entry is None else (key, entry)
    exact = composed.origins.get(wanted)
    if exact is not None:
        return exact
    below = [
        origin
        for path, origins in composed.origins.items()
        if path[: len(wanted)] == wanted
        for origin in origins
    ]
    return tuple(sorted(dict.fromkeys(below)))
