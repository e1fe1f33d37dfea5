"""Which revision a release is, or that it was made before: decided from the ledger and the image's digest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from semantic_version import Version

from openhands_recipes.errors import ReleaseError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.reference import tag_for
from openhands_recipes.model.release_record import ReleaseRecord, newest

_LIKE_A_REVISION = re.compile(r"-r[0-9]+$")


def check_version(version: str) -> None:
    """Refuse a version whose tag could be taken for a revision of another.

    Raises:
        ReleaseError: it ends like one.
    """
    if _LIKE_A_REVISION.search(version.partition("+")[0]) or _LIKE_A_REVISION.search(version):
        raise ReleaseError(
            f"version '{version}' ends like a revision",
            hint="choose one without -r<number> at its end",
            code="OHR401",
        )


def released_before(
    known: Sequence[ReleaseRecord], version: str, index: Digest, *, tested: bool
) -> ReleaseRecord | None:
    """The release that already says all this: the version's newest revision, if it has the same bytes.

    One that was released untested is not enough once there are tests to tell of.

    Raises:
        ReleaseError: these bytes were withdrawn.
    """
    for record in known:
        if record.index == index and record.state.name in ("yanked", "blocked"):
            raise ReleaseError(
                f"the image of '{record.name}' was released before as {record.identity}, "
                f"which is {record.state.name}",
                hint=f"reason: {record.state.reason}",
                code="OHR402",
            )
    last = newest(revisions(known, version))
    if last is None or last.index != index or (tested and last.evidence.tests is None):
        return None
    return last


def next_revision(known: Sequence[ReleaseRecord], version: str) -> int:
    """The first revision of a version that is free."""
    return max((record.revision for record in revisions(known, version)), default=0) + 1


def revisions(known: Sequence[ReleaseRecord], version: str) -> tuple[ReleaseRecord, ...]:
    """All releases of one version."""
    return tuple(record for record in known if record.version == version)


def revision_tag(version: str, revision: int) -> str:
    """The tag that never moves."""
    return f"{tag_for(version)}-r{revision}"


def tags_of(known: Sequence[ReleaseRecord]) -> dict[str, Digest]:
    """Every tag a repository should have, from its releases: one per revision, one per version.

    A version's tag stands at its newest revision that is not yanked or blocked; where there is none, at the
    newest of all, so that nothing becomes unreachable.
    """
    tags: dict[str, Digest] = {}
    for version in dict.fromkeys(record.version for record in known):
        every = revisions(known, version)
        usable = [record for record in every if record.state.name in ("active", "deprecated")]
        if last := newest(usable or every):
            tags[tag_for(version)] = Digest(last.index)
        tags |= {revision_tag(version, record.revision): Digest(record.index) for record in every}
    return tags


def latest(known: Sequence[ReleaseRecord]) -> ReleaseRecord | None:
    """What people get who name no version: the newest usable release, stable ones before others."""
    usable = [record for record in known if record.state.name in ("active", "deprecated")]
    return max(usable, key=_precedence, default=None)


def _precedence(record: ReleaseRecord) -> tuple[bool, Version, int]:
    version = Version(record.version)
    return not version.prerelease, version.truncate("prerelease"), record.revision
