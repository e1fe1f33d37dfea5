"""A release in a world in memory: what is published, in which order, and what a second one does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openhands_recipes.errors import LedgerConflictError, ReleaseError, VerificationError
from openhands_recipes.flows.release import release
from openhands_recipes.model.attestation import PREDICATES
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.release_record import EvidenceKind, State
from openhands_recipes.publish.referrers import fallback_tag
from openhands_recipes.publish.verify import verify_evidence
from tests.releases import (
    ADDRESS,
    COMMIT,
    CREATED,
    MemoryLedger,
    MemoryRegistry,
    Sample,
    doors,
    new_key,
    sample,
)

WHERE = "team/sample"
KEY = new_key()


@pytest.fixture
def first(tmp_path: Path) -> Sample:
    return sample(tmp_path / "first", platforms=("linux/amd64", "linux/arm64"))


@pytest.fixture
def second(tmp_path: Path) -> Sample:
    return sample(tmp_path / "second", b"another lock")


def bundles(registry: MemoryRegistry, subject: str) -> dict[str, bytes]:
    """Predicate type -> bundle, of everything that refers to a manifest."""
    found = {}
    for digest in registry.listed(WHERE, Digest(subject)):
        manifest = json.loads(registry.manifests[WHERE, digest].content)
        layer = manifest["layers"][0]["digest"]
        found[manifest["annotations"]["dev.sigstore.bundle.predicateType"]] = registry.blobs[WHERE, layer]
    return found


def test_a_release_is_recorded_as_it_was_made(first: Sample) -> None:
    world = doors(first)
    record = release(world, first.candidate, to=ADDRESS).record
    assert (record.identity, record.commit, record.lock) == ("sample@1.0.0-r1", COMMIT, digest_of(b"hello"))
    assert set(record.platforms) == {"linux/amd64", "linux/arm64"}
    assert record.platforms["linux/amd64"].size == first.candidate.images[0].size
    assert record.about.created == CREATED
    assert record.state == State(since="2026-01-02T03:04:05Z", by=7)
    assert world.ledger.releases("sample") == (record,)


def test_version_and_revision_are_tags_of_the_index(first: Sample) -> None:
    registry = MemoryRegistry()
    record = release(doors(first, registry=registry), first.candidate, to=ADDRESS).record
    assert registry.tags(WHERE) == {"1.0.0": record.index, "1.0.0-r1": record.index}


@pytest.mark.parametrize("native", [True, False], ids=["lists referrers", "does not"])
def test_all_evidence_refers_to_the_index_and_to_every_platform(first: Sample, native: bool) -> None:  # noqa: FBT001
    registry = MemoryRegistry(native=native)
    record = release(doors(first, registry=registry, key=KEY), first.candidate, to=ADDRESS).record
    subjects = [record.index, *(one.manifest for one in record.platforms.values())]
    kinds: tuple[EvidenceKind, ...] = ("signature", "provenance", "spdx", "cyclonedx", "tests")
    for subject in subjects:
        found = bundles(registry, subject)
        assert len(found) == len(kinds)
        for kind in kinds:
            statements = [
                verify_evidence(bundle, keys=[KEY.public], subject=Digest(subject), kind=kind)
                for predicate, bundle in found.items()
                if predicate == PREDICATES[kind]
            ]
            assert len(statements) == 1
    assert ((WHERE, fallback_tag(Digest(record.index))) in registry.manifests) is not native


def test_the_record_names_its_evidence_by_manifest(first: Sample) -> None:
    registry = MemoryRegistry()
    record = release(doors(first, registry=registry), first.candidate, to=ADDRESS).record
    named = [
        record.evidence.signature,
        record.evidence.provenance,
        record.evidence.sbom,
        record.evidence.tests,
    ]
    assert set(map(str, named)) <= registry.listed(WHERE, Digest(record.index))


def test_the_same_again_is_no_release(first: Sample) -> None:
    world = doors(first)
    once = release(world, first.candidate, to=ADDRESS)
    again = release(world, first.candidate, to=ADDRESS)
    assert (once.new, again.new) == (True, False)
    assert again.record == once.record
    assert len(world.ledger.releases("sample")) == 1
    assert again.report.uploaded_bytes == 0


def test_other_content_of_the_same_version_is_the_next_revision_and_the_tag_moves(
    first: Sample, second: Sample
) -> None:
    ledger, registry = MemoryLedger(), MemoryRegistry()
    old = release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS).record
    new = release(doors(second, ledger=ledger, registry=registry), second.candidate, to=ADDRESS).record
    assert (old.revision, new.revision) == (1, 2)
    assert registry.tags(WHERE) == {"1.0.0": new.index, "1.0.0-r1": old.index, "1.0.0-r2": new.index}


def test_bytes_that_were_withdrawn_are_not_released_again(first: Sample) -> None:
    world = doors(first)
    record = release(world, first.candidate, to=ADDRESS).record
    state = State(name="blocked", since=record.state.since, reason="malware", by=1)
    world = replace(world, ledger=MemoryLedger([record.with_state(state)]))
    with pytest.raises(ReleaseError) as caught:
        release(world, first.candidate, to=ADDRESS)
    assert caught.value.code == "OHR402"


def test_untested_is_released_as_such_and_tests_later_make_a_revision(first: Sample) -> None:
    untested = replace(first, candidate=replace(first.candidate, proofs={}))
    ledger, registry = MemoryLedger(), MemoryRegistry()
    before = release(doors(untested, ledger=ledger, registry=registry), untested.candidate, to=ADDRESS).record
    after = release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS).record
    assert (before.evidence.tests, after.revision, after.index) == (None, 2, before.index)
    assert after.evidence.tests is not None


def test_lost_evidence_is_put_back_by_the_next_run(first: Sample) -> None:
    registry = MemoryRegistry()
    world = doors(first, registry=registry, key=KEY)
    record = release(world, first.candidate, to=ADDRESS).record
    complete = dict(registry.manifests)
    for referrer in record.referrers[:3]:
        del registry.manifests[WHERE, referrer.manifest]
    del registry.manifests[WHERE, fallback_tag(Digest(record.index))]
    release(world, first.candidate, to=ADDRESS)
    assert registry.manifests == complete


def test_evidence_that_cannot_be_made_again_is_said_to_be_gone(
    first: Sample, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, registry = MemoryLedger(), MemoryRegistry()
    record = release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS).record
    del registry.manifests[WHERE, record.evidence.signature]
    with caplog.at_level(logging.WARNING):
        release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS)
    assert "gone from the registry" in caplog.text


def test_a_list_of_referrers_that_somebody_emptied_is_made_again_and_foreign_entries_stay(
    first: Sample,
) -> None:
    registry = MemoryRegistry()
    world = doors(first, registry=registry)
    record = release(world, first.candidate, to=ADDRESS).record
    tag = fallback_tag(Digest(record.index))
    foreign = {"mediaType": "x", "digest": digest_of(b"scan"), "size": 4}
    stored = registry.manifests[WHERE, tag]
    registry.manifests[WHERE, tag] = replace(stored, content=json.dumps({"manifests": [foreign]}).encode())
    release(world, first.candidate, to=ADDRESS)
    manifests = json.loads(registry.manifests[WHERE, tag].content)["manifests"]
    assert len(manifests) == 6
    assert foreign in manifests


def test_a_revision_tag_that_somebody_moved_is_never_accepted(first: Sample, second: Sample) -> None:
    ledger, registry = MemoryLedger(), MemoryRegistry()
    world = doors(first, ledger=ledger, registry=registry)
    release(world, first.candidate, to=ADDRESS)
    new = release(doors(second, ledger=ledger, registry=registry), second.candidate, to=ADDRESS).record
    registry.manifests[WHERE, "1.0.0-r1"] = registry.manifests[WHERE, new.index]
    with pytest.raises(VerificationError) as caught:
        release(doors(second, ledger=ledger, registry=registry), second.candidate, to=ADDRESS)
    assert caught.value.code == "OHR405"


def test_whoever_is_overtaken_takes_the_next_revision(first: Sample, second: Sample) -> None:
    ledger, registry = MemoryLedger(), MemoryRegistry()
    overtake: list[Callable[[], object]] = [
        lambda: release(doors(second, ledger=ledger, registry=registry), second.candidate, to=ADDRESS)
    ]

    def before_append() -> None:
        if overtake:
            overtake.pop()()

    ledger.before_append = before_append
    mine = release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS).record
    assert mine.revision == 2
    assert registry.tags(WHERE)["1.0.0"] == mine.index


def test_whoever_is_overtaken_by_the_same_release_has_nothing_left_to_say(first: Sample) -> None:
    ledger, registry = MemoryLedger(), MemoryRegistry()
    overtake = [lambda: release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS)]

    def before_append() -> None:
        if overtake:
            overtake.pop()()

    ledger.before_append = before_append
    released = release(doors(first, ledger=ledger, registry=registry), first.candidate, to=ADDRESS)
    assert (released.new, len(ledger.kept)) == (False, 1)


def test_a_ledger_that_never_stands_still_is_given_up(first: Sample) -> None:
    ledger = MemoryLedger()

    def always() -> None:
        raise LedgerConflictError("again")

    ledger.before_append = always
    with pytest.raises(LedgerConflictError, match="20 other publishers"):
        release(doors(first, ledger=ledger), first.candidate, to=ADDRESS)


def test_the_index_is_refreshed_after_the_ledger_and_before_the_tags(first: Sample) -> None:
    registry, seen = MemoryRegistry(), []
    world = doors(first, registry=registry)

    def refresh(names: object) -> None:
        seen.append(
            (names, [r.identity for r in world.ledger.releases("sample")], dict(registry.tags(WHERE)))
        )

    release(replace(world, refresh_index=refresh), first.candidate, to=ADDRESS)
    assert seen == [(["sample"], ["sample@1.0.0-r1"], {})]


def test_a_version_that_ends_like_a_revision_reaches_no_registry(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    made = sample(tmp_path, version="1.0.0-r2")
    with pytest.raises(ReleaseError):
        release(doors(made, registry=registry), made.candidate, to=ADDRESS)
    assert not registry.manifests
