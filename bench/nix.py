"""Closures to registries: ours beside nixpkgs' `streamLayeredImage` (re-implemented) and nix2container.

The store has 2 GB in 300 paths (OHR_BENCH_STORE_MB for another size). Publishing is from the store to a
registry on the loopback address. The stream goes through `skopeo copy`, as its users send it. nix2container
only plans, tars and hashes its layers: its push needs a patched skopeo.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from bench.harness import TREE, Bench, LackingError, Target, say
from bench.nix_store import change_one_file, make_store, planted
from bench.peers import program
from bench.processes import run
from bench.workshop import Workshop

STREAM = "streamLayeredImage + skopeo"
N2C = "nix2container, layers only"
MODULE = "github.com/nlewo/nix2container@latest"


def store_of(shop: Workshop) -> Path:
    """The store of all benches of this kind."""
    store = shop.folder / "nix-store"
    if not store.exists():
        megabytes = int(os.environ.get("OHR_BENCH_STORE_MB", "2000"))
        say(f"making a store of {megabytes} MB")
        make_store(store, megabytes)
    return store


def publish(shop: Workshop, store: Path, cache: Path, namespace: str) -> dict[str, float]:
    """Ours, once."""
    target = f"{shop.registry}/{namespace}"
    done = run(
        [sys.executable, "-m", "bench.nix_pack", store, cache, target], environment={"PYTHONPATH": str(TREE)}
    )
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def stream(shop: Workshop, store: Path) -> float:
    """The way of nixpkgs, once: stream, compress, push into a repository that has nothing of it."""
    skopeo = program("skopeo")
    archive = shop.folder / "stream.tar"  # older skopeos read no archive from a pipe
    target = f"docker://{shop.registry}/stream-{os.urandom(4).hex()}/bench:1"
    began = time.perf_counter()
    with archive.open("wb") as out:
        _stream_into(out, store)
    copy = [skopeo, "copy", "--quiet", "--dest-tls-verify=false", f"docker-archive:{archive}", target]
    subprocess.run(copy, check=True, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - began
    archive.unlink()
    return taken


def _stream_into(out: IO[bytes], store: Path) -> None:
    command = [sys.executable, "-m", "bench.nix_stream", str(store)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(TREE)}, stdout=out)


def nix_cold(shop: Workshop) -> Bench:
    """From a store to a registry, nothing packed before."""
    store = store_of(shop)
    facts: dict[str, float] = {}

    def ours() -> float:
        cache = shop.fresh_cache()
        taken = publish(shop, store, cache, f"cold-{os.urandom(4).hex()}")
        shop.drop(cache)
        facts.update(taken)
        return taken["seconds"]

    peers, missing = _peers(shop, store)
    if STREAM in peers:
        say("how long the stream alone takes")
        facts["stream alone, uncompressed, to nowhere"] = _stream_alone(store)
    return Bench(
        name="nix_cold",
        what="closure to registry, cold",
        unit="s",
        ours=ours,
        peers=peers,
        missing=missing,
        targets=(Target(1 / 3, peer=STREAM),),
        runs=3,
        facts=facts,
    )


def nix_repeat(shop: Workshop) -> Bench:
    """The same again, nothing changed."""
    store, cache = store_of(shop), shop.fresh_cache()
    publish(shop, store, cache, "repeat")
    facts: dict[str, float] = {}

    def ours() -> float:
        facts.update(publish(shop, store, cache, "repeat"))
        return facts["seconds"]

    peers, missing = _peers(shop, store)
    return Bench(
        name="nix_repeat",
        what="the same again",
        unit="s",
        ours=ours,
        peers=peers,
        missing=missing,
        targets=(Target(1 / 10, peer=STREAM), Target(0.3)),
        runs=3,
        facts=facts,
    )


def nix_one_file(shop: Workshop) -> Bench:
    """One file of one path changes: megabytes pushed."""
    store = shop.folder / "nix-store-changing"
    shutil.copytree(store_of(shop), store, symlinks=True)
    cache = shop.fresh_cache()
    publish(shop, store, cache, "change")
    change_one_file(store)
    facts = publish(shop, store, cache, "change")
    facts["paths"] = len(planted(store))
    shutil.rmtree(store)
    return Bench(
        name="nix_one_file",
        what="one file changed: pushed",
        unit="MB",
        ours=lambda: facts["uploaded"] / 1e6,
        targets=(Target(10),),
        runs=1,
        facts=facts,
    )


def nix_memory(shop: Workshop) -> Bench:
    """The most memory of packing everything."""
    store = store_of(shop)

    def ours() -> float:
        cache = shop.fresh_cache()
        done = run(
            [sys.executable, "-m", "bench.nix_pack", store, cache], environment={"PYTHONPATH": str(TREE)}
        )
        shop.drop(cache)
        return float(json.loads(done.stdout)["peak_mib"])

    return Bench(
        name="nix_memory",
        what="packing a closure: peak",
        unit="MiB",
        ours=ours,
        targets=(Target(300),),
        runs=1,
    )


def _peers(shop: Workshop, store: Path) -> tuple[dict[str, Callable[[], float]], dict[str, str]]:
    peers: dict[str, Callable[[], float]] = {}
    missing: dict[str, str] = {}
    try:
        program("skopeo")
        peers[STREAM] = lambda: stream(shop, store)
    except LackingError as error:
        missing[STREAM] = f"lacks {error}"
    try:
        tool = nix2container(shop)
        peers[N2C] = lambda: _layers(tool, store)
    except LackingError as error:
        missing[N2C] = f"lacks {error}"
    return peers, missing


def _stream_alone(store: Path) -> float:
    began = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        _stream_into(nowhere, store)
    return time.perf_counter() - began


def nix2container(shop: Workshop) -> Path:
    """The program, built by Go.

    Raises:
        LackingError: no Go, or its module cannot be had.
    """
    built = shop.kept / "bin" / "nix2container"
    if not built.exists():
        go = program("go")
        say("building nix2container")
        environment = os.environ | {"GOBIN": str(built.parent), "GOFLAGS": "-modcacherw"}
        done = subprocess.run([go, "install", MODULE], check=False, env=environment, capture_output=True)
        if done.returncode or not built.exists():
            raise LackingError("a nix2container that builds")
    return built


def _layers(tool: Path, store: Path) -> float:
    """Plan, tar and hash, 42 layers as we may have."""
    graph = [
        {"path": str(item.folder), "narHash": item.nar_hash, "narSize": item.nar_size, "references": [],
         "closureSize": item.nar_size}
        for item in planted(store)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch, "graph.json")
        listed.write_text(json.dumps(graph))
        out = Path(scratch, "layers.json")
        return run(
            [str(tool), "layers-from-reproducible-storepaths", "--max-layers", "42", str(out), str(listed)]
        ).seconds
