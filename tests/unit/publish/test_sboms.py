"""Bills of materials, read by the libraries of their formats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from openhands_recipes.model.digest import canonical_json, digest_of, hex_of
from openhands_recipes.publish.parts import Contents
from openhands_recipes.publish.sbom_cyclonedx import cyclonedx_document
from openhands_recipes.publish.sbom_spdx import spdx_document
from tests.releases import CREATED, sample

INDEX = digest_of(b"index")
BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return sample(tmp_path, platforms=("linux/amd64", "linux/arm64")).candidate.contents(INDEX)


@pytest.fixture
def spdx(contents: Contents) -> dict[str, Any]:
    return spdx_document(contents)


@pytest.fixture
def cyclonedx(contents: Contents) -> dict[str, Any]:
    return cyclonedx_document(contents)


def purls(document: dict[str, Any]) -> dict[str, PackageURL]:
    return {
        package["name"]: PackageURL.from_string(package["externalRefs"][0]["referenceLocator"])
        for package in document["packages"]
    }


def test_the_spdx_library_finds_nothing_wrong(spdx: dict[str, Any]) -> None:
    document = JsonLikeDictParser().parse(  # type: ignore[no-untyped-call]
        json.loads(canonical_json(spdx))
    )
    assert validate_full_spdx_document(document, "SPDX-2.3") == []


def test_the_cyclonedx_library_finds_nothing_wrong_and_reads_every_component(
    cyclonedx: dict[str, Any],
) -> None:
    text = canonical_json(cyclonedx).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]  # added by a decorator
    assert len(bom.components) == len(cyclonedx["components"])
    bom.validate()


def test_every_part_has_its_package_url(spdx: dict[str, Any]) -> None:
    found = purls(spdx)
    deb = found["libstdc++6"]
    assert (deb.type, deb.namespace, deb.version) == ("deb", "debian", "1:14.2.0-19")
    assert deb.qualifiers == {"arch": "arm64", "distro": "trixie", "upstream": "gcc-14"}
    assert (found["numpy"].type, found["numpy"].version) == ("pypi", "2.2.1")
    npm = found["@types/node"]
    assert (npm.type, npm.namespace, npm.name) == ("npm", "@types", "node")


def test_a_wheel_built_from_source_is_told_as_its_source(spdx: dict[str, Any]) -> None:
    (package,) = [one for one in spdx["packages"] if one["name"] == "func-timeout"]
    assert package["packageFileName"] == "func_timeout-4.3.5.tar.gz"
    assert package["checksums"] == [{"algorithm": "SHA256", "checksumValue": "d" * 64}]


def test_what_each_platform_contains_is_told_apart(spdx: dict[str, Any], cyclonedx: dict[str, Any]) -> None:
    contained = [r for r in spdx["relationships"] if r["relationshipType"] == "CONTAINS"]
    by_platform = {
        platform: {
            r["relatedSpdxElement"]
            for r in contained
            if r["spdxElementId"] == f"SPDXRef-Image-{platform.replace('/', '-')}"
        }
        for platform in BOTH
    }
    assert {platform: len(parts) for platform, parts in by_platform.items()} == {
        "linux/amd64": 4,
        "linux/arm64": 1,
    }
    assert not by_platform["linux/amd64"] & by_platform["linux/arm64"]
    assert [len(entry["dependsOn"]) for entry in cyclonedx["dependencies"]] == [2, 4, 1]


def test_licences_are_told_where_they_are_known_and_nowhere_else(
    spdx: dict[str, Any], cyclonedx: dict[str, Any]
) -> None:
    declared = {package["name"]: package["licenseDeclared"] for package in spdx["packages"]}
    assert (declared["numpy"], declared["libstdc++6"]) == ("BSD-3-Clause", "NOASSERTION")
    told = {one["name"]: one.get("licenses") for one in cyclonedx["components"]}
    assert told["numpy"] == [{"expression": "BSD-3-Clause"}]
    assert told["libstdc++6"] is None


def test_dates_and_names_come_from_lock_and_digest(spdx: dict[str, Any], cyclonedx: dict[str, Any]) -> None:
    assert spdx["creationInfo"]["created"] == cyclonedx["metadata"]["timestamp"] == CREATED
    assert hex_of(INDEX) in spdx["documentNamespace"]


def test_another_image_has_another_serial_number(contents: Contents) -> None:
    other = replace(contents, index=digest_of(b"other"))
    assert cyclonedx_document(other)["serialNumber"] != cyclonedx_document(contents)["serialNumber"]
