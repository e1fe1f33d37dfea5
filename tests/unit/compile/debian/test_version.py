from __future__ import annotations

from itertools import pairwise

import pytest

from openhands_recipes.compile.debian.version import Operator, satisfies, sort_key, upstream_of
from openhands_recipes.errors import ResolutionError

ASCENDING = (
    "0~~",
    "0~~a",
    "0~",
    "0",
    "0a",
    "0+",
    "0.1",
    "1.0~rc1",
    "1.0",
    "1.0a",
    "1.0.1",
    "1.9",
    "1.10",
    "1:0.5",
)


def test_versions_sort_as_the_manual_page_says() -> None:
    assert all(sort_key(lower) < sort_key(higher) for lower, higher in pairwise(ASCENDING))


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1.0-0"), ("1.0", "0:1.0"), ("1.01", "1.1"), ("1.", "1.0"), ("1.0-", "1.0"), ("a", "a0")],
)
def test_versions_dpkg_calls_equal_have_one_key(one: str, other: str) -> None:
    assert sort_key(one) == sort_key(other)


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("", (True, True, True)),
        ("<<", (True, False, False)),
        ("<=", (True, True, False)),
        ("=", (False, True, False)),
        (">=", (False, True, True)),
        (">>", (False, False, True)),
    ],
)
def test_every_operator_means_what_policy_says(operator: Operator, holds: tuple[bool, ...]) -> None:
    assert tuple(satisfies(version, operator, "2") for version in ("1", "2", "3")) == holds


@pytest.mark.parametrize("text", ["", "1 0", "x:1", "1_0", "¹", "-1:2", ":1"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ResolutionError, match="not a Debian version"):
        sort_key(text)


@pytest.mark.parametrize(
    ("version", "upstream"), [("4:14.2.0-1", "14.2.0"), ("1.0", "1.0"), ("1-2-3", "1-2"), ("2:3", "3")]
)
def test_the_upstream_version_has_no_epoch_and_no_revision(version: str, upstream: str) -> None:
    assert upstream_of(version) == upstream
