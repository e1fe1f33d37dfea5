"""The steps of `make verify`, as a table, and what they share: caches of variants, users, commands."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from bench.harness import TREE, LackingError
from bench.peers import PATH, docker, needs_root, program

BIN = Path(sys.executable).parent
USER = "ohr-verify"
HOUR = 3600.0


class StepError(Exception):
    """A step found what must not be."""


@dataclass(frozen=True)
class Step:
    """One thing that must hold."""

    name: str
    what: str
    run: Callable[[Matrix], str]
    """Does it; returns what is worth noting (a digest), raises what is wrong."""


@dataclass(frozen=True)
class Variant:
    """One way to build that must not change a byte."""

    name: str
    prefix: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    unprivileged: bool = False


VARIANTS = (
    Variant("as usual"),
    Variant(
        "one core, other clock, locale and mask",
        prefix=("taskset", "-c", "0", "sh", "-c", 'umask 077; exec "$@"', "sh"),
        environment=(("TZ", "Asia/Tokyo"), ("LC_ALL", "C"), ("PYTHONHASHSEED", "7")),
    ),
    Variant("another folder, unprivileged user", unprivileged=True),
)


def recipes() -> list[str]:
    """Every recipe of the library, parents before children as far as the alphabet allows."""
    return sorted(path.parent.name for path in (TREE / "recipes").glob("*/recipe.yaml"))


class Matrix:
    """What steps work with; closes what they opened."""

    def __init__(self, key: str, done: Mapping[str, Mapping[str, Any]]) -> None:
        self.done = done
        self.log = Path(os.devnull)
        self.commands: list[str] = []
        self._stack = contextlib.ExitStack()
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.kept = cache / "openhands-recipes-verify" / f"cache-{key[-24:]}"
        """Caches of this very tree; what another tree built proves nothing about this one."""

    def __enter__(self) -> Self:
        """Throw away what other trees left; nothing is opened before a step needs it."""
        self.kept.mkdir(parents=True, exist_ok=True)
        others = [path for path in self.kept.parent.iterdir() if path != self.kept]
        subprocess.run(["rm", "-rf", *others], check=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        self._stack.close()

    def command(self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> str:
        """Run a command, its talk in the step's log; what it printed.

        Raises:
            StepError: it ended with another code than 0.
        """
        words = [str(word) for word in command]
        self.commands.append(" ".join(words))
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(words)}\n".encode())
            log.flush()
            done = subprocess.run(
                words,
                cwd=TREE,
                env={**os.environ, "PATH": PATH, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                check=False,
                timeout=2 * HOUR,
            )
            log.write(done.stdout)
        if done.returncode:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise StepError(f"exit code {done.returncode}: {' '.join(words)}\n{tail}")
        return done.stdout.decode(errors="replace")

    def ohr(self, variant: Variant, *arguments: str | Path) -> str:
        """`ohr` in one variant, with that variant's cache."""
        if variant.unprivileged:
            home = self.strangers_home
            environment = {"HOME": str(home), "OHR_STATE": str(home / "state")}
            where: list[str | Path] = ["--root", home / "library", "--cache", home / self.kept.name]
            prefix = ["runuser", "-u", USER, "--", str(home / "venv" / "bin" / "ohr")]
        else:
            cache = self.kept / variant.name.replace(" ", "-").replace(",", "")
            environment = {"OHR_STATE": str(self.kept / "state")}
            where = ["--root", TREE, "--cache", cache]
            prefix = [str(BIN / "ohr")]
        command: list[str | Path] = [*variant.prefix, *prefix, "-q", *where, *arguments]
        return self.command(command, environment=environment | dict(variant.environment))

    @cached_property
    def strangers_home(self) -> Path:
        """Another user's home with the wheel and the recipes in it, far from here.

        Raises:
            LackingError: no account can be made or used.
        """
        needs_root("to become another user")
        try:
            pwd.getpwnam(USER)
        except KeyError:
            self.command([program("useradd"), "--create-home", "--home-dir", f"/var/tmp/{USER}", USER])  # noqa: S108 - a home, not a temporary file
        if not any(line.startswith(f"{USER}:") for line in Path("/etc/subuid").read_text().splitlines()):
            raise LackingError("subordinate ids for a new account (/etc/subuid)")
        program("newuidmap")
        home = Path(pwd.getpwnam(USER).pw_dir)
        others = [path for path in home.iterdir() if "cache" in path.name and path.name != self.kept.name]
        self.command(["rm", "-rf", *others])
        wheels = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.command([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, TREE])
        (wheel,) = wheels.glob("*.whl")
        shutil.rmtree(home / "library", ignore_errors=True)
        for folder in ("recipes", "nixlib", "schema"):
            shutil.copytree(TREE / folder, home / "library" / folder)
        interpreter = self._python_for_all()
        uv = [sys.executable, "-m", "uv"]
        self.command([*uv, "venv", "--quiet", "--clear", "--python", interpreter, home / "venv"])
        python = home / "venv" / "bin" / "python"
        self.command([*uv, "pip", "install", "--quiet", "--python", python, wheel])
        self.command(["chown", "-R", f"{USER}:", home / "library", home / "venv"])
        return home

    def _python_for_all(self) -> str:
        """An interpreter that the other user may run.

        Raises:
            LackingError: all of them are in private folders, or too old.
        """
        for candidate in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
            program = "import sys; sys.exit(sys.version_info < (3, 11))"
            with contextlib.suppress(StepError):
                self.command(["runuser", "-u", USER, "--", candidate, "-c", program])
                return candidate
        raise LackingError("a Python >= 3.11 that other users may run")


