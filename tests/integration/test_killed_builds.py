"""A build killed at any moment leaves a cache that the next one finishes from, with the same digest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from tests.integration.zoo import Zoo, environment, ohr
from tests.web import Reply

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("zoo")]

PATIENCE = 120


class Build:
    """A build in a process of its own, watched through its events and its cache."""

    def __init__(self, zoo: Zoo, cache: Path, talk: IO[bytes]) -> None:
        self.cache = cache
        self._talk = Path(talk.name)
        self.process = subprocess.Popen(
            ohr(zoo, cache, "build", "ground", "--format", "json"),
            env=environment(zoo),
            stdout=subprocess.DEVNULL,
            stderr=talk,
        )

    def started(self, stage: str) -> bool:
        return any(e["stage"] == stage for e in self._events("stage-started"))

    def finished(self, stage: str) -> bool:
        return any(e["stage"] == stage for e in self._events("stage-finished"))

    def _events(self, kind: str) -> Iterator[dict[str, str]]:
        for line in self._talk.read_text().splitlines():
            with suppress(ValueError):  # the last line may not be whole yet
                event = json.loads(line)
                if event.get("event") == kind:
                    yield event

    def files(self, area: str) -> int:
        return sum(len(files) for _, _, files in os.walk(self.cache / area))

    def inside(self, path: str) -> bool:
        """Whether a file is there in the sandbox's writable layer."""
        return any((self.cache / "sandbox").glob(f"*/uppers/*/data/{path}"))

    def left_over(self) -> list[str]:
        """Processes that still use the cache."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(self.cache) in words + str((process / "cwd").readlink()):
                    found.append(words)
        return found


MOMENTS: dict[str, Callable[[Build], bool]] = {
    "the first downloads": lambda build: build.files("partial") + build.files("blobs") > 3,
    "half of the downloads": lambda build: build.files("blobs") > 40,
    "converting": lambda build: build.files("fragments") > 30,
    "unpacking": lambda build: build.started("unpack"),
    "the beginning of configuring": lambda build: build.started("configure ground"),
    "the first scripts": lambda build: build.inside("etc/passwd"),
    "the middle of configuring": lambda build: build.inside(
        "usr/lib/python3.13/__pycache__/ast.cpython-313.pyc"
    ),
    "packing what was configured": lambda build: build.started("pack"),
    "the end of packing": lambda build: build.finished("pack"),
}
"""In the order in which a build that goes on meets them."""


@contextmanager
def building(zoo: Zoo, cache: Path, folder: Path) -> Iterator[Build]:
    with (folder / "talk").open("wb") as talk:
        build = Build(zoo, cache, talk)
        try:
            yield build
        finally:
            build.process.kill()
            build.process.wait()


def killed_at(build: Build, moment: Callable[[Build], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while build.process.poll() is None and time.monotonic() < until:
        if moment(build):
            build.process.send_signal(signal.SIGKILL)
            return build.process.wait() == -signal.SIGKILL
        time.sleep(0.003)
    return False


def test_builds_killed_at_nine_moments_end_in_the_digest_of_an_undisturbed_one(
    zoo: Zoo, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    for deb in zoo.debs("ground"):  # slow enough to be met
        path = f"/mirror/{deb['path']}"
        zoo.web.behaviour[path] = lambda _: Reply(pause=0.005)
    for name, moment in MOMENTS.items():
        with building(zoo, cache, tmp_path) as build:
            assert killed_at(build, moment), f"{name}: {(tmp_path / 'talk').read_text()[-2000:]}"
        until = time.monotonic() + 10
        while (left := build.left_over()) and time.monotonic() < until:
            time.sleep(0.05)
        assert left == [], f"{name}: processes outlive their build"
    done = subprocess.run(
        ohr(zoo, cache, "build", "ground", "--format", "json"),
        env=environment(zoo), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == zoo.build("ground").digest
    assert [path for path in cache.glob("sandbox/*/uppers/*") if path.is_dir()] == []
    zoo.forget(cache)
