"""Our own Nix, in a sandbox."""

from __future__ import annotations

import json
from pathlib import Path

from openhands_recipes.ports import Nix
from tests.fakes import CountingStage
from tests.integration.nix.bench import SYSTEM, small_flake


def test_a_flake_is_evaluated_and_built_and_its_tree_can_be_read(nix: Nix, tmp_path: Path) -> None:
    flake = small_flake(
        tmp_path / "flake",
        'lib = mk "lib-1" "echo lib > $out"; '
        'default = mk "app-1" "b mkdir -p $out/bin; echo ${self.packages.x86_64-linux.lib} > $out/bin/app";',
    )
    assert json.loads(nix.evaluate(flake, "answer")) == 42
    stage = CountingStage()
    path = nix.build(flake, f"packages.{SYSTEM}.default", stage=stage)
    closure = nix.closure(path)
    assert [known.name for known in sorted(closure, key=lambda k: k.name)] == ["app-1", "lib-1"]
    root = next(known for known in closure if known.path == path)
    assert len(root.references) == 1
    folder = nix.folder(path)
    assert (folder / "bin" / "app").read_text().strip() == root.references[0]
    nix.verify([known.path for known in closure])
