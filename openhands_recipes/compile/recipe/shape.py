"""Shape: what a model expects where, and how a YAML scalar becomes the value it expects.

A plain scalar has no type of its own here. Where the model wants a number, `8000` is one; where it
wants text, `3.10` is refused, because YAML 1.2 (core schema, section 10.3.2) reads a number and would
drop its zero, and the editor beside us does too. `no` and `2028-06-30` are text in YAML 1.2.
"""

from __future__ import annotations

import functools
import re
import types
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from openhands_recipes.compile.recipe.events import Mapping, Node, Scalar, Sequence
from openhands_recipes.compile.recipe.faults import Code, did_you_mean
from openhands_recipes.compile.recipe.scalars import NULL, NUMBER, TRUTH, is_not_text

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class Text:
    """A string."""

    says = "text"


@dataclass(frozen=True)
class Whole:
    """An integer."""

    says = "a whole number"


@dataclass(frozen=True)
class Truth:
    """A boolean."""

    says = "true or false"


@dataclass(frozen=True)
class ListOf:
    """A list of one kind of value."""

    item: Shape
    says = "a list"


@dataclass(frozen=True)
class TableOf:
    """A mapping with free keys."""

    value: Shape
    says = "a mapping"


@dataclass(frozen=True)
class Record:
    """A mapping with the keys of a model."""

    model: str
    fields: dict[str, Shape] = field(hash=False)
    help: dict[str, str] = field(hash=False)
    says = "a mapping"


@dataclass(frozen=True)
class OneOf:
    """A scalar or a record, or one of several records told apart by their keys."""

    scalar: Text | Whole | Truth | None
    listed: ListOf | None
    records: tuple[Record, ...]

    @property
    def says(self) -> str:
        """What a reader may write."""
        kinds = [k.says for k in (self.scalar, self.listed) if k is not None]
        return " or ".join(kinds + (["a mapping"] if self.records else []))


Shape = Text | Whole | Truth | ListOf | TableOf | Record | OneOf


@functools.cache
def shape_of(model: type[BaseModel]) -> Record:
    """What documents of a model look like."""
    fields, help_texts = {}, {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        fields[key] = _shape(info.annotation)
        help_texts[key] = info.description or ""
    return Record(model.__name__, fields, help_texts)


SCALARS: dict[type, Text | Whole | Truth] = {str: Text(), int: Whole(), bool: Truth()}


def _shape(annotation: Any) -> Shape:  # noqa: ANN401 - a type expression
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0])
    if origin is Literal:
        return SCALARS[type(arguments[0])]
    if origin is tuple:
        return ListOf(_shape(arguments[0]))
    if origin is dict:
        return TableOf(_shape(arguments[1]))
    if origin in {Union, types.UnionType}:
        return _union([_shape(a) for a in arguments if a is not types.NoneType])
    return SCALARS[annotation] if annotation in SCALARS else shape_of(annotation)


def _union(members: list[Shape]) -> Shape:
    if len(members) == 1:
        return members[0]
    scalar = next((m for m in members if isinstance(m, Text | Whole | Truth)), None)
    listed = next((m for m in members if isinstance(m, ListOf)), None)
    return OneOf(scalar, listed, tuple(m for m in members if isinstance(m, Record)))


@dataclass(frozen=True)
class Misfit:
    """A fault of shape, before it has a file: where it stands and what to say."""

    code: Code
    path: tuple[str | int, ...]
    message: str
    line: int
    column: int
    hint: str | None = None
    fix: str | None = None


