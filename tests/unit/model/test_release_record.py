"""Records of releases as the ledger keeps them."""

from __future__ import annotations

import json

import pytest

from openhands_recipes.errors import NewerSchemaError, ReleaseError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.release_record import (
    PlatformRelease,
    Referrer,
    State,
    newest,
    parse_identity,
    read_change,
    read_record,
    write_record,
)
from openhands_recipes.publish.withdrawal import change_of
from tests.release_records import DIGEST, MOMENT, record

FULL = record("1.2.0", 3).model_copy(
    update={
        "commit": "a" * 40,
        "platforms": {"linux/amd64": PlatformRelease(manifest=DIGEST, size=1, layers=(DIGEST,))},
        "referrers": (Referrer(subject=DIGEST, manifest=DIGEST, size=5, kind="tests"),),
    }
)


def test_a_record_is_read_as_it_was_written() -> None:
    assert read_record(write_record(FULL), where="x") == FULL


def test_the_written_form_is_the_agreed_one() -> None:
    value = json.loads(write_record(FULL))
    agreed = {
        "schema", "name", "version", "revision", "commit", "lock", "index", "platforms", "evidence",
        "permissions", "state",
    }  # fmt: skip
    assert agreed <= set(value)
    assert set(value) - agreed == {"about", "referrers"}
    assert set(value["evidence"]) == {"signature", "provenance", "sbom", "tests"}
    assert set(value["platforms"]["linux/amd64"]) == {"manifest", "size", "layers"}
    assert value["state"] == {"name": "active", "since": MOMENT, "reason": None, "successor": None, "by": 1}


def test_an_actor_is_a_number_or_a_word_and_stays_it() -> None:
    for by in (1234, "somebody", None):
        state = State(since=MOMENT, by=by)
        written = write_record(FULL.with_state(state))
        assert read_record(written, where="x").state.by == by


def test_places_and_names_say_version_and_revision() -> None:
    assert FULL.identity == "sample@1.2.0-r3"
    assert FULL.path == "releases/sample/1.2.0-r3.json"
    change = change_of(FULL, State(name="yanked", since=MOMENT), number=2)
    assert change.path == "states/sample/1.2.0-r3/0002.json"
    assert read_change(write_record(change), where="x") == change


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a1@1.2.0", ("a1", "1.2.0", None)),
        ("a1@1.2.0-r12", ("a1", "1.2.0", 12)),
        ("a1@1.2.0-rc.1", ("a1", "1.2.0-rc.1", None)),
        ("a1@1.2.0-rc.1+b-r2", ("a1", "1.2.0-rc.1+b", 2)),
    ],
)
def test_identities_are_taken_apart(text: str, expected: tuple[str, str, int | None]) -> None:
    assert parse_identity(text) == expected


def test_a_newer_schema_is_told_apart_from_nonsense() -> None:
    with pytest.raises(NewerSchemaError, match="schema 2"):
        read_record(b'{"schema": 2, "whatever": 1}', where="x")
    for nonsense in (b"", b"[]", b'{"schema": 0}', b'{"schema": "2"}'):
        with pytest.raises(ReleaseError) as caught:
            read_record(nonsense, where="x")
        assert caught.value.code == "OHR400"


@pytest.mark.parametrize(
    "change",
    [
        {"index": "sha256:abc"},
        {"revision": 0},
        {"name": "../up"},
        {"version": "1.0"},
        {"commit": "HEAD"},
        {"unknown": 1},
        {"state": {"name": "active", "since": "yesterday"}},
        {"platforms": {"windows/amd64": {"manifest": DIGEST, "size": 1, "layers": []}}},
    ],
    ids=str,
)
def test_what_does_not_belong_in_a_record_is_refused(change: dict[str, object]) -> None:
    value = json.loads(write_record(FULL)) | change
    with pytest.raises(ReleaseError):
        read_record(json.dumps(value).encode(), where="x")


def test_the_newest_of_several_is_the_highest_revision() -> None:
    assert newest([]) is None
    assert newest([record("1.0.0", 2), record("1.0.0", 10), record("1.0.0", 9)]) == record("1.0.0", 10)


def test_the_moment_of_release_outlives_its_states() -> None:
    changed = FULL.with_state(State(name="yanked", since="2027-01-01T00:00:00Z"))
    assert changed.released == FULL.released == MOMENT
    assert digest_of(write_record(changed)) != digest_of(write_record(FULL))
