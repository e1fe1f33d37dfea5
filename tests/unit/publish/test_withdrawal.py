"""States of releases: which steps there are, and what each needs."""

from __future__ import annotations

import pytest

from openhands_recipes.errors import ReleaseError, VerificationError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.release_record import STATES, State, StateName
from openhands_recipes.publish.bundle import sign_bundle
from openhands_recipes.publish.verify import unverified_change, verify_change
from openhands_recipes.publish.withdrawal import (
    change_of,
    check_successor,
    chosen,
    next_states,
    statement_of,
)
from tests.release_records import MOMENT, record
from tests.releases import new_key


def state(name: StateName, reason: str = "because", successor: str | None = None) -> State:
    return State(name=name, since=MOMENT, reason=reason, successor=successor, by=2)


def code(error: pytest.ExceptionInfo[ReleaseError]) -> str:
    return error.value.code


OLD, NEW = record("1.0.0", 1), record("2.0.0", 1)


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES[1:])
def test_states_change_in_one_direction_only(before: StateName, after: StateName) -> None:
    target = record("1.0.0", 1, state=before, reason="earlier")
    if STATES.index(after) > STATES.index(before):
        assert next_states([target, NEW], [target], state(after)) == (target,)
    else:
        with pytest.raises(ReleaseError) as caught:
            next_states([target, NEW], [target], state(after))
        assert code(caught) == "OHR406"


def test_a_state_reached_before_for_the_same_reason_is_nothing_to_do() -> None:
    there = record("1.0.0", 1, state="yanked", reason="because")
    assert next_states([there, NEW], [there], state("yanked")) == ()


def test_the_newest_release_is_not_yanked_without_a_successor() -> None:
    with pytest.raises(ReleaseError) as caught:
        next_states([OLD, NEW], [NEW], state("yanked"))
    assert code(caught) == "OHR407"


def test_the_newest_release_is_yanked_with_a_successor_or_after_a_deprecation_or_blocked() -> None:
    deprecated = record("2.0.0", 1, state="deprecated", reason="r")
    assert next_states([OLD, NEW], [NEW], state("yanked", successor="sample@1.0.0")) == (NEW,)
    assert next_states([OLD, deprecated], [deprecated], state("yanked")) == (deprecated,)
    assert next_states([OLD, NEW], [NEW], state("blocked")) == (NEW,)


def test_an_older_release_is_yanked_without_more_ado() -> None:
    assert next_states([OLD, NEW], [OLD], state("yanked")) == (OLD,)


def test_a_version_means_all_its_revisions_and_a_revision_only_itself() -> None:
    known = [record("1.0.0", 2), record("1.0.0", 1), record("1.0.1", 1)]
    assert [one.revision for one in chosen(known, "sample@1.0.0")] == [1, 2]
    assert [one.revision for one in chosen(known, "sample@1.0.0-r2")] == [2]


@pytest.mark.parametrize("text", ["sample@9.9.9", "sample@1.0.0-r7"])
def test_a_release_that_never_was_is_named_with_those_that_were(text: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        chosen([OLD, NEW], text)
    assert code(caught) == "OHR408"
    assert "sample@2.0.0-r1" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["sample", "sample@", "@1.0.0", "Sample@1.0.0", "sample@1.0", "a@b@1.0.0"])
def test_what_names_no_release_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="names no release"):
        chosen([OLD], text)


def test_a_successor_must_be_usable_and_not_be_withdrawn_itself() -> None:
    gone = record("0.9.0", 1, state="yanked", reason="r")
    check_successor([OLD, NEW, gone], "sample@2.0.0", [OLD])
    for successor, leaving in (("sample@0.9.0", OLD), ("sample@1.0.0", OLD)):
        with pytest.raises(ReleaseError) as caught:
            check_successor([OLD, NEW, gone], successor, [leaving])
        assert code(caught) == "OHR409"


def test_a_signed_change_says_which_release_and_is_believed_for_no_other() -> None:
    key = new_key()
    change = change_of(OLD, state("yanked"), number=3)
    envelope = sign_bundle(statement_of(change).to_bytes(), key)
    assert unverified_change(envelope, "somewhere") == change
    assert verify_change(envelope, keys=[key.public], record=OLD) == change
    with pytest.raises(VerificationError) as caught:
        verify_change(envelope, keys=[key.public], record=NEW)
    assert caught.value.code == "OHR413"
    with pytest.raises(VerificationError) as caught:
        verify_change(envelope, keys=[key.public], record=record("1.0.0", 1, index=digest_of(b"other")))
    assert caught.value.code == "OHR413"
    with pytest.raises(VerificationError) as caught:
        verify_change(envelope, keys=[new_key().public], record=OLD)
    assert caught.value.code == "OHR411"


def test_evidence_is_no_change_of_state() -> None:
    key = new_key()
    change = change_of(OLD, state("yanked"), number=1)
    statement = statement_of(change)
    other = type(statement)(statement.subjects, "https://spdx.dev/Document", statement.predicate)
    with pytest.raises(VerificationError) as caught:
        verify_change(sign_bundle(other.to_bytes(), key), keys=[key.public], record=OLD)
    assert caught.value.code == "OHR414"
