"""How long one waits before anything happens."""

from __future__ import annotations

from bench.harness import Bench, Target
from bench.processes import run
from bench.workshop import OHR, Workshop


def help_time(_: Workshop) -> Bench:
    """`ohr --help`."""
    return Bench(
        name="help_time",
        what="`ohr --help`",
        unit="s",
        ours=lambda: run([OHR, "--help"]).seconds,
        targets=(Target(0.2),),
        runs=11,
    )


def run_first_output(shop: Workshop) -> Bench:
    """`ohr run` of a cached image until the command speaks."""
    cache = shop.warm_cache
    shop.ohr(cache, "run", "bench-tools", "--", "true")  # the first run unpacks
    return Bench(
        name="run_first_output",
        what="`ohr run` of a cached image to its first output",
        unit="s",
        ours=lambda: shop.ohr(cache, "run", "bench-tools", "--", "echo", "hello").first_output,
        targets=(Target(0.3),),
        runs=7,
    )
