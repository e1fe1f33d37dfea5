"""Builds one wheel from one sdist, as PEP 517 says. Run by the image's own Python, without network.

Standard input is a tar: `order.json` (`backend`, `backend_path`), `sdist/<file>` and the wheels of the
build environment, `wheels/<file>`, all unpacked below the folder named as first argument. Standard output
is JSON: `{"requires": [...]}` when the backend wants more than it was given and is asked for that (a
second argument says it is not), else `{"wheel": <name>, "size": <bytes>}`, a newline and the wheel's
bytes. What the backend prints goes to standard error.
"""

from __future__ import annotations

import configparser
import importlib
import json
import os
import re
import shutil
import site
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

SCRIPT = "#!{python}\nimport sys\nfrom {module} import {name}\nsys.exit({attribute}())\n"


def normal(name: str) -> str:
    """A project name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def unpack_wheel(wheel: Path, environment: Path) -> None:
    """Install a wheel into a folder, scripts into its `bin`."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(environment)  # noqa: S202 - zipfile keeps inside, and so does the sandbox
    for data in environment.glob("*.data"):
        for scheme in ("purelib", "platlib"):
            if (data / scheme).is_dir():
                shutil.copytree(data / scheme, environment, dirs_exist_ok=True)
        if (data / "scripts").is_dir():
            for script in (data / "scripts").iterdir():
                write_script(environment / "bin" / script.name, script.read_bytes())
        shutil.rmtree(data)


def write_script(path: Path, content: bytes) -> None:
    """An executable file; `#!python` becomes this Python."""
    path.parent.mkdir(exist_ok=True)
    if content.startswith(b"#!python"):
        content = f"#!{sys.executable}\n".encode() + content.partition(b"\n")[2]
    path.write_bytes(content)
    path.chmod(0o755)


def write_entry_points(environment: Path) -> None:
    """Commands of the build environment: ninja, cython and their like are run by name."""
    for file in sorted(environment.glob("*.dist-info/entry_points.txt")):
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
        parser.read(file)
        for name, target in parser.items("console_scripts") if parser.has_section("console_scripts") else ():
            module, _, attribute = target.partition("[")[0].strip().partition(":")
            text = SCRIPT.format(
                python=sys.executable,
                module=module.strip(),
                name=attribute.partition(".")[0],
                attribute=attribute.strip(),
            )
            write_script(environment / "bin" / name, text.encode())


def unpack_source(sdist: Path, folder: Path) -> Path:
    """The folder that an sdist consists of."""
    if sdist.suffix == ".zip":
        with zipfile.ZipFile(sdist) as archive:
            archive.extractall(folder)  # noqa: S202 - the same
    else:
        with tarfile.open(sdist) as tar:
            tar.extractall(folder, filter="data")
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return root


def backend_of(order: dict[str, Any], source: Path) -> Any:  # noqa: ANN401 - whatever the backend is
    """The object whose methods are the hooks."""
    sys.path[:0] = [str(source / path) for path in order["backend_path"]]
    module, _, attributes = order["backend"].partition(":")
    backend: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    return backend


def missing(requires: list[str], environment: Path) -> list[str]:
    """Requirements whose project is not in the build environment."""
    there = {normal(info.name.partition("-")[0]) for info in environment.glob("*.dist-info")}
    return [text for text in requires if normal(re.split(r"[^\w.-]", text.strip())[0]) not in there]


def build(room: Path, *, settled: bool) -> tuple[list[str], Path | None]:
    """What is still missing, or the wheel."""
    order = json.loads((room / "order.json").read_text())
    environment = room / "environment"
    environment.mkdir()
    for wheel in sorted((room / "wheels").glob("*.whl")):
        unpack_wheel(wheel, environment)
    write_entry_points(environment)
    os.environ["PYTHONPATH"] = str(environment)
    os.environ["PATH"] = f"{environment / 'bin'}:{os.environ['PATH']}"
    sys.path.insert(0, str(environment))
    site.addsitedir(str(environment))
    (sdist,) = (room / "sdist").iterdir()
    source = unpack_source(sdist, room / "source")
    os.chdir(source)
    backend = backend_of(order, source)
    if not settled and hasattr(backend, "get_requires_for_build_wheel"):
        wanted = missing(backend.get_requires_for_build_wheel(None), environment)
        if wanted:
            return wanted, None
    target = room / "wheel"
    target.mkdir()
    return [], target / backend.build_wheel(str(target), None, None)


def main() -> int:
    """Build in the folder that is the first argument."""
    os.umask(0o022)
    room = Path(sys.argv[1])
    room.mkdir(parents=True)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as parts:
        parts.extractall(room, filter="data")
    (room / "wheels").mkdir(exist_ok=True)
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # so that errors stay last
    wanted, wheel = build(room, settled=len(sys.argv) > 2)
    with os.fdopen(answer, "wb") as sink:
        if wheel is None:
            sink.write(json.dumps({"requires": wanted}).encode() + b"\n")
        else:
            content = wheel.read_bytes()
            sink.write(json.dumps({"wheel": wheel.name, "size": len(content)}).encode() + b"\n" + content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
