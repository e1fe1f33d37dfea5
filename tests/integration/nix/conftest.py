"""One Nix for all tests here: our own, its image and store in a cache that outlives the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.ports import Nix
from tests.integration.nix.bench import NixBench, make_project
from tests.nixpkgs.standin import StandIn, stand_in

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They share a store, so they run in one worker; all need namespaces and Debian."""
    for item in items:
        if item.path.is_relative_to(HERE):
            for marker in (pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("nix")):
                item.add_marker(marker)


@pytest.fixture(scope="session")
def standin(shared_cache: Path) -> StandIn:
    """The stand-in nixpkgs, made of today's Debian where its lock is out of date."""
    return stand_in(shared_cache / "standin")


@pytest.fixture(scope="session")
def bench(
    shared_cache: Path, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NixBench]:
    """A project pinned to the stand-in, with our own Nix."""
    root = make_project(tmp_path_factory.mktemp("nix"), standin.nar_hash)
    made = NixBench(root, shared_cache / "nix", standin.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OHR_NIX", "embedded")
        patch.setenv("OHR_NIXPKGS", str(standin.folder))
        if made.ohr("build", "nix", expect=None).exit_code in (1, 3):
            made.ohr("lock", "--update", "base", "nix")
        yield made


@pytest.fixture(scope="session")
def nix(bench: NixBench) -> Nix:
    """Our own Nix, nixpkgs being the stand-in."""
    return bench.nix
