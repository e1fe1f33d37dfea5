"""A recipe's flake as files: a constant flake.nix, the data it reads, its lock, and the library it needs.

Nothing here writes Nix: `flake.nix` and the library are copied, what differs between recipes is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openhands_recipes.compile.nix.flake import write_flake_data
from openhands_recipes.model.flake import FlakeData
from openhands_recipes.model.settings import NixpkgsPin

TEMPLATE = "template/flake.nix"
"""The flake.nix of every recipe, in nixlib."""
CODE = (".nix", ".py", ".sh")
"""What the library is made of, besides tables for the toolkit and its own flake."""


def flake_files(data: FlakeData, pin: NixpkgsPin, nixlib: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every file of a flake folder by its path, sorted. It needs nothing else but the pinned nixpkgs.

    `nixlib` holds the files of nixlib/ by their paths below it; it has a template.
    """
    library = {
        f"nixlib/{path}": content
        for path, content in nixlib.items()
        if path.endswith(CODE) and not path.startswith("template/") and path != "flake.nix"
    }
    own = {
        "flake.lock": flake_lock(pin),
        "flake.nix": nixlib[TEMPLATE],
        "recipe.json": write_flake_data(data),
    }
    return dict(sorted((own | library).items()))


def flake_lock(pin: NixpkgsPin) -> bytes:
    """The flake.lock of a flake whose only input is `nixpkgs`, in the very bytes Nix would write.

    Format version 7 (Nix manual, "flake lock"). `original` is the reference in flake.nix: Nix locks anew,
    from the network, when the two differ.
    """
    repository = {"owner": "NixOS", "repo": "nixpkgs", "type": "github"}
    locked = {"lastModified": pin.last_modified, "narHash": pin.nar_hash, "rev": pin.rev}
    value: dict[str, Any] = {
        "nodes": {
            "nixpkgs": {"locked": locked | repository, "original": repository},
            "root": {"inputs": {"nixpkgs": "nixpkgs"}},
        },
        "root": "root",
        "version": 7,
    }
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
