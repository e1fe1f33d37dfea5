"""The files of a flake folder."""

from __future__ import annotations

import json

from openhands_recipes.compile.nix.folder import flake_files, flake_lock
from openhands_recipes.model.flake import FlakeData
from openhands_recipes.model.settings import NixpkgsPin

PIN = NixpkgsPin(
    ref="nixos-unstable", rev="a" * 40, narHash="sha256-" + "b" * 43 + "=", lastModified=1_784_007_870
)
DATA = FlakeData(
    name="x", version="1.0.0", summary="s", license="MIT", tags=(), systems=("x86_64-linux",), packages=(),
    python=None, node=None, environment={}, path=(), shell_hook="", tests=(), omitted=(),
)  # fmt: skip


def test_a_folder_holds_what_the_flake_reads_and_nothing_the_toolkit_reads() -> None:
    nixlib = {
        "default.nix": b"d",
        "sub/part.nix": b"p",
        "judge.py": b"j",
        "packages.toml": b"t",
        "README.md": b"r",
        "flake.nix": b"own",
        "flake.lock": b"own",
        "template/flake.nix": b"the flake",
    }
    files = flake_files(DATA, PIN, nixlib)
    assert files["flake.nix"] == b"the flake"
    assert list(files) == [
        "flake.lock", "flake.nix", "nixlib/default.nix", "nixlib/judge.py", "nixlib/sub/part.nix",
        "recipe.json",
    ]  # fmt: skip


def test_the_lock_is_the_one_nix_writes() -> None:
    text = flake_lock(PIN).decode()
    value = json.loads(text)
    assert value["version"] == 7
    assert value["nodes"][value["root"]] == {"inputs": {"nixpkgs": "nixpkgs"}}
    node = value["nodes"]["nixpkgs"]
    assert node["locked"] == {
        "lastModified": 1_784_007_870, "narHash": PIN.nar_hash, "owner": "NixOS", "repo": "nixpkgs",
        "rev": "a" * 40, "type": "github",
    }  # fmt: skip
    assert node["original"] == {"owner": "NixOS", "repo": "nixpkgs", "type": "github"}
    assert text == json.dumps(value, indent=2, sort_keys=True) + "\n"
