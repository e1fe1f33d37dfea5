from __future__ import annotations

import json
from typing import Any

from openhands_recipes.compile.nix.log import LAST_LINES, NixLog

DERIVATION = "/nix/store/8i7dmd8nm9564v59mrf4rjn787gfjagc-bad-1.0.drv"


def event(**fields: Any) -> bytes:
    return b"@nix " + json.dumps(fields).encode()


def read(*lines: bytes) -> NixLog:
    log = NixLog()
    for line in lines:
        log.feed(line)
    return log


def test_builds_and_copies_are_counted_as_nix_counts_them() -> None:
    log = read(
        event(action="start", id=1, level=0, parent=0, text="", type=104),
        event(action="start", id=2, level=0, parent=0, text="", type=103),
        event(action="result", id=1, type=105, fields=[1, 3, 1, 0]),
        event(action="result", id=2, type=105, fields=[4, 9, 0, 0]),
        event(action="result", id=1, type=105, fields=[2, 3, 1, 0]),
    )
    assert (log.done, log.expected) == (6, 12)


def test_what_is_being_done_is_told_by_its_name() -> None:
    log = read(event(action="start", id=3, level=3, type=105, text="building", fields=[DERIVATION, "", 1, 1]))
    assert log.note == "building bad-1.0"
    log.feed(event(action="start", id=4, level=3, type=100, text="", fields=[DERIVATION[:-4], "a", "b"]))
    assert log.note == "fetching bad-1.0"
    log.feed(
        event(action="start", id=5, level=3, type=101, text="", fields=["https://example.org/nar/x.nar"])
    )
    assert log.note == "downloading x.nar"


def test_the_last_lines_of_a_builder_are_kept_without_colours() -> None:
    start = event(action="start", id=3, level=3, type=105, text="", fields=[DERIVATION, "", 1, 1])
    said = [event(action="result", id=3, type=101, fields=[f"\x1b[31mline\x1b[0m {n}"]) for n in range(50)]
    log = read(start, *said, event(action="stop", id=3))
    assert log.output == {DERIVATION: tuple(f"line {n}" for n in range(50 - LAST_LINES, 50))}


def test_errors_are_kept_with_and_without_the_way_there() -> None:
    whole = "\x1b[31;1merror:\x1b[0m\n  … while calling\n  error: undefined variable 'x'"
    log = read(event(action="msg", level=0, msg=whole, raw_msg="undefined variable '\x1b[35;1mx\x1b[0m'"))
    assert list(log.errors) == ["undefined variable 'x'"]
    assert "while calling" in log.traces[0]
    assert list(read(event(action="msg", level=1, msg="warning: careful")).warnings) == ["careful"]


def test_lines_that_are_no_log_are_kept_as_they_are() -> None:
    assert list(read(b"error: out of memory", b"", b"@nix {not json", b"@nix [1]").plain) == [
        "error: out of memory"
    ]


def test_a_damaged_store_is_recognised_by_what_nix_complains_of() -> None:
    def damage(text: str) -> str:
        return read(event(action="msg", level=0, msg=text)).damage()

    assert damage("executing SQLite statement: database disk image is malformed") == "database"
    assert damage("opening file '/nix/store/abc-x.drv': No such file or directory") == "paths"
    assert damage("undefined variable 'x'") == ""
