"""What an sdist says about how to build it (PEP 517, PEP 518), read without unpacking it."""

from __future__ import annotations

import io
import tarfile
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

from openhands_recipes.errors import ResolutionError, VerificationError

LARGEST = 1 << 20
"""Bytes of a pyproject.toml that are still plausible."""
_FAULTS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class BuildSystem:
    """The `[build-system]` table of a pyproject.toml; without one, what PEP 517 says stands for it."""

    requires: tuple[str, ...] = ("setuptools>=40.8.0",)
    backend: str = "setuptools.build_meta:__legacy__"
    backend_path: tuple[str, ...] = ()


def read_build_system(sdist: bytes, *, file: str) -> BuildSystem:
    """How an sdist wants to be built.

    Raises:
        VerificationError: it is no archive of a known kind.
        ResolutionError: its pyproject.toml cannot be used.
    """
    try:
        text = _from_zip(sdist) if file.endswith(".zip") else _from_tar(sdist)
    except _FAULTS as error:
        raise VerificationError(f"the source archive {file} cannot be read: {error}") from error
    if text is None:
        return BuildSystem()
    try:
        table = tomllib.loads(text.decode()).get("build-system")
        return BuildSystem() if table is None else _from_table(table)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResolutionError(f"the pyproject.toml of {file} cannot be used: {error}") from error


def _from_table(table: dict[str, Any]) -> BuildSystem:
    requires = table["requires"]
    paths = table.get("backend-path", [])
    if not isinstance(requires, list) or not isinstance(paths, list):
        raise TypeError("requires and backend-path must be lists")
    return BuildSystem(
        requires=tuple(map(str, requires)),
        backend=str(table.get("build-backend", BuildSystem.backend)),
        backend_path=tuple(map(str, paths)),
    )


def _is_pyproject(path: str) -> bool:
    """An sdist holds one folder with everything in it."""
    return path.removeprefix("./").partition("/")[2] == "pyproject.toml"


def _from_tar(sdist: bytes) -> bytes | None:
    with tarfile.open(fileobj=io.BytesIO(sdist), mode="r:*") as archive:
        for member in archive:
            if member.isfile() and member.size <= LARGEST and _is_pyproject(member.name):
                content = archive.extractfile(member)
                return content.read() if content is not None else None
    return None


def _from_zip(sdist: bytes) -> bytes | None:
    with zipfile.ZipFile(io.BytesIO(sdist)) as archive:
        for item in archive.infolist():
            if item.file_size <= LARGEST and _is_pyproject(item.filename):
                return archive.read(item)
    return None
