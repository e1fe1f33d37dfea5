"""`make demo`: from a recipe to a proven sandbox image in a registry, in one go.

Uses nothing but the command `ohr`, so it is also a check of what a user would type. What it needs and cannot
have (a registry, a lock whose files the mirror has dropped) it replaces, and says so.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
        """Run it with its talk shown; exit code and what it printed as its result."""
        shown = [word for word in arguments if word not in ("--format", "json")]
        print("$ ohr " + shlex.join(shown), file=sys.stderr, flush=True)
        done = subprocess.run(
            [OHR, "-v", "--root", str(self.root), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode and not may_fail:
            print(done.stdout, end="")
            raise DemoError(done.returncode)
        return done.returncode, done.stdout


def build(ohr: Ohr, folder: Path) -> tuple[Ohr, dict[str, Any]]:
    """Build from the committed lock; when that is not possible any more, lock anew in a folder of our own."""
    code, printed = ohr("build", RECIPE, "--format", "json", may_fail=True)
    if code in (1, 3):
        say("the committed lock cannot be built here today; locking anew in a temporary folder")
        shutil.copytree(ohr.root / "recipes", folder / "recipes")
        shutil.copytree(ohr.root / "nixlib", folder / "nixlib")
        ohr = Ohr(folder)
        ohr("lock", RECIPE, "--update")
        code, printed = ohr("build", RECIPE, "--format", "json", may_fail=True)
    if code:
        raise DemoError(code)
    report = json.loads(printed)
    return ohr, report[0] if isinstance(report, list) else report


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
        print(ohr("push", RECIPE, "--to", f"{host}/demo", "--plain-http")[1], end="")


def demo() -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ohr-demo-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        say(f"building `{RECIPE}`: download, layers, configuration in a sandbox, image")
        ohr, report = build(Ohr(TREE), folder)
        say("proving it: its own tests and the OpenHands contract, statically and live")
        print(ohr("test", RECIPE)[1], end="")
        publish(ohr, folder)
        say("running a command in it")
        hello = "import sys; print('hello from Python', sys.version.split()[0])"
        print(ohr("run", RECIPE, "--", "python3", "-c", hello)[1], end="")
    say(f"done in {time.monotonic() - began:.0f} s")
    print(f"{report['name']} {report['version']} {report['platform']} {report['digest']}")
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
