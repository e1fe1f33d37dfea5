"""`python -m bench [NAME...]`: measure, print the table, write reports/bench.json.

Exit code 1 when a target is missed; a bench this machine cannot run is listed with what is lacking.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import builds, check, gate, index_numbers, nix, startup
from bench.harness import TREE, Bench, LackingError, say, table, write_report
from bench.pack import pack, pack_files
from bench.processes import FailedError
from bench.push_noop import push_noop
from bench.stored import stored_bytes
from bench.workshop import Workshop

BENCHES: dict[str, Callable[[Workshop], Bench]] = {
    "help_time": startup.help_time,
    "check_10000": check.check_10000,
    "gate_100000": gate.gate_100000,
    "index_full": index_numbers.index_full,
    "index_changed": index_numbers.index_changed,
    "index_cold": index_numbers.index_cold,
    "index_again": index_numbers.index_again,
    "index_memory": index_numbers.index_memory,
    "index_search": index_numbers.index_search,
    "index_search_cached": index_numbers.index_search_cached,
    "build_cold": builds.build_cold,
    "build_again": builds.build_again,
    "push_noop": push_noop,
    "add_one": builds.add_one,
    "stored_bytes": stored_bytes,
    "pack": pack,
    "pack_files": pack_files,
    "nix_cold": nix.nix_cold,
    "nix_repeat": nix.nix_repeat,
    "nix_one_file": nix.nix_one_file,
    "nix_memory": nix.nix_memory,
    "run_first_output": startup.run_first_output,
    "agent_server_start": startup.agent_server_start,
    "memory_build": builds.memory_build,
    "memory_lock": builds.memory_lock,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHES)}; default: all")
    parser.add_argument("--runs", type=int, help="how often each; default: as the bench says")
    parser.add_argument("--report", type=Path, default=TREE / "reports" / "bench.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHES.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    reports = []
    with contextlib.ExitStack() as stack:
        shop = Workshop(stack)
        for name in arguments.names or BENCHES:
            reports.append(one(name, shop, arguments.runs))
            write_report(arguments.report, reports)
    print(table(reports))
    say(f"written to {arguments.report}")
    return int(any(fails(report) for report in reports))


def one(name: str, shop: Workshop, runs: int | None) -> dict[str, Any]:
    """One bench's report, also when it could not run."""
    try:
        return BENCHES[name](shop).measure(runs=runs)
    except LackingError as error:
        return {"name": name, "lacking": str(error)}
    except FailedError as error:
        say(f"{name} failed: {error}")
        return {"name": name, "failed": str(error)}


def fails(report: dict[str, Any]) -> bool:
    """Whether it failed or missed a target."""
    return "failed" in report or any(target["met"] is False for target in report.get("targets", ()))


if __name__ == "__main__":
    sys.exit(main())
