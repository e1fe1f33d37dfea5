"""YAML text -> nodes with positions, from libyaml's events.

Never uses libyaml's composer (deep nesting crashes the process) and never gives a scalar a type: that
is the model's business (`shape.py`). What is refused here is refused for every document of ours:
other encodings, tags, directives, several documents, duplicate keys, and anything beyond the limits.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from openhands_recipes.compile.recipe.faults import Code, Fault

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000

# Tab, line feed and carriage return are the only control characters YAML text needs; the rest, the
# other Unicode line breaks and stray surrogate-like marks only ever hide something from a reviewer.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
NOT_A_KEY = "\0"  # scalars with this character are refused, so no real key is taken for it
LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)  # PyYAML built without libyaml has the same events


class Scalar(NamedTuple):
    """Text as written. `plain` is false for quoted and block scalars, which are always text."""

    text: str
    plain: bool
    line: int
    column: int


class Sequence(NamedTuple):
    """A list."""

    items: list[Node]
    line: int
    column: int


class Item(NamedTuple):
    """A mapping's value, and where its key stands."""

    value: Node
    line: int
    column: int


class Mapping(NamedTuple):
    """A mapping from texts; keys are compared as written, so that no two look the same."""

    items: dict[str, Item]
    line: int
    column: int


Node = Scalar | Sequence | Mapping


class _Stop(Exception):  # noqa: N818 - it ends a walk, nobody sees it
    """Going on would only report consequences."""


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("anchor", "height", "key", "node", "start")

    def __init__(self, node: Sequence | Mapping, anchor: str | None, start: int) -> None:
        self.node = node
        self.anchor = anchor
        self.start = start
        self.height = 1
        self.key: Scalar | None = None


class _Known(NamedTuple):
    """What an alias of an anchored node costs."""

    node: Node
    nodes: int
    height: int


