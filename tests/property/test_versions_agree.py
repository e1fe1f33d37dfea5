"""Our order of versions is dpkg's, and debian-inspector's where that accepts the version."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from debian_inspector.version import compare_versions
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.debian.version import sort_key

PIECES = st.sampled_from(("0", "1", "2", "10", "01", "a", "b", "Z", "+", ".", "~", "rc", "dfsg", "deb13u"))


def versions() -> st.SearchStrategy[str]:
    epoch = st.sampled_from(("", "", "0:", "1:", "12:"))
    upstream = st.lists(PIECES, max_size=6).map("".join)
    revision = st.just("") | st.lists(PIECES, min_size=1, max_size=4).map(
        lambda pieces: "-" + "".join(pieces)
    )
    return st.tuples(epoch, st.sampled_from("012"), upstream, revision).map("".join)


def order_of(one: str, other: str) -> int:
    return (sort_key(one) > sort_key(other)) - (sort_key(one) < sort_key(other))


@settings(max_examples=60, deadline=None)
@given(versions(), versions())
def test_dpkg_orders_versions_as_we_do(one: str, other: str) -> None:
    if not shutil.which("dpkg"):
        pytest.skip("this machine lacks dpkg")
    sign = {-1: "lt", 0: "eq", 1: "gt"}[order_of(one, other)]
    assert subprocess.run(["dpkg", "--compare-versions", one, sign, other], check=False).returncode == 0


@settings(deadline=None)
@given(versions(), versions())
def test_debian_inspector_orders_versions_as_we_do(one: str, other: str) -> None:
    try:
        theirs = compare_versions(one, other)
    except ValueError:  # it refuses versions that end in a sign
        return
    assert theirs == order_of(one, other)


@settings(deadline=None)
@given(versions(), versions(), versions())
def test_the_order_is_transitive(one: str, two: str, three: str) -> None:
    lowest, middle, highest = sorted((one, two, three), key=sort_key)
    assert order_of(lowest, middle) <= 0
    assert order_of(middle, highest) <= 0
    assert order_of(lowest, highest) <= 0
