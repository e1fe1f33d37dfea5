"""Where benches work: a folder of recipes of their own, a cache of their own, servers started when needed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.harness import TREE, say
from bench.peers import Docker, docker
from bench.processes import Ran, run
from bench.servers import registry

OHR = Path(sys.executable).parent / "ohr"

TOOLS = """\
schema: 1
name: bench-tools
version: 1.0.0
summary: What the peers install as well
license: Apache-2.0
maintainers: [{github: openhands, id: 200746266}]
packages: [ca-certificates, curl, git, jq, ripgrep]
python: {version: "3.13", packages: [pip]}
path: [/opt/python/bin]
tests: [{name: python runs, run: "python3 -c 'print(1)'"}]
"""
PEER_PACKAGES = ("ca-certificates", "curl", "git", "jq", "ripgrep", "python3", "python3-pip", "python3-venv")
"""The same for apt; the virtual environment is made by `AFTER`."""
AFTER = "python3 -m venv /opt/python"

CHILD = """\
schema: 1
name: bench-child
version: 1.0.0
summary: One leaf package on top
license: Apache-2.0
maintainers: [{github: openhands, id: 200746266}]
extends: [bench-tools]
packages: [zip]
tests: [{name: zip runs, run: "zip -v"}]
"""


class Workshop:
    """Everything a bench may use; closed as a whole."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ohr-bench-")))
        self.kept = (
            Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openhands-recipes-bench"
        )
        """What is worth keeping between runs of the bench: the peers' base image."""

    @cached_property
    def registry(self) -> str:
        """`host:port` of an empty registry."""
        return self._stack.enter_context(registry())

    @cached_property
    def docker(self) -> Docker:
        """A Docker daemon that has the base image."""
        daemon = self._stack.enter_context(docker())
        daemon.import_base(self.kept)
        return daemon

    @cached_property
    def root(self) -> Path:
        """The recipes of the benches, locked."""
        root = self.folder / "root"
        (root / "recipes").mkdir(parents=True)
        shutil.copy(TREE / "recipes" / "registry.yaml", root / "recipes")
        for name, text in (("bench-tools", TOOLS), ("bench-child", CHILD)):
            (root / "recipes" / name).mkdir()
            (root / "recipes" / name / "recipe.yaml").write_text(text)
        say("locking the recipes of the benches")
        self._run(root, self.fresh_cache(), "lock", "bench-tools", "bench-child", "--platform", self.platform)
        return root

    @property
    def platform(self) -> str:
        """This machine's platform."""
        return "linux/arm64" if os.uname().machine in ("aarch64", "arm64") else "linux/amd64"

    @cached_property
    def warm_cache(self) -> Path:
        """A cache in which `bench-tools` has been built."""
        cache = self.fresh_cache()
        self._run(self.root, cache, "build", "bench-tools")
        return cache

    def library_cache(self, name: str) -> Path:
        """A cache in which a recipe of the library has been built."""
        cache = self.fresh_cache()
        say(f"building {name}")
        self.library(cache, "build", name)
        return cache

    def library(self, cache: Path, *arguments: str) -> Ran:
        """`ohr` on the recipes of the library."""
        return self._run(TREE, cache, *arguments)

    def fresh_cache(self) -> Path:
        """An empty cache."""
        return Path(tempfile.mkdtemp(prefix="cache-", dir=self.folder))

    def copy_of(self, cache: Path) -> Path:
        """A cache that may be changed."""
        copy = self.folder / f"copy-{os.urandom(4).hex()}"
        run(["cp", "-a", cache, copy])
        return copy

    def drop(self, cache: Path) -> None:
        """Remove a cache, whoever owns what is in it."""
        run(["rm", "-rf", cache])

    def ohr(self, cache: Path, *arguments: str, sample_memory: bool = False) -> Ran:
        """`ohr` on the recipes of the benches."""
        return self._run(self.root, cache, *arguments, sample_memory=sample_memory)

    def ohr_json(self, cache: Path, *arguments: str) -> dict[str, Any]:
        """The same with `--format json`, its result parsed; of several results the last."""
        result = json.loads(self.ohr(cache, *arguments, "--format", "json").stdout)
        last: dict[str, Any] = result[-1] if isinstance(result, list) else result
        return last

    def _run(self, root: Path, cache: Path, *arguments: str, sample_memory: bool = False) -> Ran:
        environment = {"OHR_STATE": str(self.folder / "state")}
        command: list[str | Path] = [OHR, "-q", "--root", root, "--cache", cache, *arguments]
        return run(command, environment=environment, sample_memory=sample_memory)
