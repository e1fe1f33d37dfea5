"""How a release was made, as a SLSA v1 provenance predicate.

Source: slsa.dev/spec/v1.0/provenance. No time of the build is in it: the same commit and locks, built by the
same builder, give the same predicate. What the parameters mean is said in docs/release.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openhands_recipes import __version__
from openhands_recipes.model.digest import Digest, hex_of
from openhands_recipes.model.lock import Lock
from openhands_recipes.publish.parts import Contents
from openhands_recipes.publish.urls import BUILD_TYPE, LOCAL_BUILDER


@dataclass(frozen=True)
class Origin:
    """Where the recipe came from and who built it, as far as the surroundings say.

    `repository` and `builder` are URIs, empty where nobody vouches for them: a build at somebody's desk.
    """

    commit: str = ""
    repository: str = ""
    builder: str = ""
    run: str = ""
    """URI of the very run of a workflow."""


def provenance(
    contents: Contents, locks: Sequence[tuple[Lock, Digest]], origin: Origin, *, compression: str
) -> dict[str, Any]:
    """The predicate; `locks` are those of the lineage with their digests, the recipe's own last."""
    own, digest = locks[-1]
    parameters = {
        "recipe": contents.name,
        "version": contents.version,
        "platforms": sorted(contents.platforms),
        "compression": compression,
    }
    dependencies = [*_source(origin), *(_lock(lock, lock_digest) for lock, lock_digest in locks)]
    dependencies += [{"uri": part.purl, "digest": {"sha256": part.sha256}} for part in contents.parts]
    details: dict[str, Any] = {
        "builder": {"id": origin.builder or LOCAL_BUILDER, "version": {"openhands-recipes": __version__}}
    }
    if origin.run:
        details["metadata"] = {"invocationId": origin.run}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {
                "lock": digest,
                "rules": own.rules.model_dump(mode="json"),
                "debian": own.debian.model_dump(mode="json"),
            },
            "resolvedDependencies": dependencies,
        },
        "runDetails": details,
    }


def _source(origin: Origin) -> list[dict[str, Any]]:
    if not origin.commit:
        return []
    described: dict[str, Any] = {"name": "recipes", "digest": {"gitCommit": origin.commit}}
    if origin.repository:
        described["uri"] = f"git+{origin.repository}@{origin.commit}"
    return [described]


def _lock(lock: Lock, digest: Digest) -> dict[str, Any]:
    return {"name": f"recipes/{lock.recipe}/recipe.lock.json", "digest": {"sha256": hex_of(digest)}}
