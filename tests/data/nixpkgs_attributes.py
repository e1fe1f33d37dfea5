"""Makes nixpkgs-attributes.json anew: the versions of those attributes of nixpkgs that our tables name.

    python tests/data/nixpkgs_attributes.py LIST.json.gz

LIST holds every attribute of the pinned nixpkgs that evaluates:
`{"source": {...}, "sets": {"top": {attribute: version}, "python3Packages": {...}}}`.
Run it after the pin or a table has changed; the diff shows what moved.
"""

from __future__ import annotations

import gzip
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
NIXLIB = HERE.parent.parent / "nixlib"
SETS = {"python313Packages": "python3Packages", "python313.pkgs": "python3Packages"}
"""What the list calls sets that have several names."""


def attributes() -> Iterator[str]:
    """Every attribute path that nixlib/packages.toml and nixlib/languages.toml name."""
    for package in tomllib.loads((NIXLIB / "packages.toml").read_text()).values():
        for entry in [package, *package.get("streams", {}).values()]:
            if isinstance(entry.get("nixpkgs"), list):
                yield from entry["nixpkgs"]
    languages = tomllib.loads((NIXLIB / "languages.toml").read_text())
    yield from (name for name in languages["npm"].values() if isinstance(name, str))
    yield from (f"python3Packages.{name}" for name in languages["python"].values() if isinstance(name, str))
    for name in (HERE / "common-python-projects.txt").read_text().split():
        yield f"python3Packages.{name}"


def main(path: str) -> None:
    listed = json.loads(gzip.decompress(Path(path).read_bytes()))
    known: dict[str, dict[str, str]] = listed["sets"]
    found = {}
    for attribute in sorted(set(attributes())):
        prefix, _, name = attribute.rpartition(".")
        version = known.get(SETS.get(prefix, prefix) or "top", {}).get(name)
        if version is not None:
            found[attribute] = version
    document = {"source": listed["source"], "attributes": found}
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    (HERE / "nixpkgs-attributes.json").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
