"""Searching the bundle."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.index import Listed
from openhands_recipes.publish.index import find
from openhands_recipes.publish.index.find import Bundle, Query
from openhands_recipes.publish.index.lists import (
    bundle_of,
    names_of,
    packed_list,
    read_bundle,
    read_names,
)


def one(name: str, summary: str = "", *, tags: str = "", tools: str = "", state: str = "active") -> Listed:
    return Listed(name, "1.0.0-r1", state, "linux/amd64", tags, tools, summary)


LISTED = (
    one("python", "The language", tags="python", tools="git pypi:numpy"),
    one("python-data", "Numbers and plots", tags="python data", tools="git"),
    one("my-python", "Something of mine"),
    one("node", "JavaScript, not Python", tags="node", tools="nodejs"),
    one("bad-python", "Malware", state="blocked"),
)


def bundle(recipes: Iterable[Listed]) -> Bundle:
    return Bundle(bundle_of(b"", recipes))


BUNDLE = bundle(LISTED)


def names(query: Query, among: Bundle = BUNDLE) -> list[str]:
    return [hit.name for hit in among.find(query).hits]


def test_names_come_before_mentions() -> None:
    assert names(Query(("python",))) == ["python", "python-data", "my-python", "node"]


def test_every_word_must_occur_somewhere_in_either_case() -> None:
    assert names(Query(("PYTHON", "plots"))) == ["python-data"]
    assert names(Query(("python", "absent"))) == []


def test_tags_tools_and_platforms_filter() -> None:
    assert names(Query(("python",), tags=("data",))) == ["python-data"]
    assert names(Query(tools=("numpy",))) == ["python"]
    assert names(Query(tools=("git",))) == ["python", "python-data"]
    assert names(Query(("node",), platform="linux/arm64")) == []
    assert names(Query(platform="linux/amd64"))[0] == "node"


def test_what_is_blocked_is_not_found() -> None:
    assert "bad-python" not in names(Query(("python",)))


def test_a_word_too_common_is_still_found_first_where_it_is_a_name() -> None:
    many = [one(f"a{n:05}", "a python thing") for n in range(3 * find.LOOKED_AT)]
    made = bundle([*many, one("my-python"), one("python"), one("python-x")])
    found = made.find(Query(("python",)), limit=3)
    assert [hit.name for hit in found.hits] == ["python", "python-x", "my-python"]
    assert found.more
    assert len(made) == len(many) + 3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.from_regex(r"\A[a-c]{2,4}(-[a-c]{1,2})?\Z"), min_size=1, max_size=12, unique=True),
    st.from_regex(r"\A[a-c]{1,3}\Z"),
)
def test_exactly_the_lines_that_hold_the_word_are_found(words: list[str], word: str) -> None:
    made = bundle([one(name, f"About {name[::-1]}") for name in words])
    expected = {name for name in words if word in name or word in f"about {name[::-1]}" or word in "amd64"}
    assert set(names(Query((word,)), made)) == expected


@settings(max_examples=60, deadline=None)
@given(st.sets(st.from_regex(r"\A[a-c]{2,4}(-[a-c]{1,2})?\Z"), min_size=1), st.from_regex(r"\A[a-c]{1,3}\Z"))
def test_names_that_begin_with_a_word_are_found_by_their_order(words: set[str], word: str) -> None:
    made = bundle(map(one, words))
    starts = list(made._named(word.encode()))
    assert [made._listed(start).name for start in starts] == sorted(n for n in words if n.startswith(word))


def test_a_changed_bundle_is_the_one_made_at_once() -> None:
    first = bundle_of(b"", LISTED[:3])
    again = bundle_of(first, (*LISTED[3:], one("python", "Changed\tby a tab")))
    assert read_bundle(packed_list(again)) == again
    assert b"Changed by a tab" in again
    assert read_names(packed_list(names_of(again)))["node"] == ("1.0.0-r1", "active")


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"\A[a-c]{2,4}\Z"), st.text(alphabet="aBcÄ ß.Z9\r", max_size=12), max_size=20
    )
)
def test_what_is_found_is_what_was_listed(recipes: dict[str, str]) -> None:
    listed = [one(name, summary) for name, summary in recipes.items()]
    made = Bundle(read_bundle(packed_list(bundle_of(b"", listed))))
    assert set(made.find(Query(platform="linux/amd64")).hits) == set(listed)
    assert len(made) == len(listed)


def test_a_line_without_all_fields_is_refused() -> None:
    with pytest.raises(VerificationError, match="not understood") as caught:
        names(Query(("python",)), Bundle(b"openhands-recipes search 1\npython\t1.0.0-r1\n"))
    assert caught.value.code == "OHR439"


def test_a_filter_means_whole_words_in_either_case() -> None:
    assert names(Query(tags=("DATA",))) == ["python-data"]
    assert names(Query(tools=("num",))) == []
