"""How long one waits before anything happens."""

from __future__ import annotations

import statistics

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


UNTIL_HEALTHY = """\
openhands-agent-server --host 127.0.0.1 --port 8000 >/tmp/log 2>&1 &
server=$!
began=$(date +%s%N)
until curl --silent --fail --output /dev/null http://127.0.0.1:8000/health; do
    kill -0 $server 2>/dev/null || { cat /tmp/log >&2; exit 1; }
    sleep 0.02
done
ended=$(date +%s%N)
read -r -a stat < /proc/$server/stat
kill $server
echo "$((ended - began)) $((stat[13] + stat[14])) $(getconf CLK_TCK)"
"""
"""Prints nanoseconds until it answered, and its processor time in clock ticks (proc_pid_stat(5))."""


def agent_server_start(shop: Workshop) -> Bench:
    """The agent-server of our image, until it answers `/health`."""
    cache = shop.library_cache("openhands-agent")
    spent: list[float] = []

    def ours() -> float:
        done = shop.library(cache, "run", "openhands-agent", "--", "bash", "-c", UNTIL_HEALTHY)
        nanoseconds, ticks, per_second = map(int, done.stdout.split())
        spent.append(ticks / per_second)
        facts["processor seconds"] = statistics.median(spent)
        return nanoseconds / 1e9

    facts: dict[str, object] = {}
    ours()  # the first start unpacks the image and reads its files from the disk
    spent.clear()
    return Bench(
        name="agent_server_start",
        what="agent-server: start to its first answer at `/health`",
        unit="s",
        ours=ours,
        targets=(Target(6),),
        facts=facts,
        runs=5,
    )
