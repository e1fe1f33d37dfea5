"""A tiny root made of this machine's own programs, so that sandboxes are tested without any other room."""

from __future__ import annotations

import _ctypes
import contextlib
import io
import marshal
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import coverage
import pytest

from openhands_recipes.adapters.sandbox import launch
from openhands_recipes.adapters.sandbox.box import NamespaceBox
from openhands_recipes.adapters.sandbox.engine import NamespaceEngine
from openhands_recipes.ports import Bind, BoxOptions, Command, Completed
from tests.integration.sandbox import inside_coverage

PROGRAMS = (
    *(
        "sh",
        "bash",
        "cat",
        "chmod",
        "chown",
        "echo",
        "env",
        "false",
        "grep",
        "head",
        "id",
        "kill",
        "ln",
        "ls",
        "mkdir",
    ),
    *("mkfifo", "mknod", "mv", "readlink", "rm", "rmdir", "seq", "setsid", "sleep", "stat", "stty", "touch"),
    *("true", "tty", "wc"),
)
FOLDERS = {"etc": 0o755, "root": 0o700, "home": 0o755, "var": 0o755, "usr/lib64": 0o755, "tmp": 0o1777}
Shell = Callable[..., Completed]


def libraries_of(program: Path) -> list[Path]:
    listed = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", listed)]


class Tar:
    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._names: set[str] = set()

    def add(self, name: str, content: bytes = b"", **fields: object) -> None:
        if name in self._names:
            return
        self._names.add(name)
        info = tarfile.TarInfo(name)
        info.size = len(content)
        for field, value in fields.items():
            setattr(info, field, value)
        self._tar.addfile(info, io.BytesIO(content))

    def add_program(self, source: Path, name: str, mode: int = 0o755) -> None:
        self.add(name, source.read_bytes(), mode=mode)
        self.add_libraries(source)

    def add_libraries(self, source: Path) -> None:
        libraries = libraries_of(source)
        usual = next(path.parent for path in libraries if path.name.startswith("libc.so"))
        for library in libraries:
            path = library if library.parts[1] in ("usr", "lib", "lib64") else usual / library.name
            name = str(path).lstrip("/")
            self.add(name if name.startswith("usr/") else f"usr/{name}", library.read_bytes(), mode=0o755)

    def stream(self) -> io.BytesIO:
        self._tar.close()
        return io.BytesIO(self._buffer.getvalue())


@pytest.fixture(scope="session", autouse=True)
def measured_inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """When coverage is measured, measure the processes inside as well."""
    measuring = coverage.Coverage.current()
    if measuring is None:
        yield
        return
    folder = tmp_path_factory.mktemp("inside")
    folder.chmod(0o777)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    began = inside_coverage.boot(fd, sys.path, str(Path(__file__).parents[3] / "openhands_recipes"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_BOOT", began + launch._BOOT)
        patch.setattr(launch, "_INHERITED", (fd,))
        yield
    os.close(fd)
    for number, result in enumerate(folder.iterdir()):
        found = coverage.CoverageData(basename=f"{measuring.config.data_file}.inside.{os.getpid()}.{number}")
        with contextlib.suppress(EOFError, ValueError):  # whoever was killed while writing left a piece
            found.add_lines(marshal.loads(result.read_bytes()))  # noqa: S302 - written by ourselves
            found.write()


@pytest.fixture
def new_tar() -> Callable[[], Tar]:
    return Tar


@pytest.fixture(scope="session")
def tiny_tar() -> bytes:
    tar = Tar()
    for folder, mode in FOLDERS.items():
        tar.add(folder, type=tarfile.DIRTYPE, mode=mode)
    tar.add("home/user", type=tarfile.DIRTYPE, mode=0o755, uid=10001, gid=10001)
    for name in ("bin", "lib", "lib64"):
        tar.add(name, type=tarfile.SYMTYPE, linkname=f"usr/{name}")
    for program in PROGRAMS:
        found = shutil.which(program)
        assert found, program
        tar.add_program(Path(found).resolve(), f"usr/bin/{program}")
    python = Path(sys.executable).resolve()
    tar.add_program(python, "usr/bin/python3")
    tar.add_libraries(Path(_ctypes.__file__))
    tar.add("usr/bin/setuid-python", python.read_bytes(), mode=0o4755)
    tar.add("etc/passwd", b"root:x:0:0::/root:/bin/sh\nuser:x:10001:10001::/home/user:/bin/sh\n")
    tar.add("etc/group", b"root:x:0:\nuser:x:10001:\n")
    return tar.stream().getvalue()


@pytest.fixture(scope="session")
def engine(tiny_tar: bytes, tmp_path_factory: pytest.TempPathFactory) -> NamespaceEngine:
    engine = NamespaceEngine(tmp_path_factory.mktemp("store") / "sandbox")
    engine.add_tree("tiny", [io.BytesIO(tiny_tar)])
    return engine


@pytest.fixture(scope="session")
def python_bind() -> Bind:
    """The machine's standard library, where the tiny root's python3 looks for it under PYTHONHOME=/usr."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return Bind(library, f"/usr/lib/{library.name}")


@pytest.fixture
def box(engine: NamespaceEngine) -> Iterator[NamespaceBox]:
    with engine.open(["tiny"]) as box:
        yield box


@pytest.fixture
def run_in() -> Callable[[NamespaceBox], Shell]:
    """A short way to run a shell line in a box; anything of `Command` may be said by keyword."""

    def shell_of(box: NamespaceBox) -> Shell:
        def shell(line: str, *, stdin: bytes | None = None, **fields: object) -> Completed:
            environment = {"PATH": "/usr/bin", "PYTHONHOME": "/usr"}
            command = Command(("sh", "-c", line), environment=environment, **fields)  # type: ignore[arg-type]
            return box.run(command, stdin=stdin)

        return shell

    return shell_of


@pytest.fixture
def sh(box: NamespaceBox, run_in: Callable[[NamespaceBox], Shell]) -> Shell:
    return run_in(box)


@pytest.fixture(scope="session")
def python_options(python_bind: Bind) -> BoxOptions:
    return BoxOptions(binds=(python_bind,))


@pytest.fixture(scope="session")
def processes_with() -> Callable[[str], list[int]]:
    """Ids of this machine's processes that carry a word in their command line."""

    def find(word: str) -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) != os.getpid():
                try:
                    line = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                if word.encode() in line:
                    found.append(int(folder.name))
        return found

    return find
