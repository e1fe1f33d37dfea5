"""Proofs: remembered by image and tests, never lent to others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from openhands_recipes.adapters.records import FileRecords
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.verdict import Verdict
from openhands_recipes.errors import ReleaseError, TestFailureError
from openhands_recipes.flows import proofs
from openhands_recipes.flows.test import TestReport
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.image import Image
from tests.recipe_texts import library
from tests.releases import sample

TESTS = "tests:\n  - {name: it runs, run: 'true'}\n"
GOOD = TestReport(
    "sample", (Verdict("tests", "it runs", ok=True), Verdict("contract", "bash", ok=True)), None
)
BAD = TestReport("sample", (Verdict("tests", "it runs", ok=False, reason="no"),), None)


@pytest.fixture
def records(tmp_path: Path) -> FileRecords:
    return FileRecords(tmp_path / "records")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return sample(tmp_path / "layout").candidate.images[0]


def composed(body: str = TESTS) -> Composed:
    return compose("sample", library(sample=body))


def shop(records: FileRecords, host: str = "linux/amd64") -> Workshop:
    return cast("Workshop", SimpleNamespace(records=records, host=host))


def test_what_held_is_remembered_by_name(records: FileRecords, image: Image) -> None:
    kept = proofs.keep_proof(records, composed(), image, GOOD)
    assert proofs.known_proof(records, composed(), image) == kept
    assert kept is not None
    assert kept.passed == ("contract: bash", "tests: it runs")


def test_what_did_not_hold_leaves_no_proof(records: FileRecords, image: Image) -> None:
    assert proofs.keep_proof(records, composed(), image, BAD) is None
    assert proofs.known_proof(records, composed(), image) is None


def test_a_proof_is_no_proof_of_another_image_or_of_other_tests(
    records: FileRecords, image: Image, tmp_path: Path
) -> None:
    proofs.keep_proof(records, composed(), image, GOOD)
    other = sample(tmp_path / "other", b"other").candidate.images[0]
    assert proofs.known_proof(records, composed(), other) is None
    assert proofs.known_proof(records, composed(TESTS.replace("'true'", "'false'")), image) is None


def test_a_known_proof_is_taken_on_any_machine(records: FileRecords, image: Image) -> None:
    kept = proofs.keep_proof(records, composed(), image, GOOD)
    assert proofs.proof_of(shop(records, "linux/arm64"), composed(), image) == kept


def test_an_image_of_another_platform_cannot_be_tested_here(records: FileRecords, image: Image) -> None:
    with pytest.raises(ReleaseError) as caught:
        proofs.proof_of(shop(records, "linux/arm64"), composed(), image)
    assert caught.value.code == "OHR403"
    assert "--platform linux/arm64" in str(caught.value.hint)


def test_an_image_that_was_never_tested_is_tested_now(
    records: FileRecords, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [BAD, GOOD]

    def tested(*_: Any, **__: Any) -> TestReport:
        return reports.pop(0)

    monkeypatch.setattr(proofs, "test_image", tested)
    with pytest.raises(TestFailureError, match="it runs"):
        proofs.proof_of(shop(records), composed(), image)
    assert proofs.proof_of(shop(records), composed(), image) == proofs.known_proof(records, composed(), image)
