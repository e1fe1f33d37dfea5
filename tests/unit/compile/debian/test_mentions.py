from __future__ import annotations

from openhands_recipes.compile.debian.mentions import first_mention
from tests.debian_lists import stanza, suite


def test_a_relation_mentions_a_name_before_its_own_stanza_does() -> None:
    lists = [
        suite(stanza("x", depends="b | c (>= 1),\n d"), stanza("a"), stanza("b"), stanza("c"), stanza("d"))
    ]
    names = sorted("abcdx", key=lambda name: first_mention(lists, name))
    assert names == ["x", "b", "c", "d", "a"]


def test_the_fields_of_a_stanza_count_in_apts_order() -> None:
    lists = [suite(stanza("x", provides="p", depends="d", replaces="d, p, r", pre_depends="b"))]
    names = sorted("bdprx", key=lambda name: first_mention(lists, name))
    assert names == ["x", "b", "d", "p", "r"]


def test_neither_prose_nor_part_of_a_name_nor_another_architecture_is_a_mention() -> None:
    lists = [
        suite(stanza("x", description="a\n a b", depends="aa, a-b, a:any, ba"), stanza("b")),
        suite(stanza("a"), name="trixie-security"),
    ]
    assert first_mention(lists, "a")[0] == 1
    assert first_mention(lists, "b") < first_mention(lists, "a") < first_mention(lists, "nobody")
