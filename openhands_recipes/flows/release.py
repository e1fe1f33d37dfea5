"""`ohr release`: a tested image becomes a release, and is a release for everybody or for nobody.

Order: blobs, manifests, referrers, ledger, index, tags. Nothing before the ledger can be found by whoever
asks for a version; everything after it is derived from the ledger, and made again by the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openhands_recipes.errors import LedgerConflictError
from openhands_recipes.flows.candidate import Candidate
from openhands_recipes.flows.push import order_of
from openhands_recipes.flows.release_evidence import SignedEvidence, sign
from openhands_recipes.flows.release_registry import Shelf
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.model.release_record import PlatformRelease, ReleaseRecord, State
from openhands_recipes.ports import Clock, Progress, PushOrder, PushReport
from openhands_recipes.ports.artifacts import ArtifactRegistry
from openhands_recipes.ports.ledger import Ledger
from openhands_recipes.ports.signer import Signer
from openhands_recipes.publish.provenance import Origin
from openhands_recipes.publish.revision import check_version, next_revision, released_before

log = logging.getLogger(__name__)

ATTEMPTS = 20
"""How many other publishers may be faster than we before we give up."""

RefreshIndex = Callable[[Sequence[str]], None]
"""Bring the published index up to the ledger, for these recipes at least."""


@dataclass(frozen=True)
class ReleaseDoors:
    """What a release needs of the world."""

    ledger: Ledger
    registry: ArtifactRegistry
    blobs: Callable[[Digest], Path]
    signer: Signer
    origin: Origin
    actor: int | str | None
    progress: Progress
    clock: Clock
    refresh_index: RefreshIndex | None = None


@dataclass(frozen=True)
class Released:
    """One release, new or from before."""

    record: ReleaseRecord
    new: bool
    report: PushReport
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The record `ohr release --format json` prints."""
        return {
            "release": self.record.identity,
            "new": self.new,
            "reference": self.report.reference,
            "record": self.record.model_dump(mode="json", by_alias=True),
            **{f"{what}_bytes": size for what, size in self.report.bytes.items()},
            "seconds": round(self.seconds, 3),
        }


def release(doors: ReleaseDoors, candidate: Candidate, *, to: RegistryAddress) -> Released:
    """Release a candidate, or finish or confirm the release it already is.

    Raises:
        ReleaseError: these bytes were withdrawn, or the version's form is refused.
        RegistryError, LedgerError: refused or broken off; the next run goes on.
        VerificationError: the registry serves other bytes than were released.
    """
    check_version(candidate.version)
    began = doors.clock.monotonic()
    order = replace(order_of(candidate.images, to), tags=())
    shelf = Shelf(doors.registry, order.repository)
    doors.ledger.head()
    known = _released_before(doors, candidate, order)
    report = _push(doors, order, to)
    if known is None:
        record, new = _announce(doors, candidate, order, _put_evidence(doors, shelf, candidate, order))
    else:
        record, new = known, False
        _restore_evidence(doors, shelf, candidate, order, known)
    _derive(doors, shelf, record)
    return Released(record, new, report, doors.clock.monotonic() - began)


def _released_before(doors: ReleaseDoors, candidate: Candidate, order: PushOrder) -> ReleaseRecord | None:
    releases = doors.ledger.releases(candidate.name)
    tested = bool(candidate.proofs)
    return released_before(releases, candidate.version, _index_of(order), tested=tested)


def _index_of(order: PushOrder) -> Digest:
    return digest_of(order.index or b"")


def _push(doors: ReleaseDoors, order: PushOrder, to: RegistryAddress) -> PushReport:
    """Have the images there; manifests speak for their blobs, without which no registry takes them."""
    wanted = (_index_of(order), *(image.digest for image in order.images))
    if all(doors.registry.manifest(order.repository, one) is not None for one in wanted):
        present = sum(image.size for image in order.images) + len(order.index or b"")
        reference = f"{to.host}/{order.repository}@{wanted[0]}"
        return PushReport(reference, wanted[0], 0, 0, present, len(wanted))
    total = sum(image.size for image in order.images) + len(order.index or b"")
    with doors.progress.stage("push", total=total, unit="bytes") as stage:
        return doors.registry.push(order, blobs=doors.blobs, stage=stage)


def _put_evidence(
    doors: ReleaseDoors, shelf: Shelf, candidate: Candidate, order: PushOrder
) -> SignedEvidence:
    with doors.progress.stage("sign"):
        evidence = sign(candidate, order.index or b"", doors.origin, doors.signer)
    with doors.progress.stage("referrers"):
        shelf.put_evidence(evidence)
    return evidence


def _announce(
    doors: ReleaseDoors, candidate: Candidate, order: PushOrder, evidence: SignedEvidence
) -> tuple[ReleaseRecord, bool]:
    """Write the record; if others write meanwhile, look again what is free, or whether it is done."""
    with doors.progress.stage("ledger") as stage:
        for attempt in range(ATTEMPTS):
            head = doors.ledger.head()
            known = _released_before(doors, candidate, order)
            if known is not None:
                return known, False
            releases = doors.ledger.releases(candidate.name)
            record = _record(doors, candidate, order, evidence, next_revision(releases, candidate.version))
            Shelf(doors.registry, order.repository).list_evidence((*releases, record), record)
            stage.note(record.identity)
            try:
                doors.ledger.append([record], expected=head, reason=f"Release {record.identity}")
            except LedgerConflictError as error:
                log.info("%s; attempt %d", error.message, attempt + 2)
            else:
                return record, True
    raise LedgerConflictError(f"{ATTEMPTS} other publishers were faster", hint="run it again")


def _record(
    doors: ReleaseDoors, candidate: Candidate, order: PushOrder, evidence: SignedEvidence, revision: int
) -> ReleaseRecord:
    index = _index_of(order)
    moment = doors.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return ReleaseRecord(
        name=candidate.name,
        version=candidate.version,
        revision=revision,
        commit=doors.origin.commit,
        lock=candidate.lock,
        index=index,
        platforms={
            image.platform: PlatformRelease(
                manifest=image.digest, size=image.size, layers=tuple(layer.digest for layer in image.layers)
            )
            for image in candidate.images
        },
        evidence=evidence.summary(index),
        referrers=evidence.records,
        permissions=candidate.permissions,
        about=candidate.about,
        state=State(since=moment, by=doors.actor),
    )


def _restore_evidence(
    doors: ReleaseDoors, shelf: Shelf, candidate: Candidate, order: PushOrder, record: ReleaseRecord
) -> None:
    """Bring back evidence the registry has lost: signatures of keys are the same every time."""
    if not shelf.missing_evidence(record):
        return
    origin = replace(doors.origin, commit=record.commit)
    evidence = sign(candidate, order.index or b"", origin, doors.signer)
    if evidence.records != record.referrers:
        log.warning(
            "evidence of %s is gone from the registry and cannot be made again here: "
            "another key, builder or version of this toolkit made it",
            record.identity,
        )
        return
    with doors.progress.stage("referrers"):
        shelf.put_evidence(evidence)


def _derive(doors: ReleaseDoors, shelf: Shelf, record: ReleaseRecord) -> None:
    """Everything that follows from the ledger."""
    shelf.list_evidence(doors.ledger.releases(record.name), record)
    if doors.refresh_index is not None:
        with doors.progress.stage("index"):
            doors.refresh_index([record.name])
    with doors.progress.stage("tags"):
        shelf.set_tags(doors.ledger, record.name, record.version)
