"""The Python package index this machine uses, asked for real."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path

import pytest

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http
from openhands_recipes.adapters.origins import Origins
from openhands_recipes.adapters.python_index import python_index
from openhands_recipes.adapters.uv import UvIndex
from openhands_recipes.compile.python.pylock import fits
from openhands_recipes.flows.lock_python import World, lock_wheels
from openhands_recipes.flows.parts import wanted_wheel
from openhands_recipes.flows.sdist import Room, Workbench, rebuild
from openhands_recipes.model.digest import from_hex
from openhands_recipes.model.platform import Platform
from tests.process_engine import ProcessEngine
from tests.unit.flows.python_bench import PYTHON, no_debian, no_npm

pytestmark = pytest.mark.online
BOTH: tuple[Platform, ...] = ("linux/amd64", "linux/arm64")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    http = Http()
    blobs = BlobStore(CacheDir(tmp_path / "cache"))
    places = Origins(debian=no_debian, python=python_index, npm=no_npm, http=http)
    downloads = PooledDownloads(blobs=blobs, places=places, http=http)
    uv = UvIndex(settings=functools.cache(python_index), http=http, cache=tmp_path / "uv")
    room = Room(("root",), sys.executable, PYTHON)
    return Workbench(uv, lambda: downloads, blobs, ProcessEngine(), "linux/amd64", lambda: room)


def test_six_and_numpy_are_found_for_both_machines(bench: Workbench) -> None:
    world = World("python", "3.13.5", ("six==1.17.0", "numpy>=2.2"))
    locked = lock_wheels(bench, [world], BOTH)
    for platform, wheels in locked.items():
        assert [wheel.name for wheel in wheels] == ["numpy", "pip", "six"]
        assert all(fits(wheel.file, python_version="3.13.5", platform=platform) for wheel in wheels)
        assert all(wheel.size > 5_000 for wheel in wheels)
    six = {wheels[2].sha256 for wheels in locked.values()}
    assert six == {"4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"}
    bench.downloads().fetch([wanted_wheel(locked["linux/amd64"][2])])
    path = bench.blobs.path(from_hex(six.pop()))
    assert path is not None
    assert path.stat().st_size == locked["linux/amd64"][2].size


def test_func_timeout_which_has_no_wheel_is_built_the_same_twice(bench: Workbench) -> None:
    locked = lock_wheels(bench, [World("agent-server", "3.13.5", ("func-timeout",))], BOTH)
    (wheel,) = locked["linux/amd64"]
    assert wheel == locked["linux/arm64"][0]
    assert wheel.built_from is not None
    assert wheel.built_from.file == "func_timeout-4.3.5.tar.gz"
    assert [requirement.name for requirement in wheel.built_from.requirements] == ["setuptools"]
    path = bench.blobs.path(from_hex(wheel.sha256))
    assert path is not None
    path.unlink()
    rebuild(bench, wheel)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == wheel.sha256
