from __future__ import annotations

import json

import pytest

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.kept import KeptLevel
from openhands_recipes.publish.index.codec import packed_json
from openhands_recipes.publish.index.kept import lineage_to_keep, read_kept, write_kept


def level(name: str, *parents: KeptLevel) -> KeptLevel:
    named = [{"name": parent.name, "lock": digest_of(parent.lock)} for parent in parents]
    return KeptLevel(name, f"name: {name}\n".encode(), json.dumps({"of": name, "parents": named}).encode())


FLOOR = level("floor")
TOOLS = level("tools", FLOOR)
LOCK = digest_of(TOOLS.lock)


def read_from(*levels: KeptLevel) -> object:
    def read(name: str, lock: Digest) -> KeptLevel | None:
        return next((one for one in levels if one.name == name and digest_of(one.lock) == lock), None)

    return lineage_to_keep("tools", LOCK, read)


def test_a_release_is_kept_with_all_it_builds_on_lowest_first() -> None:
    assert read_from(TOOLS, FLOOR) == (FLOOR, TOOLS)
    assert read_kept(write_kept((FLOOR, TOOLS)), name="tools", lock=LOCK) == (FLOOR, TOOLS)


def test_half_a_lineage_is_not_kept() -> None:
    assert read_from(TOOLS) is None
    assert read_from(FLOOR) is None


def test_a_lineage_with_another_registry_in_it_is_not_kept() -> None:
    other = level("acme/floor")
    own = level("tools", other)

    def read(name: str, _: Digest) -> KeptLevel:
        return own if name == "tools" else other

    assert lineage_to_keep("tools", digest_of(own.lock), read) is None


@pytest.mark.parametrize(
    "levels",
    [
        (),
        (TOOLS,),
        (TOOLS, FLOOR),
        (FLOOR, FLOOR, TOOLS),
        (level("floor", TOOLS), TOOLS),
        (FLOOR, level("tools")),
        (FLOOR, KeptLevel("acme/x", b"", b"{}"), TOOLS),
    ],
)
def test_what_is_not_the_lineage_of_the_lock_is_refused(levels: tuple[KeptLevel, ...]) -> None:
    with pytest.raises(VerificationError) as caught:
        read_kept(write_kept(levels), name="tools", lock=LOCK)
    assert caught.value.code == "OHR439"


@pytest.mark.parametrize(
    "value", [{"schema": 1}, {"schema": 1, "levels": [{}]}, {"schema": 1, "levels": 3}, {"schema": 2}, []]
)
def test_what_is_no_kept_lineage_is_refused(value: object) -> None:
    with pytest.raises(VerificationError):
        read_kept(packed_json(value), name="tools", lock=LOCK)


def test_a_lock_without_parents_is_refused() -> None:
    broken = (KeptLevel("tools", b"", b"[]"),)
    with pytest.raises(VerificationError):
        read_kept(write_kept(broken), name="tools", lock=digest_of(b"[]"))