# --- what the steps do ---------------------------------------------------------------------------------


def build(matrix: Matrix, recipe: str, variant: Variant, compression: str) -> str:
    """Build; the digest."""
    printed = matrix.ohr(variant, "build", recipe, "--compression", compression, "--format", "json")
    return str(json.loads(printed)["digest"])


def digests_agree(matrix: Matrix, recipe: str, compression: str) -> str:
    """Every variant that could be built has the same digest."""
    names = [build_name(recipe, variant, compression) for variant in VARIANTS]
    digests: dict[str, str] = {
        name: matrix.done[name]["detail"]
        for name in names
        if name in matrix.done and matrix.done[name]["verdict"] == "pass"
    }
    if len(digests) < 2:
        raise StepError(f"fewer than two builds to compare: {sorted(digests)}")
    if len(set(digests.values())) > 1:
        raise StepError("digests differ: " + "; ".join(f"{name}: {d}" for name, d in digests.items()))
    return next(iter(digests.values()))


def proven(matrix: Matrix, recipe: str) -> str:
    """The recipe's tests and the contract."""
    junit = TREE / "reports" / "verify" / f"{recipe}.junit.xml"
    junit.parent.mkdir(parents=True, exist_ok=True)
    matrix.ohr(VARIANTS[0], "test", recipe, "--junit", junit)
    return ""


def layout(matrix: Matrix, recipe: str, compression: str) -> Path:
    """An OCI layout of a recipe, written anew."""
    folder = matrix.kept / "layouts" / f"{recipe}-{compression}"
    shutil.rmtree(folder, ignore_errors=True)
    matrix.ohr(VARIANTS[0], "build", recipe, "--compression", compression, "--layout", folder)
    return folder


def skopeo(matrix: Matrix) -> str:
    """Skopeo reads the zstd image whole and keeps its digest."""
    folder, copy = layout(matrix, "python", "zstd"), matrix.kept / "layouts" / "skopeo-copy"
    shutil.rmtree(copy, ignore_errors=True)
    tool = program("skopeo")
    matrix.command([tool, "inspect", f"oci:{folder}"])
    matrix.command([tool, "copy", "--preserve-digests", f"oci:{folder}", f"oci:{copy}"])
    return ""


