"""A release's bill of materials as CycloneDX 1.6 JSON.

One document for all platforms, as the SPDX one; the serial number comes from the image's digest. Written by
hand for the same reason, and validated with the library in the tests.
"""

from __future__ import annotations

import uuid
from typing import Any

from openhands_recipes import __version__
from openhands_recipes.model.digest import Digest, hex_of
from openhands_recipes.publish.parts import Contents, Part
from openhands_recipes.publish.urls import image_purl, spdx_namespace


def cyclonedx_document(contents: Contents) -> dict[str, Any]:
    """The document as plain JSON."""
    namespace = spdx_namespace(contents.name, contents.version, contents.index)
    images = {p: _image(contents, inside.manifest, p) for p, inside in sorted(contents.platforms.items())}
    root = _image(contents, contents.index, "")
    dependencies = [{"ref": root["bom-ref"], "dependsOn": [image["bom-ref"] for image in images.values()]}]
    for platform, image in images.items():
        inside = contents.platforms[platform].parts
        dependencies.append({"ref": image["bom-ref"], "dependsOn": [part.key for part in inside]})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, namespace)}",
        "version": 1,
        "metadata": {
            "timestamp": contents.created,
            "tools": {
                "components": [{"type": "application", "name": "openhands-recipes", "version": __version__}]
            },
            "component": root,
        },
        "components": [*images.values(), *map(_component, contents.parts)],
        "dependencies": dependencies,
    }


def _image(contents: Contents, digest: Digest, platform: str) -> dict[str, Any]:
    component = {
        "type": "container",
        "bom-ref": f"image-{hex_of(digest)}",
        "name": contents.name,
        "version": contents.version,
        "description": f"{contents.summary} ({platform})" if platform else contents.summary,
        "purl": image_purl(contents.name, digest, platform),
        "hashes": [{"alg": "SHA-256", "content": hex_of(digest)}],
    }
    return component | _licenses(contents.license)


def _component(part: Part) -> dict[str, Any]:
    component = {
        "type": "library",
        "bom-ref": part.key,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "hashes": [{"alg": "SHA-256", "content": part.sha256}],
    }
    return component | _licenses(part.license)


def _licenses(expression: str) -> dict[str, Any]:
    return {"licenses": [{"expression": expression}]} if expression else {}
