"""Images: from nothing, again, with one package more; beside `docker build` and mmdebstrap.

Caches stay until the end where time is measured: ext4 does not take an inode again for some minutes after it
was freed, and looks at each one of them first, which would punish whoever runs after a large removal.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.harness import Bench, LackingError, Target, say
from bench.peers import mmdebstrap
from bench.workshop import AFTER, PEER_PACKAGES, Workshop


def build_cold(shop: Workshop) -> Bench:
    """From an empty cache to the registry."""

    def ours() -> float:
        cache = shop.fresh_cache()
        began = time.perf_counter()
        shop.ohr(cache, "build", "bench-tools")
        shop.ohr(cache, "push", "bench-tools", "--to", f"{shop.registry}/ours{_unique()}", "--plain-http")
        return time.perf_counter() - began

    peers, missing = _possible(
        {"docker": lambda: _docker_peer(shop), "mmdebstrap": lambda: _mmdebstrap_peer(shop)}
    )
    _ = shop.root, shop.registry
    return Bench(
        name="build_cold",
        what="an image from an empty cache, pushed to a loopback registry",
        unit="s",
        ours=ours,
        peers=peers,
        missing=missing,
        targets=(Target(0.5, "docker"), Target(1 / 3, "mmdebstrap")),
        runs=3,
    )


def _possible(
    makers: dict[str, Callable[[], Callable[[], float]]],
) -> tuple[dict[str, Callable[[], float]], dict[str, str]]:
    """The peers this machine can have, and why it cannot have the others."""
    peers, missing = {}, {}
    for name, make in makers.items():
        try:
            peers[name] = make()
        except LackingError as error:
            say(f"no peer {name}: this machine lacks {error}")
            missing[name] = f"lacks {error}"
    return peers, missing


_pushes = iter(range(1_000_000))


def _unique() -> int:
    """A repository nobody has pushed to: nothing is there already, for no contestant."""
    return next(_pushes)


def _docker_peer(shop: Workshop) -> Callable[[], float]:
    daemon, host = shop.docker, shop.registry

    def once() -> float:
        tag = f"{host}/docker{_unique()}:1"
        began = time.perf_counter()
        daemon.build("base:bench", PEER_PACKAGES, tag, after=AFTER)
        daemon("push", tag)
        seconds = time.perf_counter() - began
        daemon.forget(tag)
        return seconds

    return once


def _mmdebstrap_peer(shop: Workshop) -> Callable[[], float]:
    daemon, host = shop.docker, shop.registry
    tarball = shop.folder / "mmdebstrap.tar"

    def once() -> float:
        tag = f"{host}/mmdebstrap{_unique()}:1"
        began = time.perf_counter()
        mmdebstrap(PEER_PACKAGES, tarball)
        daemon("import", tarball, tag)
        daemon("push", tag)
        seconds = time.perf_counter() - began
        daemon.forget(tag)
        tarball.unlink()
        return seconds

    return once


def build_again(shop: Workshop) -> Bench:
    """The same image, nothing changed."""
    cache = shop.warm_cache
    return Bench(
        name="build_again",
        what="`ohr build` again, nothing changed",
        unit="s",
        ours=lambda: shop.ohr(cache, "build", "bench-tools").seconds,
        targets=(Target(0.3),),
        runs=7,
    )


def add_one(shop: Workshop) -> Bench:
    """A child with one leaf package, its parent cached; downloads apart."""
    facts: dict[str, object] = {}

    def ours() -> float:
        cache = shop.copy_of(shop.warm_cache)
        began = time.perf_counter()
        report = shop.ohr_json(cache, "build", "bench-child")
        seconds = time.perf_counter() - began
        stages: dict[str, float] = report["seconds"]
        download = sum(spent for name, spent in stages.items() if "download" in name or "fetch" in name)
        repository = f"{shop.registry}/child{_unique()}"
        for name in ("bench-tools", "bench-child"):
            pushed = shop.ohr_json(cache, "push", name, "--to", repository, "--plain-http")
        facts.update(stages=stages, download=download, wall=seconds, push=pushed)
        return seconds - download

    return Bench(
        name="add_one",
        what="a child with one leaf package on a cached parent, without its download",
        unit="s",
        ours=ours,
        targets=(Target(3),),
        facts=facts,
        runs=3,
    )


def memory_build(shop: Workshop) -> Bench:
    """Peak memory of a build from nothing, the whole tree of processes."""

    def ours() -> float:
        cache = shop.fresh_cache()
        peak = shop.ohr(cache, "build", "bench-tools", sample_memory=True).peak_mib
        shop.drop(cache)
        return peak

    return Bench(
        name="memory_build",
        what="peak memory of `ohr build` from an empty cache",
        unit="MiB",
        ours=ours,
        targets=(Target(300),),
        runs=3,
    )


def memory_lock(shop: Workshop) -> Bench:
    """Peak memory of locking from nothing."""

    def ours() -> float:
        cache = shop.fresh_cache()
        peak = shop.ohr(cache, "lock", "bench-tools", "--update", sample_memory=True).peak_mib
        shop.drop(cache)
        return peak

    return Bench(
        name="memory_lock",
        what="peak memory of `ohr lock --update` from an empty cache",
        unit="MiB",
        ours=ours,
        targets=(Target(500),),
        runs=3,
    )
