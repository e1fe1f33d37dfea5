"""The signed index at a hundred thousand recipes: building it, changing it, reading it, searching it."""

from __future__ import annotations

import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import TREE, Bench, Target
from bench.index_ledger import WORDS, GeneratedLedger
from bench.index_site import CHANGED, RECIPES, VERSIONS, Counted, MadeIndex, made_index, served
from bench.processes import run
from bench.workshop import Workshop
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.clock import SystemClock
from openhands_recipes.adapters.index_source import FolderSource
from openhands_recipes.adapters.tuf_client import ReadingRules, TufIndexReader
from openhands_recipes.flows.find import FRESH
from openhands_recipes.publish.index.find import Bundle, Query
from openhands_recipes.publish.index.lists import BUNDLE, read_bundle

RESOLVE = """\
import sys
from pathlib import Path
from openhands_recipes.cli.main import run_with
code = run_with(sys.argv[1:])
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(peak.split()[1])
sys.exit(code)
"""
"""Resolves, then says its own peak in KiB (the peak of a parent does not count: `ru_maxrss` has it)."""


def index_full(shop: Workshop) -> Bench:
    """The whole index from the ledger."""
    return Bench(
        name="index_full",
        what=f"`ohr index add`, all {RECIPES:,} recipes x {VERSIONS} releases",
        unit="s",
        ours=lambda: made_index(shop.folder).seconds,
        targets=(Target(300),),
        runs=1,
    )


def index_changed(shop: Workshop) -> Bench:
    """A day's changes."""
    made = made_index(shop.folder)
    counts = iter(range(CHANGED, CHANGED + 100))

    def once() -> float:
        return made.add(GeneratedLedger(RECIPES, VERSIONS, changed=next(counts)))

    return Bench(
        name="index_changed",
        what=f"`ohr index add`, {CHANGED:,} recipes changed",
        unit="s",
        ours=once,
        targets=(Target(30),),
        runs=3,
    )


def index_cold(shop: Workshop) -> Bench:
    """Bytes for one recipe from nothing; requests and memory beside them."""
    return _reading(shop, "index_cold", "resolve one recipe from nothing", warm=False)


def index_again(shop: Workshop) -> Bench:
    """Bytes for the same recipe again."""
    return _reading(shop, "index_again", "resolve it again", warm=True)


def index_memory(shop: Workshop) -> Bench:
    """Memory of a cold resolve."""
    made, facts = made_index(shop.folder), dict[str, object]()
    return Bench(
        name="index_memory",
        what="peak memory of a cold resolve",
        unit="MiB",
        ours=lambda: _resolved(shop, made, facts, warm=False)[1],
        targets=(Target(50),),
        runs=3,
        facts=facts,
    )


def index_search(shop: Workshop) -> Bench:
    """Searching the bundle, unpacking it included."""
    with made_index(shop.folder).repository().edit() as edit:
        content = edit.read(BUNDLE) or b""
    return _searching("index_search", "packed bytes in memory", lambda: content)


def index_search_cached(shop: Workshop) -> Bench:
    """What a search does whose list is in the cache and young: read, check its digest, unpack, look."""
    made = made_index(shop.folder)
    reader = TufIndexReader(
        FolderSource(made.folder / "index"),
        made.root.read_bytes(),
        folder=shop.folder / "search-cache",
        blobs=BlobStore(CacheDir(shop.folder / "search-cache")),
        clock=SystemClock(),
        rules=ReadingRules(),
    )
    reader.target(BUNDLE)  # the first search of an hour asks for it

    def from_cache() -> bytes:
        content = reader.cached_target(BUNDLE, seconds=FRESH)
        assert content is not None  # noqa: S101 - it was asked for just now
        return content

    return _searching("index_search_cached", "list read from the cache", from_cache)


def _searching(name: str, what: str, packed: Callable[[], bytes]) -> Bench:
    chance = random.Random(7)  # noqa: S311 - nothing secret
    facts: dict[str, object] = {"bundle_bytes": len(packed())}

    def once() -> float:
        times = []
        for _ in range(60):
            words = tuple(chance.sample(WORDS, chance.choice((1, 1, 2, 3))))
            common = (chance.choice(("for", "with", "a")),) if chance.random() < 0.2 else ()
            began = time.perf_counter()
            Bundle(read_bundle(packed())).find(Query((*words, *common)))
            times.append((time.perf_counter() - began) * 1000)
        facts["p50_ms"] = round(statistics.median(times), 1)
        return statistics.quantiles(times, n=20)[-1]

    return Bench(
        name=name,
        what=f"search among {RECIPES:,}, {what}, 95th percentile",
        unit="ms",
        ours=once,
        targets=(Target(50),),
        runs=5,
        facts=facts,
    )


def _reading(shop: Workshop, name: str, what: str, *, warm: bool) -> Bench:
    made, facts = made_index(shop.folder), dict[str, object]()
    limit, requests = (2, 2) if warm else (80, 6)

    def once() -> float:
        counted, _ = _resolved(shop, made, facts, warm=warm)
        if len(counted.requests) > requests:
            raise AssertionError(f"{len(counted.requests)} requests: {counted.requests}")
        return counted.sent / 1000

    return Bench(name=name, what=what, unit="kB", ours=once, targets=(Target(limit),), runs=3, facts=facts)


def _resolved(
    shop: Workshop, made: MadeIndex, facts: dict[str, object], *, warm: bool
) -> tuple[Counted, float]:
    """What the host counted, and the reader's peak memory."""
    name = random.choice(made.ledger.names())  # noqa: S311 - any will do
    cache = Path(tempfile.mkdtemp(dir=shop.folder))
    with served(made.folder / "index") as counted:
        command = [
            sys.executable, "-c", RESOLVE, "--root", str(_believing(shop, made, counted.url)),
            "--cache", str(cache), "info", name, "--format", "json",
        ]  # fmt: skip
        if warm:
            run(command)
            counted.reset()
        said = run(command, environment={"OHR_STATE": str(shop.folder / "state")}).stdout
    shutil.rmtree(cache)
    document, _, peak = said.rstrip().rpartition("\n")
    assert json.loads(document)["name"] == name  # noqa: S101 - it did resolve
    facts["requests"] = len(counted.requests)
    return counted, int(peak) / 1024


def _believing(shop: Workshop, made: MadeIndex, url: str) -> Path:
    """A registry whose settings name the index, as people have it."""
    root = shop.folder / "believing"
    recipes = root / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    settings = (TREE / "recipes" / "registry.yaml").read_text()
    (recipes / "registry.yaml").write_text(f"{settings}\nindex: {{url: '{url}', root: root.json}}\n")
    shutil.copy(made.root, recipes / "root.json")
    return root
