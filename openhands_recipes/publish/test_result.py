"""That an image's tests passed, as an in-toto test-result predicate (test-result v0.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openhands_recipes.model.digest import Digest, hex_of
from openhands_recipes.model.platform import Platform


@dataclass(frozen=True)
class Proof:
    """That every check of one image held: their names, sorted, without times or output."""

    image: Digest
    """The platform's manifest."""
    platform: Platform
    passed: tuple[str, ...]


def tests_passed(proofs: Mapping[Platform, Proof], *, lock: Digest) -> dict[str, Any]:
    """The predicate over the images of all platforms."""
    configuration = [{"name": "recipe.lock.json", "digest": {"sha256": hex_of(lock)}}]
    configuration += [
        {"name": platform, "digest": {"sha256": hex_of(proof.image)}}
        for platform, proof in sorted(proofs.items())
    ]
    passed = [f"{platform}: {name}" for platform, proof in sorted(proofs.items()) for name in proof.passed]
    return {
        "result": "PASSED",
        "configuration": configuration,
        "passedTests": passed,
        "warnedTests": [],
        "failedTests": [],
    }
