"""`make demo`: from a recipe to a proven sandbox image in a registry, in one go.

Uses nothing but the command `ohr`, so it is also a check of what a user would type. What it needs and cannot
have (a registry, a lock whose files the mirror has dropped) it replaces, and says so.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
OHR = str(TREE / ".venv" / "bin" / "ohr")
RECIPE = "python"


class DemoError(Exception):
    """A step of the demo failed; its own words are already on the screen."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


def say(text: str) -> None:
    print(f"\n== {text}", file=sys.stderr, flush=True)


class Ohr:
    """The command, on one folder of recipes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *arguments: str, may_fail: bool = False) -> tuple[int, str]:
        """Run it, everything shown; exit code and what it printed as its result."""
        print("$ ohr " + shlex.join(arguments), file=sys.stderr, flush=True)
        done = subprocess.run(
            [OHR, "-v", "--root", str(self.root), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, end="", flush=True)
        if done.returncode and not may_fail:
            raise DemoError(done.returncode)
        return done.returncode, done.stdout


def build(ohr: Ohr, folder: Path) -> tuple[Ohr, str]:
    """Build from the committed lock; when that is not possible any more, lock anew in a folder of our own.

    Returns the recipes that were built, and the image's digest.
    """
    code, printed = ohr("build", RECIPE, may_fail=True)
    if code in (1, 3):
        say("the committed lock cannot be built here today; locking anew in a temporary folder")
        shutil.copytree(ohr.root / "recipes", folder / "recipes")
        shutil.copytree(ohr.root / "nixlib", folder / "nixlib")
        ohr = Ohr(folder)
        ohr("lock", RECIPE, "--update")
        code, printed = ohr("build", RECIPE, may_fail=True)
    if code:
        raise DemoError(code)
    return ohr, printed.split()[-1]


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str | None]:
    """A real registry on the loopback address, or None where there is none to start."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        yield None
        return
    port = free_port()
    settings = folder / "registry.yml"
    settings.write_text(CONFIGURATION.format(folder=folder / "registry", port=port))
    with subprocess.Popen([program, "serve", str(settings)], stderr=subprocess.DEVNULL) as server:
        try:
            yield f"127.0.0.1:{port}" if answers(port) else None
        finally:
            server.terminate()


def answers(port: int) -> bool:
    for _ in range(100):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        time.sleep(0.1)
    return False


def publish(ohr: Ohr, folder: Path) -> None:
    with registry(folder) as host:
        if host is None:
            layout = TREE / "out" / RECIPE
            say(f"no registry can be had here (Debian package docker-registry); writing out/{RECIPE} instead")
            ohr("build", RECIPE, "--layout", str(layout))
            return
        say(f"a registry listens on {host}; pushing")
        ohr("push", RECIPE, "--to", f"{host}/demo", "--plain-http")


def demo() -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ohr-demo-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        say(f"building `{RECIPE}`: download, layers, configuration in a sandbox, image")
        ohr, digest = build(Ohr(TREE), folder)
        say("proving it: its own tests and the OpenHands contract, statically and live")
        ohr("test", RECIPE)
        publish(ohr, folder)
        say("running a command in it")
        hello = 'echo "hello from $(python3 --version), as $(id -un)"'
        ohr("run", RECIPE, "--", "bash", "-c", hello)
    say(f"done in {time.monotonic() - began:.0f} s")
    print(f"{RECIPE} {digest}")
    if ohr.root != TREE:
        print(f"\nThe committed lock is out of date: `.venv/bin/ohr lock {RECIPE} --update` renews it.")
    print(
        "\nWhat to try next:\n"
        f"  .venv/bin/ohr shell {RECIPE}        a shell in that sandbox\n"
        f"  .venv/bin/ohr show {RECIPE}         what it is made of, and where each value came from\n"
        "  .venv/bin/ohr new my-tools       your own recipe; then: ohr lock, build, test my-tools"
    )


def main() -> int:
    try:
        demo()
    except DemoError as error:
        say("the demo stopped; `.venv/bin/ohr doctor` tells what this machine lacks")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
