"""Writes flake/attributes.json: what the stand-in nixpkgs has besides programs that run, and its versions.

    .venv/bin/python -m tests.nixpkgs.attributes nixpkgs-attrs.json.gz

The argument is a list of the real nixpkgs: `sets` of names and versions, `top` and those of languages. Names
it does not know keep the version they have here already.
"""

from __future__ import annotations

import gzip
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).parents[2]
FILE = Path(__file__).parent / "flake" / "attributes.json"
LANGUAGES = {"python311": "3.11.15", "python312": "3.12.13", "python314": "3.14.4"}
ALSO = (
    "prettier",
    "python313Packages.numpy",
    "python313Packages.pandas",
    "python313Packages.requests",
    "typescript",
    "hello",
)
"""What tests ask for and no recipe does."""
UNKNOWN = "0"


def named() -> Iterator[str]:
    """Every attribute that packages.toml or a recipe's flake names."""
    table = tomllib.loads((TREE / "nixlib" / "packages.toml").read_text())
    for package in table.values():
        for source in (package, *package.get("streams", {}).values()):
            if isinstance(source.get("nixpkgs"), list):
                yield from source["nixpkgs"]
    for file in sorted((TREE / "recipes").glob("*/flake.json")):
        data = json.loads(file.read_text())
        yield from (package["attribute"] for package in data["packages"])
        for language, prefix in (("python", "{}Packages."), ("node", "")):
            if data[language]:
                attribute = data[language]["attribute"]
                yield attribute
                for package in data[language]["packages"]:
                    yield prefix.format(attribute) + package["attribute"]
    yield from ALSO


def versions(listed: Path) -> dict[str, str]:
    """Attribute -> version in the real nixpkgs, where known."""
    sets: dict[str, dict[str, str]] = json.loads(gzip.decompress(listed.read_bytes()))["sets"]
    python = {f"python313Packages.{name}": version for name, version in sets["python3Packages"].items()}
    others = {
        f"{name}.{attribute}": version
        for name, attributes in sets.items()
        if name != "top"
        for attribute, version in attributes.items()
    }
    return others | python | LANGUAGES | sets["top"]


def main(listed: Path) -> None:
    """Write the file; sorted, one attribute a line."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known |= versions(listed)
    attributes = {name: known.get(name) or UNKNOWN for name in sorted(set(named()))}
    FILE.write_text(json.dumps(attributes, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
