"""containerd and Docker, each with folders and a socket of its own: nothing of the machine's is touched."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.debian_tools import LACKS, installed


@dataclass(frozen=True)
class Client:
    """A command line that talks to a daemon."""

    command: tuple[str, ...]

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{' '.join(done.args)}\n{done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def running_containerd(folder: Path) -> Iterator[Client]:
    """containerd; the client is `ctr`."""
    daemon, client = installed("containerd", "containerd"), installed("ctr", "containerd")
    folder.mkdir(parents=True)
    socket = folder / "s"
    config = folder / "config.toml"
    config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    command: list[str | Path] = [
        daemon,
        "--config",
        config,
        "--root",
        folder / "root",
        "--state",
        folder / "state",
    ]
    ctr = Client((str(client), "--address", str(socket)))
    with _running([*command, "--address", socket], folder, ctr, ("version",)):
        yield ctr


@dataclass(frozen=True)
class Docker:
    """A Docker daemon."""

    client: Client
    host: str


@contextmanager
def running_docker(folder: Path) -> Iterator[Docker]:
    """dockerd without networks; the client is `docker`."""
    daemon, client = installed("dockerd", "docker.io"), installed("docker", "docker.io")
    installed("runc", "runc")
    folder.mkdir(parents=True)
    host = f"unix://{folder}/s"
    command: list[str | Path] = [
        daemon,
        "--host",
        host,
        "--data-root",
        folder / "data",
        "--exec-root",
        folder / "exec",
    ]
    command += ["--pidfile", folder / "pid", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    command += ["--ip-forward=false", "--ip-masq=false"]
    docker = Client((str(client), "--host", host))
    try:
        with _running(command, folder, docker, ("version",)):
            yield Docker(docker, host)
    finally:
        for left in (folder / "exec" / "netns").glob("*"):  # containers with `--network` none or host
            subprocess.run(["umount", left], check=False, capture_output=True)


@contextmanager
def _running(
    command: Sequence[str | Path], folder: Path, client: Client, question: tuple[str, ...]
) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while subprocess.run([*client.command, *question], capture_output=True, check=False).returncode:
            if process.poll() is not None or time.monotonic() > until:
                told = (folder / "log").read_text()[-2000:]
                pytest.skip(f"{LACKS}what {Path(command[0]).name} needs to run: {told}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
