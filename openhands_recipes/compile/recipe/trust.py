"""The few lines of registry.yaml that those need who only read an index.

The models of the whole document cost a reader 11 MiB, a quarter of what a cold resolve takes, so a document
that says these lines in their plain form is read without them. Any other is left to `parse_settings`, which
alone knows every form and every fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from openhands_recipes.compile.recipe.events import Mapping, Node, Scalar, Sequence, read
from openhands_recipes.compile.recipe.scalars import is_not_text
from openhands_recipes.model import forms

if TYPE_CHECKING:
    from openhands_recipes.model.settings import Settings, TrustedIndex

LONGEST = 200
"""Characters; no field of an index has a smaller limit."""
TOP_KEYS = {
    "schema", "name", "namespace", "platforms", "contract", "pins", "nix", "defaults", "index", "registries",
}  # fmt: skip
"""All that `Settings` has; a document with another is for the models to refuse."""


@dataclass(frozen=True)
class IndexTrust:
    """A registry's signed index, and what we believe about it without asking anybody."""

    url: str
    root: str
    keys: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


KEYS = {field.name for field in fields(IndexTrust)}


@dataclass(frozen=True)
class RegistryTrust:
    """Whose indexes registry.yaml believes in."""

    name: str
    """This registry's own."""
    index: IndexTrust | None
    registries: dict[str, IndexTrust]

    def of(self, registry: str) -> IndexTrust | None:
        """What is known of a registry's index, empty for our own.

        Raises:
            KeyError: registry.yaml names no such registry.
        """
        return self.index if registry in ("", self.name) else self.registries[registry]


class _UnusualError(Exception):
    """A form that only the models understand or refuse."""


def parse_trust(content: bytes, *, file: str) -> RegistryTrust:
    """Whose indexes a registry's settings believe in.

    A wrong value of a key that readers of an index do not need (pins, platforms ...) is not looked for.

    Raises:
        InvalidRecipeError: with every fault of the document, as `parse_settings` has them.
    """
    root, faults = read(content, file=file)
    try:
        return _registry(None if faults else root)
    except _UnusualError:
        from openhands_recipes.compile.recipe.settings import parse_settings  # noqa: PLC0415 - see the top

        return _plain(parse_settings(content, file=file))


def _registry(root: Node | None) -> RegistryTrust:
    items = _mapping(root)
    schema = items.get("schema")
    if items.keys() - TOP_KEYS or not isinstance(schema, Scalar) or not schema.plain or schema.text != "1":
        raise _UnusualError
    known = _mapping(items["registries"]) if "registries" in items else {}
    return RegistryTrust(
        name=_text(items.get("name"), forms.REGISTRY_NAME),
        index=_index(items["index"]) if "index" in items else None,
        registries={_matching(name, forms.REGISTRY_NAME): _index(node) for name, node in known.items()},
    )


def _index(node: Node) -> IndexTrust:
    items = _mapping(node)
    if items.keys() - KEYS:
        raise _UnusualError
    return IndexTrust(
        url=_text(items.get("url"), forms.INDEX_PLACE),
        root=_text(items.get("root"), forms.RELATIVE_FILE),
        keys=_texts(items.get("keys"), forms.RELATIVE_FILE),
        images=_texts(items.get("images"), forms.IMAGE_PLACE),
    )


def _mapping(node: Node | None) -> dict[str, Node]:
    if not isinstance(node, Mapping):
        raise _UnusualError
    return {key: item.value for key, item in node.items.items()}


def _texts(node: Node | None, form: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        raise _UnusualError
    return tuple(_text(item, form) for item in node.items)


def _text(node: Node | None, form: str) -> str:
    if not isinstance(node, Scalar):
        raise _UnusualError
    if node.plain and is_not_text(node.text):
        raise _UnusualError
    return _matching(node.text, form)


def _matching(text: str, form: str) -> str:
    if len(text) > LONGEST or not re.fullmatch(form, text):
        raise _UnusualError
    return text


def _plain(settings: Settings) -> RegistryTrust:
    return RegistryTrust(
        name=settings.name,
        index=_trust(settings.index) if settings.index else None,
        registries={name: _trust(index) for name, index in settings.registries.items()},
    )


def _trust(index: TrustedIndex) -> IndexTrust:
    return IndexTrust(index.url, index.root, index.keys, index.images)
