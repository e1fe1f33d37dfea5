"""A release's bills of materials, held to what readers rely on.

Whether they are SPDX and CycloneDX is tested with those formats' own libraries; here they are compared with
the parts they are about, which no schema can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packageurl import PackageURL

from openhands_recipes.publish.parts import Contents
from openhands_recipes.publish.sbom_cyclonedx import cyclonedx_document
from openhands_recipes.publish.sbom_spdx import spdx_document

Document = Mapping[str, Any]


def bill_problems(contents: Contents) -> tuple[str, ...]:
    """What is wrong with the bills of materials a release of these contents would have."""
    return tuple(dict.fromkeys(_problems(contents)))


def _problems(contents: Contents) -> Iterator[str]:
    parts = contents.parts
    if not parts:
        yield "no part is known"
    for part in parts:
        yield from _purl_problems(part.purl, part.name)
    wanted = {part.purl for part in parts}
    yield from spdx_problems(spdx_document(contents), wanted)
    yield from cyclonedx_problems(cyclonedx_document(contents), wanted)


def _purl_problems(purl: str, name: str) -> Iterator[str]:
    try:
        parsed = PackageURL.from_string(purl)
    except ValueError as error:
        yield f"'{name}' has no valid package URL: {error}"
        return
    if not parsed.version:
        yield f"'{name}' has no version"


def spdx_problems(document: Document, wanted: set[str]) -> Iterator[str]:
    """Identifiers once each, relationships between things that are there, every part listed."""
    ids = [package["SPDXID"] for package in document["packages"]]
    yield from _twice("SPDX", ids)
    known = {*ids, document["SPDXID"]}
    for relation in document["relationships"]:
        for end in ("spdxElementId", "relatedSpdxElement"):
            if relation[end] not in known:
                yield f"SPDX: a relationship names {relation[end]}, which is not there"
    told = {r["referenceLocator"] for package in document["packages"] for r in package["externalRefs"]}
    yield from _missing("SPDX", wanted - told)


def cyclonedx_problems(document: Document, wanted: set[str]) -> Iterator[str]:
    """References once each, dependencies between things that are there, every part listed."""
    components: Sequence[Document] = document["components"]
    refs = [component["bom-ref"] for component in components]
    yield from _twice("CycloneDX", refs)
    root = document["metadata"]["component"]["bom-ref"]
    known = {*refs, root}
    for entry in document.get("dependencies", ()):
        for ref in (entry["ref"], *entry.get("dependsOn", ())):
            if ref not in known:
                yield f"CycloneDX: a dependency names {ref}, which is not there"
    yield from _missing("CycloneDX", wanted - {component.get("purl", "") for component in components})


def _twice(form: str, names: Sequence[str]) -> Iterator[str]:
    for name in sorted(
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    ):
        yield f"{form}: {name} is there twice"


def _missing(form: str, missing: set[str]) -> Iterator[str]:
    for purl in sorted(missing):
        yield f"{form}: {purl} is missing"
