from __future__ import annotations

import subprocess
import sys
from functools import cached_property
from pathlib import Path

import pytest

from openhands_recipes.cli.settings import Settings
from openhands_recipes.cli.world import World, cores
from openhands_recipes.model.reference import parse_address

NEEDS_NAMESPACES = {"engine", "workshop", "docker_workshop"}
DOORS = sorted(
    name
    for doors in World.__mro__
    for name, value in vars(doors).items()
    if isinstance(value, cached_property) and name not in NEEDS_NAMESPACES
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state"))


@pytest.mark.parametrize("name", DOORS)
def test_every_door_opens_from_settings_alone(world: World, name: str) -> None:
    assert getattr(world, name) is getattr(world, name)


@pytest.mark.sandbox
def test_the_workshop_has_the_worlds_own_doors(world: World) -> None:
    shop = world.workshop
    assert (shop.blobs, shop.images, shop.engine) == (world.blobs, world.image_store, world.engine)
    assert (shop.downloads(), shop.archive()) == (world.downloads, world.archive)
    assert shop.python_index() is world.python_index


def test_a_registry_is_opened_without_sending_anything(world: World) -> None:
    with world.registry(parse_address("127.0.0.1:1/team"), plain_http=True) as registry:
        assert registry is not None


def test_a_cache_of_ones_own_is_used(world: World, tmp_path: Path) -> None:
    assert world.cache.root == tmp_path / "cache"
    assert not world.cache.root.exists()


def test_without_one_the_usual_cache_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHR_CACHE", str(tmp_path / "usual"))
    assert World(Settings(root=tmp_path, cache=None, state=tmp_path)).cache.root == tmp_path / "usual"


def test_results_are_written_where_they_are_asked_for(world: World, tmp_path: Path) -> None:
    world.write_file(tmp_path / "new" / "folder" / "junit.xml", b"<x/>")
    assert (tmp_path / "new" / "folder" / "junit.xml").read_bytes() == b"<x/>"


def test_doctor_looks_at_what_builds_need(world: World) -> None:
    needed = {check.name for check in world.checks() if check.needed}
    assert needed == {"python", "cache", "sandbox", "debian"}


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1


def test_a_world_costs_nothing_before_it_is_used() -> None:
    program = (
        "import sys; from pathlib import Path; from openhands_recipes.cli.world import World;"
        "from openhands_recipes.cli.settings import Settings;"
        "World(Settings(root=Path(), cache=None, state=Path())).clock;"
        "print([name for name in sys.modules if name in ('pydantic', 'httpx', 'rich', 'yaml')])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
