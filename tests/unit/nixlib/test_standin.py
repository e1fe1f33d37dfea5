"""The stand-in nixpkgs has what packages.toml and the recipes name, and its lock is one Nix can build."""

from __future__ import annotations

import json
from graphlib import TopologicalSorter

import pytest

from tests.nixpkgs import lock
from tests.nixpkgs.attributes import FILE, UNKNOWN, named

DOCUMENT = json.loads(lock.FILE.read_text())


def test_every_attribute_that_packages_and_recipes_name_is_there_with_a_version() -> None:
    attributes = json.loads(FILE.read_text())
    missing = set(named()) - attributes.keys()
    assert not missing, "run python -m tests.nixpkgs.attributes"
    assert not [name for name, version in attributes.items() if version == UNKNOWN]


@pytest.mark.parametrize("system", lock.SYSTEMS)
def test_no_group_of_files_needs_itself(system: str) -> None:
    groups = DOCUMENT["systems"][system]
    order = TopologicalSorter({name: group["depends"] for name, group in groups.items()})
    assert set(order.static_order()) == groups.keys()


@pytest.mark.parametrize("system", lock.SYSTEMS)
def test_every_wanted_package_stands_in_the_lock_once(system: str) -> None:
    debs = [deb["name"] for group in DOCUMENT["systems"][system].values() for deb in group["debs"]]
    assert len(debs) == len(set(debs))
    assert set(lock.WANTED) <= set(debs)
    assert not lock.LEFT_OUT & set(debs)
