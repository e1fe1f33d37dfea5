from __future__ import annotations

import pytest

from openhands_recipes.compile.debian.relations import Relation, parse_field, parse_flat, text_of
from openhands_recipes.errors import ResolutionError


def test_a_field_is_groups_of_alternatives_in_their_order() -> None:
    field = "libc6 (>= 2.38), default-mta | mail-transport-agent,\n python3:any(<<3.14) , foo:amd64"
    assert parse_field(field) == (
        (Relation("libc6", ">=", "2.38"),),
        (Relation("default-mta"), Relation("mail-transport-agent")),
        (Relation("python3", "<<", "3.14", "any"),),
        (Relation("foo", qualifier="amd64"),),
    )


def test_an_empty_field_asks_for_nothing() -> None:
    assert parse_field("") == ()
    assert parse_field(" , ") == ()


def test_the_obsolete_signs_mean_or_equal() -> None:
    less, more = parse_flat("a (< 2), b (> 2)")
    assert (less.operator, more.operator) == ("<=", ">=")
    assert less.accepts("2")
    assert more.accepts("2")


def test_a_group_prints_as_it_was_written() -> None:
    written = "a:any (>= 1~) | b | c (= 1:2-3)"
    assert text_of(parse_field(written)[0]) == written


@pytest.mark.parametrize(
    "text", ["a (>= )", "a (1)", "(>= 1)", "a b", "a (>= 1) [amd64]", "a | | b", "a (>= 1", "é"]
)
def test_a_malformed_relation_is_refused(text: str) -> None:
    with pytest.raises(ResolutionError, match="not a package relation"):
        parse_field(text)
