"""What YAML text is refused, where, and what is left of the rest."""

from __future__ import annotations

import time

import pytest
import yaml

from openhands_recipes.compile.recipe import events
from openhands_recipes.compile.recipe.events import Mapping, Scalar, Sequence, read
from openhands_recipes.compile.recipe.faults import Code


def only_fault(content: bytes) -> str:
    _, (fault,) = read(content, file="f.yaml")
    return f"{fault.code} {fault.message} @{fault.where}"


def test_values_and_keys_know_their_places() -> None:
    root, faults = read(b"a: [x, 'y']\nb:\n  c: |\n    text\n", file="f.yaml")
    assert faults == []
    assert isinstance(root, Mapping)
    value, line, column = root.items["a"]
    assert (line, column) == (1, 1)
    assert value == Sequence([Scalar("x", True, 1, 5), Scalar("y", False, 1, 8)], 1, 4)
    inner, line, column = root.items["b"]
    assert (line, column) == (2, 1)
    assert isinstance(inner, Mapping)
    assert inner.items["c"] == (Scalar("text\n", False, 3, 6), 3, 3)


def test_columns_count_characters_not_bytes() -> None:
    root, _ = read("{é: ü}".encode(), file="f.yaml")
    assert isinstance(root, Mapping)
    assert root.items["é"].value == Scalar("ü", True, 1, 5)


def test_a_megabyte_is_refused_unread() -> None:
    assert (
        only_fault(b"a" * 2**20)
        == "OHR001 the document has 1,048,576 bytes; at most 262,144 are allowed @f.yaml"
    )


def test_120_000_nested_brackets_are_refused_quickly() -> None:
    began = time.process_time()
    assert only_fault(b"[" * 120_000) == "OHR005 nested more than 32 levels deep @f.yaml:1:33"
    assert only_fault(b"a: " + b"{x: " * 60_000) == "OHR005 nested more than 32 levels deep @f.yaml:1:128"
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "bomb", [b"- " * 100_000, b"? " * 100_000, b"a:\n" + b" -\n" * 5, b"[" * 32 + b"]" * 32]
)
def test_other_ways_to_nest_end_as_well(bomb: bytes) -> None:
    _, faults = read(bomb, file="f.yaml")
    assert {fault.code for fault in faults} <= {Code.TOO_DEEP}


def test_an_alias_bomb_is_counted_by_what_it_stands_for() -> None:
    lines = [b"a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip(b"abcdefg", b"bcdefgh", strict=True):
        lines.append(b"%c: &%c [" % (name, name) + b", ".join([b"*%c" % before] * 10) + b"]")
    _, (fault,) = read(b"\n".join(lines), file="f.yaml")
    assert fault.code == Code.TOO_MANY_VALUES
    assert fault.message == "more than 20,000 values, aliases counted as often as they are used"


def test_aliases_do_not_get_around_the_depth() -> None:
    lines = [
        b"a: &a [" + b"[" * 15 + b"]" * 15 + b"]",
        b"b: &b [" + b"[" * 10 + b"*a" + b"]" * 10 + b"]",
        b"c: [[[[[*b]]]]]",
    ]
    _, (fault,) = read(b"\n".join(lines), file="f.yaml")
    assert (fault.code, fault.line) == (Code.TOO_DEEP, 3)


def test_an_alias_is_its_anchor() -> None:
    root, faults = read(b"a: &x 1\nb: [*x, &y [2], *y]", file="f.yaml")
    assert faults == []
    assert isinstance(root, Mapping)
    listed = root.items["b"].value
    assert isinstance(listed, Sequence)
    assert listed.items == [Scalar("1", True, 1, 4), listed.items[1], listed.items[1]]


def test_every_duplicate_key_is_reported() -> None:
    _, faults = read(b"a: 1\na: 2\nb: {c: 1, 'c': 2}\n", file="f.yaml")
    assert [f"{fault.message} @{fault.where}" for fault in faults] == [
        "the key 'a' is written twice @f.yaml:2:1",
        "the key 'c' is written twice @f.yaml:3:11",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: \xe9", "OHR002 byte 0xe9 is not UTF-8 @f.yaml:1:4"),
        ("a: 1".encode("utf-16"), "OHR002 the document is UTF-16, not UTF-8 @f.yaml:1:1"),
        (b"\xef\xbb\xbfa: 1", "OHR003 the document begins with a byte order mark @f.yaml:1:1"),
        (b"a: 1\n# \x07", "OHR003 the character U+0007 is not allowed @f.yaml:2:3"),
        ('a: "\u2066"'.encode(), "OHR003 the character U+2066 is not allowed @f.yaml:1:5"),
        (b'a: "\\0"', "OHR003 the character U+0000 is not allowed @f.yaml:1:4"),
        (b"a: !!str x", "OHR008 the tag 'tag:yaml.org,2002:str' is not allowed @f.yaml:1:4"),
        (b"a: ! x", "OHR008 the tag '!' is not allowed @f.yaml:1:4"),
        (b"a: !t [x]", "OHR008 the tag '!t' is not allowed @f.yaml:1:4"),
        (b"%TAG ! x:\n---\na: 1", "OHR008 YAML directives are not allowed @f.yaml:1:1"),
        (b"a: 1\n---\nb: 2", "OHR008 a second document begins here @f.yaml:2:1"),
        (b"a: *b", "OHR008 the alias '*b' has no anchor before it @f.yaml:1:4"),
        (b"{[a]: b, c: d}", "OHR008 a key must be text, not a list or a mapping @f.yaml:1:2"),
        (b"", "OHR009 the document is empty @f.yaml:1:1"),
        (b"a: b: c", "OHR004 not YAML: mapping values are not allowed in this context @f.yaml:1:5"),
    ],
)
def test_what_is_not_our_yaml_is_named(content: bytes, expected: str) -> None:
    assert only_fault(content) == expected


def test_reading_goes_on_after_a_fault_that_allows_it() -> None:
    root, faults = read(b"{[a]: b, c: !t d}", file="f.yaml")
    assert len(faults) == 2
    assert isinstance(root, Mapping)
    assert list(root.items) == ["c"]


def test_a_python_without_libyaml_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a: &x [1, 'two']\nb:\n  c: *x\n  d: |\n    three\n"
    fast = read(text, file="f.yaml")
    monkeypatch.setattr(events, "LOADER", yaml.Loader)
    assert read(text, file="f.yaml") == fast
