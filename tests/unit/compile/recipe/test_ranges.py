"""Version ranges: what they allow and whether several can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_version import Version

from openhands_recipes.compile.recipe.ranges import allows, can_hold, intersection, parse_range


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (">=13", "14"), ("^3.13", "3.13"), ("3.13", "3.13"), (">= 13, < 15", "14"), ("~1.2.3", "1.2.9"),
        ("1.x", "1.99"), ("*", "0"), (">=1.2 <2 || ^3", "3.5.1"), ("1.2.3 - 2.0", "2.0.7"), ("<=20", "20.19"),
    ],
)  # fmt: skip
def test_versions_inside_a_range(text: str, version: str) -> None:
    assert allows(text, version)


@pytest.mark.parametrize(
    ("text", "version"),
    [(">=13", "12"), ("^1.2", "2"), ("3.13", "3.14"), (">=1.2,<2", "2"), ("<3.13", "3.13")],
)
def test_versions_outside_a_range(text: str, version: str) -> None:
    assert not allows(text, version)


@pytest.mark.parametrize("text", ["", "==3.13", "latest", "!=2", "foo", ">=", "1.2.3.4.5", "1;2", "^", "> <"])
def test_what_is_not_a_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"version range|NPM block|Invalid"):
        parse_range(text)


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ((), True), ((">=13", "<14"), True), ((">=14", "<14"), False), (("^1.2", "^2"), False),
        (("^1.2", "1.5.x"), True), ((">1.2.3", "<1.2.4"), False), ((">1.2.3", "<=1.2.4"), True),
        (("^1||^3", ">=2"), True), (("^1||^3", ">=2,<3"), False), ((">=1.0.0-rc.1", "<1.0.0"), True),
    ],
)  # fmt: skip
def test_ranges_can_hold_together_or_not(ranges: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001
    assert can_hold(frozenset(ranges)) is expected


SIMPLE = st.builds(
    lambda operator, major, minor: f"{operator}{major}.{minor}",
    st.sampled_from(["^", "~", ">=", "<", ">", "<=", "="]), st.integers(0, 4), st.integers(0, 4),
)  # fmt: skip
RANGES = st.lists(SIMPLE, min_size=1, max_size=2).map(" ".join)
UNIONS = st.lists(RANGES, min_size=1, max_size=2).map(" || ".join)
EVERY_VERSION = [f"{major}.{minor}.{patch}" for major in range(7) for minor in range(7) for patch in range(2)]


@given(st.lists(UNIONS, min_size=1, max_size=3))
def test_ranges_can_hold_together_exactly_when_some_version_is_in_all(ranges: list[str]) -> None:
    some = any(all(allows(r, version) for r in ranges) for version in EVERY_VERSION)
    assert can_hold(frozenset(ranges)) is some


@given(st.lists(UNIONS, min_size=1, max_size=3), st.sampled_from(EVERY_VERSION))
def test_an_intersection_allows_what_all_allow(ranges: list[str], version: str) -> None:
    together = parse_range(intersection(ranges)).match(Version(version))
    assert together == all(allows(r, version) for r in ranges)
