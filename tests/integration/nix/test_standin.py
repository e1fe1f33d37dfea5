"""The stand-in nixpkgs itself: made whole, the same everywhere, and of today's Debian if its lock is old."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from openhands_recipes.ports import Nix
from tests.integration.nix.bench import SYSTEM, NixBench
from tests.integration.nix.flakes import own_flake, packages
from tests.nixpkgs import standin


def test_it_is_the_same_in_every_folder_and_has_the_hash_nix_gives_it(tmp_path: Path, nix: Nix) -> None:
    one, two = (standin.stand_in(tmp_path / name) for name in ("one", "two"))
    assert one.nar_hash == two.nar_hash
    assert one.folder != two.folder
    asked = ("flake", "metadata", "--json", "{flake}")
    assert json.loads(nix.run(asked, flake=one.folder))["locked"]["narHash"] == one.nar_hash


def test_when_debian_has_dropped_a_locked_file_it_is_locked_anew_for_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    shutil.copytree(standin.FLAKE, old)
    document = json.loads((old / "debs.json").read_text())
    jq = document["systems"][SYSTEM]["jq"]["debs"][0]
    jq |= {"path": "pool/main/j/jq/jq_0.1-1_amd64.deb", "sha256": "0" * 64}
    (old / "debs.json").write_text(json.dumps(document))
    monkeypatch.setattr(standin, "FLAKE", old)
    made = standin.stand_in(tmp_path / "cache").folder
    assert (made / "debs" / "jq_amd64.deb").stat().st_size > 0
    assert json.loads((made / "debs.json").read_text())["systems"][SYSTEM]["jq"]["debs"][0] != jq
    assert json.loads((old / "debs.json").read_text()) == document


def test_its_environments_share_most_of_their_store_paths(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    def closure(name: str, *attributes: str) -> set[str]:
        flake = own_flake(bench, tmp_path / name, packages=packages(*attributes))
        return {known.path for known in nix.closure(nix.build(flake, f"packages.{SYSTEM}.default"))}

    git, curl = closure("git", "git"), closure("curl", "curl")
    assert len(git) > 20
    assert len(git & curl) > len(git) / 2


def test_names_that_are_only_evaluated_say_so_when_built(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(bench, tmp_path / "flake", packages=packages("cmake"))
    environment = nix.folder(nix.build(flake, f"packages.{SYSTEM}.default"))
    (note,) = (path for path in (environment / "share" / "stand-in").iterdir())
    assert note.name == "cmake"
