"""Names that look like addresses: what our documents are called, wherever they lie."""

from __future__ import annotations

from packageurl import PackageURL

from openhands_recipes.model.digest import Digest, hex_of

HOME = "https://openhands-recipes.github.io"


def spdx_namespace(name: str, version: str, index: Digest) -> str:
    """The namespace of a release's SPDX document, told by the image's digest."""
    return f"{HOME}/spdx/{name}-{version.replace('+', '_')}-{hex_of(index)}"


def image_purl(name: str, digest: Digest, platform: str = "") -> str:
    """The package URL of an image."""
    architecture = platform.partition("/")[2]
    return PackageURL("oci", None, name, digest, {"arch": architecture} if architecture else {}).to_string()


BUILD_TYPE = f"{HOME}/build/recipe/v1"
LOCAL_BUILDER = f"{HOME}/builder/local/v1"
