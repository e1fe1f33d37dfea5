"""Bytes -> any of our YAML models, with every fault at its place. Knows nothing about recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from openhands_recipes.compile.recipe.events import Item, Mapping, Node, Sequence, read
from openhands_recipes.compile.recipe.faults import Code, Fault
from openhands_recipes.compile.recipe.shape import (
    ListOf,
    OneOf,
    Record,
    Shape,
    Shaping,
    TableOf,
    choose,
    path_text,
    shape_of,
    shorten,
)
from openhands_recipes.model.forms import WORDS

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
KEY = "[key]"
"""What pydantic appends to the location of a fault in a mapping's key."""


@dataclass(frozen=True)
class Understood(Generic[M]):
    """What could be made of a document.

    `model` is None unless the document's shape is right. `values` are the plain values, None where one
    did not fit; `faulty` names the top-level keys something is wrong with.
    """

    model: M | None
    root: Node | None
    values: dict[str, Any]
    faults: tuple[Fault, ...]
    faulty: frozenset[str]


def understand(content: bytes, *, file: str, model: type[M]) -> Understood[M]:
    """Read a document as far as it can be read. Never raises."""
    root, faults = read(content, file=file)
    if root is None:
        return Understood(None, None, {}, tuple(faults), frozenset())
    shape = shape_of(model)
    shaping = Shaping()
    values = shaping.value(root, shape, ())
    spoilt = {(fault.line, fault.column) for fault in faults}  # what the reader refused has no shape to judge
    faults += [
        Fault(m.code, m.message, file, m.line, m.column, path_text(m.path), m.hint, m.fix)
        for m in shaping.misfits
        if (m.line, m.column) not in spoilt
    ]
    paths = [m.path for m in shaping.misfits]
    result = None
    if values is not None:
        try:
            result = model.model_validate(values)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                complaint = _complaint(details, root, shape, shaping.unfit)
                if complaint:
                    path, fault = complaint
                    paths.append(path)
                    faults.append(Fault(file=file, **fault))
    faulty = frozenset(str(path[0]) for path in paths if path)
    return Understood(result if not faults else None, root, values or {}, tuple(faults), faulty)


def locate(root: Node | None, path: Path) -> tuple[int, int]:
    """Line and column of a value: of its key in a mapping, of itself in a list.

    A path that leads nowhere stops at the nearest thing that is there.
    """
    if root is None:
        return 0, 0
    node, place = root, (root.line, root.column)
    for part in path:
        if type(node) is Mapping and isinstance(part, str) and part in node.items:
            node, *place_of_key = node.items[part]
            place = (place_of_key[0], place_of_key[1])
        elif type(node) is Sequence and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = (node.line, node.column)
        else:
            break
    return place


def locate_value(root: Node | None, path: Path) -> tuple[int, int]:
    """Line and column of the value itself, as `locate` otherwise."""
    if path and (item := _item(root, path)) is not None:
        return item.value.line, item.value.column
    return locate(root, path)


def _item(node: Node | None, path: Path) -> Item | None:
    """The mapping item a path ends at."""
    for part in path[:-1]:
        if type(node) is Mapping and isinstance(part, str) and part in node.items:
            node = node.items[part].value
        elif type(node) is Sequence and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    last = path[-1]
    return node.items.get(last) if type(node) is Mapping and isinstance(last, str) else None


def _complaint(
    details: ErrorDetails, root: Node, shape: Record, unfit: set[Path]
) -> tuple[Path, dict[str, Any]] | None:
    """A pydantic error in our words, unless it is about a value already complained about."""
    path, known = _our_path(details["loc"], root, shape)
    if path is None or any(path[:n] in unfit for n in range(len(path) + 1)):
        return None
    about_key = details["loc"][-1] == KEY
    line, column = locate(root, path) if about_key else locate_value(root, path)
    if details["type"] == "missing":
        line, column = locate_value(root, path[:-1])
    code, message, hint = _words(details, path, known)
    return path, {
        "code": code,
        "message": message,
        "line": line,
        "column": column,
        "path": path_text(path),
        "hint": hint,
    }


def _our_path(loc: tuple[int | str, ...], root: Node, shape: Shape) -> tuple[Path | None, Record | None]:
    """The location pydantic gives without its union tags, and the record its last key belongs to.

    None for a complaint about a union member the document did not mean.
    """
    path: list[str | int] = []
    node: Node | None = root
    record: Record | None = None
    for part in loc:
        if type(shape) is OneOf and node is not None:
            meant = choose(node, shape)
            tag = part if any(part == record.model for record in shape.records) else None
            if tag != (meant.model if type(meant) is Record else None):
                return None, None
            shape = meant
            continue
        if part == KEY:
            break
        path.append(part)
        record = shape if type(shape) is Record else None
        shape, node = _step(shape, node, part)
    return tuple(path), record


def _step(shape: Shape, node: Node | None, part: int | str) -> tuple[Shape, Node | None]:
    below = None
    if type(node) is Mapping and part in node.items:
        below = node.items[str(part)].value
    elif type(node) is Sequence and isinstance(part, int):
        below = node.items[part]
    match shape:
        case Record():
            return shape.fields[str(part)], below
        case ListOf():
            return shape.item, below
        case TableOf():
            return shape.value, below
        case _:
            return shape, below


def _words(  # noqa: PLR0911 - a table with a row per kind of error
    details: ErrorDetails, path: Path, record: Record | None
) -> tuple[Code, str, str | None]:
    """Code, message and hint for a pydantic error."""
    name, value, limits = path_text(path), details["input"], details.get("ctx", {})
    match details["type"]:
        case "missing":
            help_text = record.help.get(str(path[-1])) if record else None
            return Code.MISSING_KEY, f"'{name}' is missing", help_text and f"{path[-1]}: {help_text}"
        case "string_pattern_mismatch":
            message = f"'{name}' cannot be {shorten(value)}"
            if details["loc"][-1] == KEY:
                message = f"{shorten(value)} cannot be a key of '{path_text(path[:-1])}'"
            return Code.WRONG_FORM, message, WORDS.get(limits["pattern"])
        case "literal_error":
            return _not_a_choice(name, value, limits["expected"])
        case "string_too_long":
            message = f"'{name}' has {len(value)} characters; at most {limits['max_length']} are allowed"
            return Code.OUT_OF_RANGE, message, None
        case "string_too_short" | "too_short":
            return Code.OUT_OF_RANGE, f"'{name}' must not be empty", None
        case "greater_than_equal" | "greater_than":
            least = limits["ge"] if "ge" in limits else limits["gt"] + 1
            return Code.OUT_OF_RANGE, f"'{name}' is {value}; it must be at least {least}", None
        case "less_than_equal":
            return Code.OUT_OF_RANGE, f"'{name}' is {value}; it must be at most {limits['le']}", None
        case other:  # a constraint the models do not use yet
            raise NotImplementedError(f"no words for pydantic's {other} at {name}")


def _not_a_choice(name: str, value: Any, expected: str) -> tuple[Code, str, str]:  # noqa: ANN401 - any scalar
    if name == "schema":
        hint = f"this version reads schema {expected}; a newer one may read more"
        return Code.SCHEMA_NUMBER, f"schema {value} is not known", hint
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    said = str(value).lower() if isinstance(value, bool) else f"'{value}'"
    allowed = ", ".join(choice.lower() if choice == "True" else choice for choice in choices)
    return Code.NOT_A_CHOICE, f"'{name}' cannot be {said}", f"allowed: {allowed}"