def umoci(matrix: Matrix) -> str:
    """Umoci unpacks the gzip twin."""
    folder, out = layout(matrix, "base", "gzip"), matrix.kept / "umoci-bundle"
    matrix.command(["rm", "-rf", out])
    with_tag = json.loads((folder / "index.json").read_text())["manifests"][0].get("annotations", {})
    tag = with_tag.get("org.opencontainers.image.ref.name", "latest")
    matrix.command([program("umoci"), "unpack", "--image", f"{folder}:{tag}", out])
    if not (out / "rootfs" / "usr" / "bin" / "sudo").stat().st_mode & 0o4000:
        raise StepError("sudo lost its setuid bit")
    matrix.command(["rm", "-rf", out])
    return ""


def docker_loads(matrix: Matrix) -> str:
    """A Docker daemon takes `ohr load` and runs the image."""
    with docker() as daemon:
        cache = matrix.kept / "as-usual"
        command: list[str | Path] = [BIN / "ohr", "-q", "--root", TREE, "--cache", cache, "load", "base"]
        matrix.command(command, environment={"DOCKER_HOST": daemon.socket})
        images = daemon("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        said = daemon("run", "--rm", "--network", "none", images[0], "id", "-u")
    if said.strip() != "10001":
        raise StepError(f"the image runs as {said.strip()!r}, not as 10001")
    return images[0]


def pytest(matrix: Matrix, *arguments: str) -> str:
    """Tests; the closing line."""
    common = ["--strict-skips", "-q", "-n0", "-p", "no:cacheprovider"]
    printed = matrix.command([sys.executable, "-m", "pytest", *common, *arguments])
    return printed.strip().splitlines()[-1]


def demo(matrix: Matrix) -> str:
    """The demo, from an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"OHR_CACHE": f"{folder}/cache", "OHR_STATE": f"{folder}/state"}
        printed = matrix.command([sys.executable, TREE / ".ci" / "demo.py"], environment=environment)
        matrix.command(["rm", "-rf", f"{folder}/cache"])
    return next(line for line in printed.splitlines() if line.startswith("python sha256:"))


# --- the table --------------------------------------------------------------------------------------------


def build_name(recipe: str, variant: Variant, compression: str) -> str:
    """The name of a build's step."""
    return f"build {recipe} ({compression}, {variant.name})"


def slow_files() -> list[str]:
    """Test files that hold slow tests; each is a step, so that a run can go on between them."""
    return sorted(
        str(path.relative_to(TREE))
        for path in (TREE / "tests").rglob("test_*.py")
        if "mark.slow" in path.read_text()
    )


def steps() -> list[Step]:
    """All of them, in an order in which the quick ones come first."""
    table = [
        Step("lint", "style and types", lambda m: m.command([TREE / ".ci" / "lint"])[-200:]),
        Step("tests", "every test but the slow ones", lambda m: pytest(m, "-m", "not slow")),
        Step("demo", "`make demo` from an empty cache", demo),
    ]
    for compression, variants in (("zstd", VARIANTS), ("gzip", VARIANTS[:2])):
        for variant in variants:
            for recipe in recipes():
                run = partial(build, recipe=recipe, variant=variant, compression=compression)
                table.append(Step(build_name(recipe, variant, compression), f"builds, {variant.name}", run))
        for recipe in recipes():
            agree = partial(digests_agree, recipe=recipe, compression=compression)
            table.append(Step(f"digests of {recipe} ({compression})", "same digest in every variant", agree))
    table += [
        Step(f"test {recipe}", "its tests and the contract hold", partial(proven, recipe=recipe))
        for recipe in recipes()
    ]
    table += [
        Step("skopeo", "reads and copies the zstd image", skopeo),
        Step("umoci", "unpacks the gzip twin", umoci),
        Step("docker", "`ohr load`, then `docker run`", docker_loads),
    ]
    for file in slow_files():
        table.append(Step(f"slow {file}", "faults, peers, network inside", partial(_slow, file=file)))
    return table


def _slow(matrix: Matrix, file: str) -> str:
    return pytest(matrix, "-m", "slow", file)
