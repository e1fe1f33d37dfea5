"""A registry of our own on the loopback address, empty at every start."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.harness import LackingError

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """`host:port` of a real registry (the reference implementation of the distribution specification).

    Raises:
        LackingError: it is not installed, or does not start.
    """
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        raise LackingError("docker-registry")
    folder = Path(tempfile.mkdtemp(prefix="ohr-bench-registry-"))
    port = free_port()
    (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder, port=port))
    with subprocess.Popen([program, "serve", folder / "config.yml"], stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise LackingError("a registry that starts")
