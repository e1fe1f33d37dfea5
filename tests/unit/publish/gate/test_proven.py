"""What built images and their checks mean for a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.gate_proof import Check, ImageFacts, Proven, Suite
from openhands_recipes.model.gate_settings import Budget
from openhands_recipes.model.platform import Platform
from openhands_recipes.publish.gate.bills import bill_problems, cyclonedx_problems, spdx_problems
from openhands_recipes.publish.gate.proven import CODES, built, held
from openhands_recipes.publish.parts import Contents, Part, PlatformContents
from openhands_recipes.publish.sbom_cyclonedx import cyclonedx_document
from openhands_recipes.publish.sbom_spdx import spdx_document

MB = 1_000_000
AMD64: Platform = "linux/amd64"


def image(content: str, size: int) -> ImageFacts:
    layers = ((digest_of(b"shared"), 5 * MB), (digest_of(content.encode()), size - 5 * MB))
    return ImageFacts(digest_of(content.encode() + b"!"), size, layers)


def proven(old: int, new: int) -> Proven:
    return Proven("tool", AMD64, image("new", new), image("new", new), image("old", old))


@pytest.mark.parametrize(
    ("old", "new", "grows"),
    [
        (100 * MB, 125 * MB, False),
        (100 * MB, 126 * MB, True),
        (10 * MB, 15 * MB, False),
        (10 * MB, 16 * MB, True),
        (1000 * MB, 1201 * MB, True),
        (1000 * MB, 1199 * MB, False),
        (100 * MB, 50 * MB, False),
    ],
)
def test_an_image_may_grow_by_a_share_up_to_an_amount(old: int, new: int, *, grows: bool) -> None:
    assert [f.code for f in built([proven(old, new)], Budget())] == ["OHR312"] * grows


def test_two_builds_that_differ_are_an_error_that_counts_layers() -> None:
    other = replace(proven(9 * MB, 9 * MB), again=image("other", 9 * MB))
    (found,) = built([other], Budget())
    assert (found.code, found.severity) == ("OHR310", "error")
    assert "1 of 2 layers differ" in found.message
    assert other.same is False
    assert Proven("tool", AMD64).same is None


def test_what_cannot_be_built_here_is_noted_and_needs_a_human_if_nothing_could() -> None:
    partly = replace(proven(9 * MB, 9 * MB), elsewhere=("linux/arm64",))
    nothing = Proven("tool", "", elsewhere=("linux/amd64", "linux/arm64"))
    broken = Proven("tool", AMD64, problem="groupadd failed", elsewhere=("linux/arm64",))
    found = [[(f.code, f.severity) for f in built([one], Budget())] for one in (partly, nothing, broken)]
    assert found == [
        [("OHR313", "note")],
        [("OHR313", "human")],
        [("OHR311", "error"), ("OHR313", "note")],
    ]


@pytest.mark.parametrize("suite", CODES)
def test_each_kind_of_check_has_its_code_and_every_failure_is_named(suite: Suite) -> None:
    checks = tuple(Check(suite, f"check {n}", ok=n == 0, reason="it is so") for n in range(7))
    (found,) = held([replace(proven(9 * MB, 9 * MB), checks=checks)])
    assert found.code == CODES[suite]
    assert "check 1 (it is so)" in found.message
    assert "check 0" not in found.message
    assert "and 2 more" in found.message


def contents(*parts: Part) -> Contents:
    inside = {AMD64: PlatformContents(digest_of(b"image"), parts)}
    return Contents("tool", "1.0.0", "A tool", "MIT", "2026-11-22T02:09:05Z", digest_of(b"index"), inside)


CURL = Part("deb", "curl", "8.0-1", "pkg:deb/debian/curl@8.0-1", "0" * 64, "curl.deb")
JQ = Part("deb", "jq", "1.7-1", "pkg:deb/debian/jq@1.7-1", "1" * 64, "jq.deb")


def test_a_bill_of_materials_that_tells_every_part_once_is_good() -> None:
    assert bill_problems(contents(CURL, JQ)) == ()


def test_a_bill_without_parts_versions_or_valid_names_is_wrong() -> None:
    assert bill_problems(contents()) == ("no part is known",)
    nameless = replace(CURL, purl="curl 8")
    versionless = replace(JQ, purl="pkg:deb/debian/jq")
    told = "\n".join(bill_problems(contents(nameless, versionless)))
    assert "'curl' has no valid package URL" in told
    assert "'jq' has no version" in told


def test_bills_that_leave_out_repeat_or_invent_something_are_wrong() -> None:
    whole = contents(CURL, JQ)
    spdx, cyclonedx = spdx_document(whole), cyclonedx_document(whole)
    purls = {CURL.purl, JQ.purl}
    spdx["packages"] = [*spdx["packages"][:-1], spdx["packages"][0]]
    told = "\n".join(spdx_problems(spdx, purls))
    assert "SPDXRef-Image is there twice" in told
    assert f"{JQ.purl} is missing" in told
    assert "a relationship names" in told
    cyclonedx["components"] = cyclonedx["components"][:-1]
    told = "\n".join(cyclonedx_problems(cyclonedx, purls))
    assert f"{JQ.purl} is missing" in told
    assert "a dependency names" in told
