"""Records of releases, made up for tests."""

from __future__ import annotations

from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.release_record import About, Evidence, ReleaseRecord, State, StateName

MOMENT = "2026-01-02T03:04:05Z"
DIGEST = digest_of(b"whatever")


def record(
    version: str,
    revision: int,
    *,
    name: str = "sample",
    index: Digest = DIGEST,
    state: StateName = "active",
    reason: str | None = None,
    tested: bool = True,
) -> ReleaseRecord:
    return ReleaseRecord(
        name=name,
        version=version,
        revision=revision,
        lock=DIGEST,
        index=index,
        platforms={},
        evidence=Evidence(signature=DIGEST, provenance=DIGEST, sbom=DIGEST, tests=DIGEST if tested else None),
        permissions=DIGEST,
        about=About(summary="An example", license="MIT", created=MOMENT),
        state=State(name=state, since=MOMENT, reason=reason, by=1),
    )