class _Walk:
    """One pass over the events of one document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Known] = {}
        self.nodes = 0
        self.root: Node | None = None
        self.documents = 0

    def fault(self, code: Code, message: str, line: int, column: int, hint: str | None = None) -> None:
        self.faults.append(Fault(code, message, self.file, line, column, hint=hint))

    def run(self, events: Any) -> None:  # noqa: ANN401 - PyYAML's parsers have no common type
        """Feed every event of a parser, up to the end of the stream."""
        get_event = events.get_event
        others = {
            MappingStartEvent: self.open_mapping,
            SequenceStartEvent: self.open_sequence,
            MappingEndEvent: self.close,
            SequenceEndEvent: self.close,
            AliasEvent: self.alias,
            DocumentStartEvent: self.document,
        }
        while True:
            event = get_event()
            kind = type(event)
            if kind is ScalarEvent:
                self.scalar(event)
            elif kind in others:
                others[kind](event)
            elif kind is StreamEndEvent:
                return

    def document(self, event: Any) -> None:  # noqa: ANN401
        mark = event.start_mark
        self.documents += 1
        if self.documents > 1:
            self.fault(
                Code.YAML_FEATURE,
                "a second document begins here",
                mark.line + 1,
                mark.column + 1,
                "keep one document per file",
            )
            raise _Stop
        if event.version or event.tags:
            self.fault(
                Code.YAML_FEATURE,
                "YAML directives are not allowed",
                1,
                1,
                "remove the lines that begin with '%'",
            )

    def count(self, line: int, column: int, nodes: int = 1) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            self.fault(
                Code.TOO_MANY_VALUES,
                f"more than {MAX_NODES:,} values, aliases counted as often as they are used",
                line,
                column,
                "a recipe is a page of text; move bulk content into a package",
            )
            raise _Stop

    def refuse_tag(self, event: Any, line: int, column: int) -> None:  # noqa: ANN401
        if event.tag is not None:
            self.fault(
                Code.YAML_FEATURE,
                f"the tag '{event.tag}' is not allowed",
                line,
                column,
                "remove the tag; every value's type is known from its key",
            )

    def scalar(self, event: Any) -> None:  # noqa: ANN401
        mark = event.start_mark
        node = Scalar(event.value, not event.style, mark.line + 1, mark.column + 1)
        self.nodes += 1
        if self.nodes > MAX_NODES or event.tag is not None or event.anchor or "\0" in node.text:
            self.unusual_scalar(event, node)
        stack = self.stack
        if not stack:
            self.root = node
            return
        top = stack[-1]
        if top.key is not None:
            self.put_value(top, top.key, node)
        elif type(top.node) is Mapping:
            top.key = node
        else:
            top.node.items.append(node)  # type: ignore[union-attr]

    def unusual_scalar(self, event: Any, node: Scalar) -> None:  # noqa: ANN401
        self.count(node.line, node.column, 0)
        self.refuse_tag(event, node.line, node.column)
        if event.anchor:
            self.anchors[event.anchor] = _Known(node, 1, 0)
        if "\0" in node.text:
            self.fault(
                Code.CHARACTER, "the character U+0000 is not allowed", node.line, node.column, "remove it"
            )

    def open_mapping(self, event: Any) -> None:  # noqa: ANN401
        mark = event.start_mark
        self.open(event, Mapping({}, mark.line + 1, mark.column + 1))

    def open_sequence(self, event: Any) -> None:  # noqa: ANN401
        mark = event.start_mark
        self.open(event, Sequence([], mark.line + 1, mark.column + 1))

    def open(self, event: Any, node: Mapping | Sequence) -> None:  # noqa: ANN401
        if event.tag is not None:
            self.refuse_tag(event, node.line, node.column)
        self.deeper(1, node.line, node.column)
        self.stack.append(_Open(node, event.anchor, self.nodes))
        self.count(node.line, node.column)

    def close(self, _event: Any) -> None:  # noqa: ANN401
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = _Known(done.node, self.nodes - done.start, done.height)
        if self.stack:
            self.stack[-1].height = max(self.stack[-1].height, done.height + 1)
        self.put(done.node)

    def deeper(self, height: int, line: int, column: int) -> None:
        if len(self.stack) + height > MAX_DEPTH:
            self.fault(
                Code.TOO_DEEP,
                f"nested more than {MAX_DEPTH} levels deep",
                line,
                column,
                "no key of a recipe needs more than 6",
            )
            raise _Stop

    def alias(self, event: Any) -> None:  # noqa: ANN401
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        known = self.anchors.get(event.anchor)
        if known is None:
            self.fault(
                Code.YAML_FEATURE,
                f"the alias '*{event.anchor}' has no anchor before it",
                line,
                column,
                f"put '&{event.anchor}' in front of the value it means",
            )
            known = _Known(Scalar("", True, line, column), 1, 0)
        if self.stack:
            self.stack[-1].height = max(self.stack[-1].height, known.height + 1)
        self.deeper(known.height, line, column)
        self.count(line, column, known.nodes)
        self.put(known.node)

    def put(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if top.key is not None:
            self.put_value(top, top.key, node)
        elif type(top.node) is Sequence:
            top.node.items.append(node)
        else:
            top.key = self.as_key(node)

    def as_key(self, node: Node) -> Scalar:
        if type(node) is Scalar:
            return node
        self.fault(
            Code.YAML_FEATURE,
            "a key must be text, not a list or a mapping",
            node.line,
            node.column,
            "quote the key if it begins with '[' or '{'",
        )
        return Scalar(NOT_A_KEY, False, node.line, node.column)

    def put_value(self, top: _Open, key: Scalar, value: Node) -> None:
        top.key = None
        items: dict[str, Item] = top.node.items  # type: ignore[assignment]
        first = items.get(key.text)
        if first is None:
            if key.text != NOT_A_KEY:
                items[key.text] = Item(value, key.line, key.column)
            return
        self.fault(
            Code.DUPLICATE_KEY,
            f"the key '{key.text}' is written twice",
            key.line,
            key.column,
            f"the first one is in line {first.line}; merge the two",
        )


def read(content: bytes, *, file: str) -> tuple[Node | None, list[Fault]]:
    """The document's root node and every fault of its text.

    The node is None when the text could not be read to its end, or is empty.
    """
    text = _decode(content, file)
    if isinstance(text, Fault):
        return None, [text]
    walk = _Walk(file)
    try:
        walk.run(LOADER(text))
    except _Stop:
        return None, walk.faults
    except yaml.MarkedYAMLError as error:
        walk.faults.append(_syntax_fault(error, file))
        return None, walk.faults
    if walk.root is None:
        walk.fault(Code.NOT_A_MAPPING, "the document is empty", 1, 1)
    return walk.root, walk.faults


def _decode(content: bytes, file: str) -> str | Fault:
    if len(content) > MAX_BYTES:
        return Fault(
            Code.TOO_LARGE,
            f"the document has {len(content):,} bytes; at most {MAX_BYTES:,} are allowed",
            file,
            hint="a recipe is a page of text; move bulk content into a package",
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            message = "the document is UTF-16, not UTF-8"
        hint = "save the file with the encoding UTF-8"
        return Fault(Code.NOT_UTF8, message, file, *_place(before), hint=hint)
    match = FORBIDDEN.search(text)
    if match is None:
        return text
    if match.group() == "\ufeff" and match.start() == 0:
        message, hint = "the document begins with a byte order mark", "save the file as UTF-8 without BOM"
    else:
        message = f"the character U+{ord(match.group()):04X} is not allowed"
        hint = (
            "remove it" if match.group() == "\0" else "remove it, or write it as an escape in double quotes"
        )
    return Fault(Code.CHARACTER, message, file, *_place(text[: match.start()]), hint=hint)


def _place(before: str) -> tuple[int, int]:
    line = before.count("\n") + 1
    return line, len(before) - (before.rfind("\n") + 1) + 1


def _syntax_fault(error: yaml.MarkedYAMLError, file: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "not YAML"
    hint = None
    if "tab" in problem or "'\\t'" in problem or "cannot start any token" in problem:
        hint = "YAML is indented with spaces, never with tabs"
    elif "mapping values are not allowed" in problem:
        hint = "quote a text that contains ': ', and check the indentation"
    elif error.context_mark and mark and error.context_mark.line != mark.line:
        hint = f"what it belongs to began in line {error.context_mark.line + 1}"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    context = f" {error.context}" if error.context else ""
    return Fault(Code.SYNTAX, f"not YAML: {problem}{context}", file, line, column, hint=hint)
