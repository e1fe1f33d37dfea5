"""Proofs: that every check of one image held, remembered by the image's digest and its tests.

`ohr test` leaves them, a release wants them; one that is not there is made by testing now, if this machine
can run the platform.
"""

from __future__ import annotations

import json

from openhands_recipes import __version__
from openhands_recipes.errors import ReleaseError, TestFailureError
from openhands_recipes.flows.test import TestReport, test_image
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest, canonical_json, digest_of_json
from openhands_recipes.model.image import Image
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import BoxOptions, Records
from openhands_recipes.publish.test_result import Proof

KIND = "proofs"


def proof_key(composed: Composed, image: Image) -> Digest:
    """What a proof is about: these bytes, these tests, the contract as this version knows it."""
    tests = [test.model_dump(mode="json") for test in composed.tests]
    return digest_of_json(["proof", 1, __version__, image.digest, tests])


def keep_proof(records: Records, composed: Composed, image: Image, report: TestReport) -> Proof | None:
    """Remember that an image is proven; nothing is remembered of one that is not."""
    if report.failed:
        return None
    passed = sorted({f"{verdict.suite}: {verdict.name}" for verdict in report.verdicts})
    records.put(KIND, proof_key(composed, image), canonical_json(passed))
    return Proof(image.digest, image.platform, tuple(passed))


def known_proof(records: Records, composed: Composed, image: Image) -> Proof | None:
    """The proof of exactly this image and these tests."""
    kept = records.get(KIND, proof_key(composed, image))
    return Proof(image.digest, image.platform, tuple(json.loads(kept))) if kept is not None else None


def proof_of(shop: Workshop, composed: Composed, image: Image) -> Proof:
    """The proof of an image, from before or from testing it now.

    Raises:
        TestFailureError: something does not hold.
        ReleaseError: never tested, and this machine cannot run it.
    """
    known = known_proof(shop.records, composed, image)
    if known is not None:
        return known
    if image.platform != shop.host:
        raise untested(shop, image.name, image.platform)
    report = test_image(shop, composed, image, options=BoxOptions())
    proof = keep_proof(shop.records, composed, image, report)
    if proof is None:
        failed = ", ".join(verdict.name for verdict in report.failed)
        raise TestFailureError(
            f"'{image.name}' is not released: {len(report.failed)} checks failed: {failed}",
            hint=f"run `ohr test {image.name}`",
        )
    return proof


def untested(shop: Workshop, name: str, platform: Platform) -> ReleaseError:
    """What to say of an image nobody has tested and that cannot be tested here."""
    return ReleaseError(
        f"{platform} of '{name}' is not tested",
        hint=f"release it from a machine that runs {platform}, or leave it out: "
        f"--platform {shop.host or 'linux/amd64'}",
        code="OHR403",
    )
