"""How a fragment's listing lies on disk: JSON, a column per field.

Columns load several times faster than one object per entry, and most of the rarely used ones are empty.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from itertools import accumulate, repeat
from typing import Any

from openhands_recipes.model.fragment import ControlFile, Entry, Fragment, Kind, Span

FORMAT = 1
_KINDS = {str(kind): kind for kind in Kind}
_COLUMNS = ("path", "mode", "uid", "gid", "size", "mtime", "link", "uname", "gname", "sha256")


def dump_listing(fragment: Fragment) -> bytes:
    """The bytes of a listing; paths that are not UTF-8 survive as escapes."""
    entries = fragment.entries
    columns: dict[str, Any] = {
        name: _packed([getattr(entry, name) for entry in entries]) for name in _COLUMNS
    }
    document = {
        "format": FORMAT,
        "key": fragment.key,
        "bytes": fragment.size,
        "kind": "".join(entry.kind for entry in entries),
        "length": [span.length for span in fragment.spans],
        **columns,
        "device": {str(i): entry.device for i, entry in enumerate(entries) if entry.device != (0, 0)},
        "xattrs": {
            str(i): [(name, _text(value)) for name, value in entry.xattrs]
            for i, entry in enumerate(entries)
            if entry.xattrs
        },
        "control": {name: (file.mode, _text(file.content)) for name, file in fragment.control.items()},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def load_listing(raw: bytes) -> Fragment | None:
    """The fragment a listing tells of; None when it is damaged or of another format."""
    try:
        document = json.loads(raw)
        if document["format"] != FORMAT:
            return None
        return _fragment(document)
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _fragment(document: dict[str, Any]) -> Fragment:
    kinds = [_KINDS[flag] for flag in document["kind"]]
    count = len(kinds)
    column = {name: _unpacked(document[name], count) for name in _COLUMNS}
    devices, xattrs = document["device"], document["xattrs"]
    entries = list(
        map(
            Entry, column["path"], kinds, column["mode"], column["uid"], column["gid"], column["size"],
            column["mtime"], column["link"], column["uname"], column["gname"],
            repeat((0, 0)), repeat(()), column["sha256"],
        )
    )  # fmt: skip
    for index, device in devices.items():
        entries[int(index)] = entries[int(index)]._replace(device=(device[0], device[1]))
    for index, pairs in xattrs.items():
        decoded = tuple((name, base64.b64decode(value)) for name, value in pairs)
        entries[int(index)] = entries[int(index)]._replace(xattrs=decoded)
    lengths = document["length"]
    ends = list(accumulate(lengths, initial=0))
    if not count == len(lengths) == len(entries) or ends[-1] != document["bytes"]:
        raise ValueError("columns of different length")
    control = {
        name: ControlFile(mode, base64.b64decode(text)) for name, (mode, text) in document["control"].items()
    }
    spans = tuple(map(Span, ends, lengths))
    return Fragment(document["key"], tuple(entries), spans, document["bytes"], control)


def _packed(column: list[Any]) -> Any:  # noqa: ANN401 - a list, or the one value all entries share
    return column[0] if column and column.count(column[0]) == len(column) else column


def _unpacked(column: Any, count: int) -> Iterable[Any]:  # noqa: ANN401 - the same
    return column if isinstance(column, list) else repeat(column, count)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
