"""What Nix says while it works: its `--log-format internal-json`, line by line.

The format is Nix's own (src/libutil/logging.hh: action, activity and result types) and grows with its
releases, so whatever is not understood is passed over: a log never breaks a build.
"""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any, Literal

PREFIX = b"@nix "
COPY_PATH, FILE_TRANSFER, COPY_PATHS, BUILDS, BUILD = 100, 101, 103, 104, 105
BUILD_LINE, PROGRESS = 101, 105
ERROR, WARNING = 0, 1
LAST_LINES = 20
MOST_MESSAGES = 500
"""The rest is noise; the last ones are kept."""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_DATABASE = re.compile(
    r"database disk image is malformed|file is not a database|no such table|no such column"
    r"|database schema is|cannot open (?:Nix )?(?:SQLite )?database|disk I/O error"
)
_LOST_PATH = re.compile(
    r"(?:opening|reading|getting status of|path) (?:file |directory |symlink |link )?"
    r"'/nix/store/[^']*'[^\n]*(?:No such file|does not exist)"
)
_STORE_NAME = re.compile(r"/nix/store/[0-9a-z]{32}-([^\s/'\"]+)")


class NixLog:
    """Reads the lines of one run of Nix; knows at any time how far it is and what it complained of."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=MOST_MESSAGES)
        """What Nix gives up for, in order, without colours."""
        self.traces: deque[str] = deque(maxlen=MOST_MESSAGES)
        """The same with the way there, from the outside in."""
        self.warnings: deque[str] = deque(maxlen=MOST_MESSAGES)
        self.plain: deque[str] = deque(maxlen=LAST_LINES)
        """Lines that are no log: what a program prints that dies before it can log."""
        self.note = ""
        """What is being done right now."""
        self._activities: dict[int, tuple[int, str]] = {}
        self._counts: dict[int, tuple[int, int]] = {}
        self._output: dict[str, deque[str]] = {}

    @property
    def done(self) -> int:
        """Derivations built and paths copied so far."""
        return sum(done for done, _ in self._counts.values())

    @property
    def expected(self) -> int:
        """How many of them there will be, as far as Nix knows."""
        return sum(max(done, expected) for done, expected in self._counts.values())

    @property
    def output(self) -> dict[str, tuple[str, ...]]:
        """The last lines each derivation's builder printed, by the derivation's path."""
        return {derivation: tuple(lines) for derivation, lines in self._output.items()}

    def damage(self) -> Literal["", "paths", "database"]:
        """What of the store itself is damaged, by what Nix complains of."""
        said = "\n".join((*self.errors, *self.plain))
        if _DATABASE.search(said):
            return "database"
        return "paths" if _LOST_PATH.search(said) else ""

    def feed(self, line: bytes) -> None:
        """Take one more line."""
        if not line.startswith(PREFIX):
            text = _clean(line.decode(errors="replace")).rstrip()
            if text:
                self.plain.append(text)
            return
        try:
            event = json.loads(line[len(PREFIX) :])
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict):
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        match event:
            case {"action": "msg", "level": int(level)}:
                whole = event.get("msg")
                text = event.get("raw_msg", whole)
                if isinstance(text, str):
                    self._message(level, _clean(text), _clean(whole) if isinstance(whole, str) else "")
            case {"action": "start", "id": int(number), "type": int(kind)}:
                self._start(number, kind, event)
            case {"action": "stop", "id": int(number)}:
                self._activities.pop(number, None)
            case {"action": "result", "id": int(number), "type": int(kind), "fields": list(fields)}:
                self._result(number, kind, fields)
            case _:
                return

    def _message(self, level: int, text: str, whole: str) -> None:
        if level == ERROR:
            self.traces.append(whole or text)
            self.errors.append(text.removeprefix("error:").strip())
        elif level == WARNING:
            self.warnings.append(text.removeprefix("warning:").strip())

    def _start(self, number: int, kind: int, event: dict[str, Any]) -> None:
        fields = event.get("fields")
        subject = fields[0] if isinstance(fields, list) and fields and isinstance(fields[0], str) else ""
        self._activities[number] = (kind, subject)
        verb = {BUILD: "building", COPY_PATH: "fetching", FILE_TRANSFER: "downloading"}.get(kind)
        if verb and subject:
            self.note = f"{verb} {_name_of(subject)}"

    def _result(self, number: int, kind: int, fields: list[Any]) -> None:
        activity, subject = self._activities.get(number, (0, ""))
        if kind == BUILD_LINE and activity == BUILD and fields and isinstance(fields[0], str):
            lines = self._output.setdefault(subject, deque(maxlen=LAST_LINES))
            lines.append(_clean(fields[0]).rstrip())
        elif kind == PROGRESS and activity in (COPY_PATHS, BUILDS):
            match fields:
                case [int(done), int(expected), *_] if done >= 0 and expected >= 0:
                    self._counts[number] = (done, expected)
                case _:
                    return


def _clean(text: str) -> str:
    return _ANSI.sub("", text)


def _name_of(subject: str) -> str:
    found = _STORE_NAME.search(subject)
    name = found[1] if found else subject.rsplit("/", 1)[-1]
    return name.removesuffix(".drv")
