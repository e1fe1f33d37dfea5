"""Building wheels and compiling modules in a real sandbox, by the machine's own Python inside."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.errors import ResolutionError
from openhands_recipes.flows.byte_compile import byte_compile, bytecode_entries
from openhands_recipes.flows.sdist import Room, build_sdist, locked, rebuild
from openhands_recipes.model.fragment import Entry, Kind
from openhands_recipes.ports import BoxOptions
from tests.local_index import buildable, sdist
from tests.unit.flows.python_bench import PYTHON, Shop, opened

pytestmark = pytest.mark.sandbox
SITE = "opt/app/lib/site-packages"
OWNER = (10001, 10001)


class WithLibrary:
    """The engine, with the machine's standard library in every box."""

    def __init__(self, engine: NamespaceEngine, options: BoxOptions) -> None:
        self._engine = engine
        self._binds = options.binds

    def has_tree(self, name: str) -> bool:
        return self._engine.has_tree(name)

    def add_tree(self, name: str, tar_streams: Any) -> None:
        self._engine.add_tree(name, tar_streams)

    @contextlib.contextmanager
    def open(self, trees: Sequence[str], options: BoxOptions | None = None) -> Iterator[Any]:
        with self._engine.open(trees, replace(options or BoxOptions(), binds=self._binds)) as box:
            yield box


@pytest.fixture
def trees(engine: NamespaceEngine, new_tar: Callable[[], Any]) -> tuple[str, ...]:
    """The tiny root and what the standard library's own extension modules link to."""
    if engine.has_tree("libraries"):
        return ("libraries", "tiny")
    tar = new_tar()
    for extension in sorted(Path(sysconfig.get_paths()["stdlib"], "lib-dynload").glob("*.so")):
        with contextlib.suppress(StopIteration):  # a module that needs no library at all
            tar.add_libraries(extension)
    engine.add_tree("libraries", [tar.stream()])
    return ("libraries", "tiny")


@pytest.fixture
def shop(
    tmp_path: Path, engine: NamespaceEngine, python_options: BoxOptions, trees: tuple[str, ...]
) -> Iterator[Shop]:
    with opened(tmp_path) as made:
        room = Room(trees, "/usr/bin/python3", PYTHON)
        bench = replace(made.bench, engine=WithLibrary(engine, python_options), room=lambda: room)
        yield replace(made, bench=bench)


def test_a_wheel_is_built_inside_and_again_from_its_lock(shop: Shop) -> None:
    shop.index.add(buildable("demo", "1.0"))
    made = build_sdist(shop.bench, shop.bench.index.source("demo", "", python_version=PYTHON))
    path = shop.blobs.path(made.digest)
    assert path is not None
    path.unlink()
    assert rebuild(shop.bench, locked(made, "python", made.built.requirements)) == made.digest


def test_a_hostile_build_reaches_neither_network_nor_this_machine(shop: Shop, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    port = shop.index.url.split(":")[2].split("/")[0]
    backend = f"""
import os, socket
def build_wheel(*_):
    told = [str(os.path.exists({str(secret)!r})), str(os.getuid()), os.environ.get("SECRET", "none")]
    try:
        socket.create_connection(("127.0.0.1", {port}), timeout=5)
        told.append("connected")
    except OSError:
        told.append("alone")
    raise SystemExit(" ".join(told))
"""
    system = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    shop.index.add(sdist("evil", "1.0", {"pyproject.toml": system, "own.py": backend}))
    with pytest.raises(ResolutionError, match="False 65534 none alone"):
        build_sdist(shop.bench, shop.bench.index.source("evil", "", python_version=PYTHON))


def test_bytecode_is_the_same_on_one_core_and_on_many(
    engine: NamespaceEngine, python_options: BoxOptions, new_tar: Callable[[], Any]
) -> None:
    tar = new_tar()
    folders = [SITE.rsplit("/", level)[0] for level in (3, 2, 1)] + [SITE, f"{SITE}/one", f"{SITE}/two"]
    for folder in folders:
        tar.add(folder, type=b"5", mode=0o755, uid=OWNER[0], gid=OWNER[1])
    sources: dict[str, list[str]] = {"one": [], "two": []}
    for part, listed in sources.items():
        for number in range(60):
            path = f"{SITE}/{part}/m{number}.py"
            body = (
                f'X = frozenset({{"GET", "n{number}"}})\ndef f(x):\n    return x in {{"GET", "n{number}"}}\n'
            )
            tar.add(path, body.encode(), mode=0o644, uid=OWNER[0], gid=OWNER[1])
            listed.append(path)
    engine.add_tree("modules", [tar.stream()])

    def compiled(jobs: int, parts: list[list[str]]) -> dict[str, list[tuple[Entry, bytes]]]:
        with engine.open(["tiny", "modules"], python_options) as box:
            assert byte_compile(box, parts, python="/usr/bin/python3", jobs=jobs, owner=OWNER) == ()
            return {
                part: [(entry, b"".join(content()) if callable(content) else b"") for entry, content in made]
                for part, made in bytecode_entries(box, sources, python_version=PYTHON)
            }

    alone = compiled(1, [sources["one"], sources["two"]])
    assert compiled(3, [sources["two"][::-1], sources["one"]]) == alone
    assert [len(made) for made in alone.values()] == [61, 61]
    cache, first = alone["one"][:2]
    assert (cache[0].path, cache[0].kind, cache[0].mode) == (
        f"{SITE}/one/__pycache__",
        Kind.DIRECTORY,
        0o755,
    )
    assert (first[0].uid, first[0].gid, first[0].mtime, first[0].mode) == (*OWNER, 315532800, 0o644)
    assert first[1][:4] == importlib.util.MAGIC_NUMBER
    assert f"/{SITE}/one/".encode() in first[1]
    assert sys.implementation.cache_tag in first[0].path