class Shaping:
    """Turns nodes into the plain values pydantic validates, noting what does not fit.

    A value that does not fit becomes None, and its path is remembered in `unfit`, so that pydantic's
    opinion on it can be left out.
    """

    def __init__(self) -> None:
        self.misfits: list[Misfit] = []
        self.unfit: set[tuple[str | int, ...]] = set()

    def value(self, node: Node, shape: Shape, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401
        """The plain value of a node, or None."""
        kind = type(shape)
        if kind is OneOf:
            shape = choose(node, shape)  # type: ignore[arg-type]
            kind = type(shape)
        if type(node) is Scalar:
            if kind is Text and (not node.plain or not is_not_text(node.text)):
                return node.text
            return self.scalar(node, shape, path)
        if type(node) is Mapping:
            if kind is Record:
                return self.record(node, shape, path)  # type: ignore[arg-type]
            if kind is TableOf:
                of = shape.value  # type: ignore[union-attr]
                return {key: self.value(item[0], of, (*path, key)) for key, item in node.items.items()}
        elif type(node) is Sequence and kind is ListOf:
            of = shape.item  # type: ignore[union-attr]
            return [self.value(item, of, (*path, i)) for i, item in enumerate(node.items)]
        return self.wrong_type(node, shape, path)

    def record(self, node: Mapping, shape: Record, path: tuple[str | int, ...]) -> dict[str, Any]:
        """The values of a record's known keys; unknown ones are misfits."""
        values = {}
        fields = shape.fields
        for key, (value, line, column) in node.items.items():
            expected = fields.get(key)
            if expected is None:
                self.unknown_key(key, shape, path, line=line, column=column)
            else:
                values[key] = self.value(value, expected, (*path, key))
        return values

    def unknown_key(
        self, key: str, shape: Record, path: tuple[str | int, ...], *, line: int, column: int
    ) -> None:
        """Note a key no model field has."""
        hint = did_you_mean(key, shape.fields)
        if key == "<<":
            hint = "merge keys belong to YAML 1.1; put what recipes share into a module and extend it"
        elif hint is None:
            hint = "known keys: " + ", ".join(shape.fields)
        where = f" in '{path_text(path)}'" if path else ""
        self.misfits.append(
            Misfit(Code.UNKNOWN_KEY, (*path, key), f"unknown key '{key}'{where}", line, column, hint)
        )

    def scalar(self, node: Scalar, shape: Shape, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401
        """A scalar where the model wants a number or a boolean, or a text it might not be."""
        if node.plain:
            if NULL.fullmatch(node.text):
                return self.empty(node, shape, path)
            if type(shape) is Whole and WHOLE.fullmatch(node.text):
                return int(node.text)
            if type(shape) is Truth and node.text in {"true", "false"}:
                return node.text == "true"
            if type(shape) is Text:
                return self.ambiguous(node, path)
        return self.wrong_type(node, shape, path)

    def empty(self, node: Scalar, shape: Shape, path: tuple[str | int, ...]) -> None:
        """Note a key without a value."""
        hint = f"give it {shape.says}, or remove the key"
        self.note(Code.WRONG_TYPE, node, path, f"'{path_text(path)}' has no value", hint)

    def ambiguous(self, node: Scalar, path: tuple[str | int, ...]) -> None:
        """Note a text that YAML reads as something else."""
        kind = "a number" if NUMBER.fullmatch(node.text) else "a boolean"
        message = f"'{path_text(path)}' is text, but YAML reads {node.text} as {kind}"
        quoted = f'"{node.text}"'
        self.note(Code.QUOTE_IT, node, path, message, f"quote it: {quoted}", fix=quoted)

    def wrong_type(self, node: Node, shape: Shape, path: tuple[str | int, ...]) -> None:
        """Note a value of another kind than the model wants."""
        found = describe(node)
        hint = None
        if type(shape) is ListOf and type(node) is Scalar:
            hint = f"write [{node.text}]"
        elif type(node) is Scalar and not node.plain and type(shape) is not Text:
            hint = "remove the quotes" if WHOLE.fullmatch(node.text) or TRUTH.fullmatch(node.text) else None
        name = path_text(path)
        subject = f"'{name}'" if name else "the document"
        self.note(Code.WRONG_TYPE, node, path, f"{subject} must be {shape.says}, not {found}", hint)

    def note(  # noqa: PLR0913 - a misfit has that many sides
        self,
        code: Code,
        node: Node,
        path: tuple[str | int, ...],
        message: str,
        hint: str | None,
        *,
        fix: str | None = None,
    ) -> None:
        """Remember a misfit and that its value is not to be judged further."""
        self.unfit.add(path)
        self.misfits.append(Misfit(code, path, message, node.line, node.column, hint, fix))


def choose(node: Node, shape: OneOf) -> Shape:
    """The member of a union that a node is meant to be."""
    if type(node) is Scalar and shape.scalar is not None:
        return shape.scalar
    if type(node) is Sequence and shape.listed is not None:
        return shape.listed
    if type(node) is Mapping and shape.records:
        return max(shape.records, key=lambda record: len(record.fields.keys() & node.items.keys()))
    return shape


def describe(node: Node) -> str:
    """What a node is, in a reader's words."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(text, True) if NUMBER.fullmatch(text):
            return f"the number {text}"
        case Scalar(text, True) if TRUTH.fullmatch(text):
            return text
        case Scalar(text):
            return f"the text {shorten(text)}"


def shorten(text: str, limit: int = 60) -> str:
    """A text fit for a message: quoted, on one line, not too long."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return f"'{visible}'" if len(text) <= limit else f"'{visible}...'"


def path_text(path: tuple[str | int, ...]) -> str:
    """`tests[0].stdout.matches`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out
