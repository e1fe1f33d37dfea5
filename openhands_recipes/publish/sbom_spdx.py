"""A release's bill of materials as SPDX 2.3 JSON.

One document for all platforms: the image index, the image of each platform (a variant of it), and the parts
each contains. Same release, same bytes: dates and names come from lock and digest.

Written by hand, since the SPDX library takes half a second to load and a second to write this; the tests
have it read and validate the result.
"""

from __future__ import annotations

import re
from typing import Any

from openhands_recipes import __version__
from openhands_recipes.model.digest import Digest, hex_of
from openhands_recipes.publish.parts import Contents, Part
from openhands_recipes.publish.urls import image_purl, spdx_namespace

_ROOT = "SPDXRef-Image"
_UNKNOWN = "NOASSERTION"


def spdx_document(contents: Contents) -> dict[str, Any]:
    """The document as plain JSON."""
    packages = [_image(contents, contents.index, _ROOT, "")]
    relationships = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT)]
    for platform, inside in sorted(contents.platforms.items()):
        reference = f"{_ROOT}-{platform.replace('/', '-')}"
        packages.append(_image(contents, inside.manifest, reference, platform))
        relationships.append(_relation(reference, "VARIANT_OF", _ROOT))
        relationships += [_relation(reference, "CONTAINS", _id(part)) for part in inside.parts]
    packages += [_package(part) for part in contents.parts]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{contents.name}-{contents.version}",
        "documentNamespace": spdx_namespace(contents.name, contents.version, contents.index),
        "creationInfo": {
            "created": contents.created,
            "creators": [f"Tool: openhands-recipes-{__version__}"],
        },
        "packages": packages,
        "relationships": relationships,
    }


def _image(contents: Contents, digest: Digest, reference: str, platform: str) -> dict[str, Any]:
    return {
        "SPDXID": reference,
        "name": f"{contents.name} {platform}".rstrip(),
        "versionInfo": contents.version,
        "summary": contents.summary,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": contents.license or _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "checksums": [{"algorithm": "SHA256", "checksumValue": hex_of(digest)}],
        "externalRefs": [_purl(image_purl(contents.name, digest, platform))],
    }


def _package(part: Part) -> dict[str, Any]:
    return {
        "SPDXID": _id(part),
        "name": part.name,
        "versionInfo": part.version,
        "packageFileName": part.file,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": part.license or _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "checksums": [{"algorithm": "SHA256", "checksumValue": part.sha256}],
        "externalRefs": [_purl(part.purl)],
    }


def _id(part: Part) -> str:
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", part.name).strip("-")
    return f"SPDXRef-{part.kind}-{readable}-{part.sha256[:16]}"


def _purl(purl: str) -> dict[str, str]:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }


def _relation(subject: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": related}
