"""A build that runs out of disk says so, wherever it was; with more room the next one goes on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.zoo import Zoo, environment, ohr

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("zoo")]

SIZES = ("20m", "120m", "220m", "365m", "375m", "1g")
"""Too small for downloads, fragments, trees, then for packages to be configured; the last is enough."""
SCRIPT = """
cache=$1 sizes=$2
shift 2
mount -t tmpfs -o size=1m,mode=755 tmpfs "$cache"
for size in $sizes; do
  mount -o remount,size=$size "$cache"
  "$@" >"$cache/../out.$size" 2>"$cache/../talk.$size"
  echo "$size $?"
done
"""
"""Runs a command with its cache on a file system of growing size, in a mount namespace of its own."""


def test_builds_on_a_full_disk_tell_it_and_go_on_with_more_room(zoo: Zoo, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this machine lacks root, to mount a small file system")
    cache = tmp_path / "cache"
    cache.mkdir()
    command = ohr(zoo, cache, "build", "ground", "--format", "json")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", cache, " ".join(SIZES), *command],
        env=environment(zoo), capture_output=True, text=True, check=True,
    )  # fmt: skip
    codes = dict(line.split() for line in done.stdout.splitlines())
    assert tuple(codes) == SIZES
    for size in SIZES[:3]:
        assert codes[size] == "3"
    for size in SIZES:
        if codes[size] == "0":
            built = json.loads((tmp_path / f"out.{size}").read_text())
            assert built["digest"] == zoo.build("ground").digest, size
            continue
        last = json.loads((tmp_path / f"talk.{size}").read_text().splitlines()[-1])
        told = last["message"] + last["hint"]
        assert "no room left" in told or "disk is full" in told, size
        assert "OHR_CACHE" in last["hint"] or "another cache folder" in last["hint"], size
    assert codes["1g"] == "0"
