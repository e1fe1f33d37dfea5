"""Revisions, tags, and what may be released at all."""

from __future__ import annotations

import pytest

from openhands_recipes.errors import ReleaseError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.release_record import ReleaseRecord, StateName
from openhands_recipes.publish.revision import (
    check_version,
    latest,
    next_revision,
    released_before,
    tags_of,
)
from tests.release_records import record

A, B = digest_of(b"a"), digest_of(b"b")


def test_the_first_release_of_a_version_is_revision_one() -> None:
    assert next_revision([], "1.0.0") == 1
    assert next_revision([record("1.0.0", 4)], "1.1.0") == 1


def test_revisions_go_up_by_one() -> None:
    assert next_revision([record("1.0.0", 1), record("1.0.0", 2), record("2.0.0", 9)], "1.0.0") == 3


def test_the_same_bytes_as_the_newest_revision_are_released_already() -> None:
    newest = record("1.0.0", 2, index=B)
    assert released_before([record("1.0.0", 1, index=A), newest], "1.0.0", B, tested=True) == newest


def test_the_bytes_of_an_older_revision_are_a_new_release() -> None:
    known = [record("1.0.0", 1, index=A), record("1.0.0", 2, index=B)]
    assert released_before(known, "1.0.0", A, tested=True) is None


def test_an_untested_release_is_not_enough_once_there_are_tests() -> None:
    known = [record("1.0.0", 1, index=A, tested=False)]
    assert released_before(known, "1.0.0", A, tested=True) is None
    assert released_before(known, "1.0.0", A, tested=False) == known[0]


@pytest.mark.parametrize("state", ["yanked", "blocked"])
def test_withdrawn_bytes_are_not_released_again_under_any_version(state: StateName) -> None:
    known = [record("1.0.0", 1, index=A, state=state, reason="malware")]
    with pytest.raises(ReleaseError) as caught:
        released_before(known, "2.0.0", A, tested=True)
    assert caught.value.code == "OHR402"
    assert "malware" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["1.0.0-r1", "1.0.0-rc.1-r22", "1.0.0-r3+build", "1.0.0+build-r3"])
def test_a_version_that_ends_like_a_revision_is_refused(version: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        check_version(version)
    assert caught.value.code == "OHR401"


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0-rc.1", "1.0.0-r", "1.0.0-r1.x", "1.0.0+r1"])
def test_other_versions_are_fine(version: str) -> None:
    check_version(version)


def test_a_versions_tag_stands_at_its_newest_revision_and_revision_tags_never_move() -> None:
    known = [record("1.0.0", 1, index=A), record("1.0.0", 2, index=B), record("1.1.0+x", 1, index=A)]
    assert tags_of(known) == {
        "1.0.0-r1": A,
        "1.0.0-r2": B,
        "1.0.0": B,
        "1.1.0_x-r1": A,
        "1.1.0_x": A,
    }


def test_a_versions_tag_leaves_a_withdrawn_revision() -> None:
    known = [record("1.0.0", 1, index=A), record("1.0.0", 2, index=B, state="yanked", reason="r")]
    assert tags_of(known)["1.0.0"] == A


def test_a_version_withdrawn_as_a_whole_keeps_its_tag() -> None:
    assert tags_of([record("1.0.0", 1, index=A, state="yanked", reason="r")])["1.0.0"] == A


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], None),
        ([record("1.0.0", 1), record("1.0.0", 2)], "sample@1.0.0-r2"),
        ([record("1.10.0", 1), record("1.9.0", 5)], "sample@1.10.0-r1"),
        ([record("1.0.0", 1), record("2.0.0-rc.1", 1)], "sample@1.0.0-r1"),
        ([record("2.0.0-rc.1", 1), record("2.0.0-rc.2", 1)], "sample@2.0.0-rc.2-r1"),
        ([record("1.0.0", 1), record("2.0.0", 1, state="yanked", reason="r")], "sample@1.0.0-r1"),
        ([record("1.0.0", 1), record("2.0.0", 1, state="deprecated", reason="r")], "sample@2.0.0-r1"),
        ([record("1.0.0", 1, state="blocked", reason="r")], None),
    ],
)
def test_the_latest_release_is_the_newest_usable_stable_one(
    known: list[ReleaseRecord], expected: str | None
) -> None:
    found = latest(known)
    assert (found.identity if found else None) == expected
