"""The peers: `docker build` and mmdebstrap, on the same mirror, with the same packages, pushed alike.

A daemon of our own runs on a private socket below a temporary folder; the machine's own is left alone. The
base image is a minimal Debian made with mmdebstrap (no hub is needed), and counts as cached.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.harness import LackingError, say
from bench.processes import run
from openhands_recipes.adapters.apt_sources import debian_sources
from openhands_recipes.adapters.openpgp import debian_keys
from openhands_recipes.errors import RecipesError

SUITES = ("trixie", "trixie-updates", "trixie-security")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def apt_lines() -> list[str]:
    """The mirror ohr itself uses, as lines of a sources.list.

    Raises:
        LackingError: there is none.
    """
    try:
        sources = debian_sources(debian_keys)
        return [f"deb {sources.roots(suite)[0]} {suite} main" for suite in SUITES]
    except RecipesError as error:
        raise LackingError("a Debian mirror") from error


def program(name: str) -> str:
    """Where a program is.

    Raises:
        LackingError: it is not installed.
    """
    found = shutil.which(name, path=PATH)
    if found is None:
        raise LackingError(name)
    return found


def needs_root(why: str) -> None:
    """Refuse early.

    Raises:
        LackingError: we are not root.
    """
    if os.geteuid() != 0:
        raise LackingError(f"root ({why})")


def mmdebstrap(packages: tuple[str, ...], out: Path) -> None:
    """A minimal Debian with some packages, as a tarball."""
    options = ["--quiet", "--variant=minbase", "--mode=auto"]
    if packages:
        options.append("--include=" + ",".join(packages))
    sources = "\n".join(apt_lines()).encode() + b"\n"
    run([program("mmdebstrap"), *options, SUITES[0], out, "-"], stdin=sources)


@dataclass
class Docker:
    """A daemon of our own and what we ask of it."""

    socket: str
    folder: Path

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> str:
        """`docker ...` on our socket; what it printed."""
        environment = {"DOCKER_BUILDKIT": "1", "DOCKER_CONFIG": str(self.folder / "client")}
        command = [client(), "-H", self.socket, *arguments]
        return run(command, environment=environment, stdin=stdin).stdout

    def import_base(self, cache: Path) -> str:
        """The cached base image: minimal Debian with the mirror's lists named, none fetched."""
        tarball = cache / f"base-{SUITES[0]}.tar"
        if not tarball.exists():
            say("making the peers' base image with mmdebstrap")
            cache.mkdir(parents=True, exist_ok=True)
            unfinished = cache / f"unfinished-{os.getpid()}.tar"
            mmdebstrap((), unfinished)
            unfinished.replace(tarball)
        self("import", tarball, "base:bench")
        return "base:bench"

    def build(self, base: str, packages: tuple[str, ...], tag: str, *, after: str = "") -> None:
        """`docker build` of the usual Dockerfile, nothing but the base cached."""
        context = Path(tempfile.mkdtemp(dir=self.folder))
        (context / "sources.list").write_text("\n".join(apt_lines()) + "\n")
        (context / "Dockerfile").write_text(dockerfile(base, packages, after))
        self("build", "--quiet", "--no-cache", "--network", "host", "--tag", tag, context)
        shutil.rmtree(context)

    def forget(self, *tags: str) -> None:
        """Remove images and what a build may reuse."""
        for tag in tags:
            with contextlib.suppress(Exception):
                self("image", "rm", "--force", tag)
        with contextlib.suppress(Exception):
            self("builder", "prune", "--all", "--force")


def client() -> str:
    """Docker's command line; the distribution's own, whose BuildKit needs no plugin, if it is there."""
    return "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else program("docker")


def dockerfile(base: str, packages: tuple[str, ...], after: str) -> str:
    """What people write by hand."""
    install = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
    steps = [install, *([after] if after else []), "rm -rf /var/lib/apt/lists/*"]
    return (
        f"FROM {base}\n"
        "RUN rm -rf /etc/apt/sources.list.d\n"
        "COPY sources.list /etc/apt/sources.list\n"
        f"RUN {' && '.join(steps)}\n"
    )


@contextlib.contextmanager
def docker() -> Iterator[Docker]:
    """A Docker daemon that lives as long as the bench.

    Raises:
        LackingError: there is none to start, or it does not start here.
    """
    daemon = program("dockerd")
    needs_root("dockerd")
    folder = Path(tempfile.mkdtemp(prefix="ohr-bench-docker-"))
    socket = f"unix://{folder}/docker.sock"
    command: list[str | Path] = [
        daemon,
        "-H",
        socket,
        "--data-root",
        folder / "data",
        "--exec-root",
        folder / "exec",
    ]
    command += ["--pidfile", folder / "pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": PATH}) as process,
    ):
        try:
            _wait_for(folder / "docker.sock", process)
            yield Docker(socket, folder)
        finally:
            process.terminate()
            process.wait(timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for(socket: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if socket.exists():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise LackingError("a Docker daemon that starts")
