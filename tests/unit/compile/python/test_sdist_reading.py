from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from openhands_recipes.compile.python.sdist import LARGEST, BuildSystem, read_build_system
from openhands_recipes.errors import ResolutionError, VerificationError
from tests.local_index import sdist

FILE = "demo-1.0.tar.gz"


def with_pyproject(text: str) -> bytes:
    return sdist("demo", "1.0", {"pyproject.toml": text, "sub/pyproject.toml": "[["})[1]


def test_an_sdist_says_what_builds_it() -> None:
    text = (
        '[build-system]\nrequires = ["flit_core>=3"]\nbuild-backend = "flit_core.api"\nbackend-path = ["."]\n'
    )
    assert read_build_system(with_pyproject(text), file=FILE) == BuildSystem(
        ("flit_core>=3",), "flit_core.api", (".",)
    )


@pytest.mark.parametrize("text", ["", "[tool.black]\nline-length = 3\n"])
def test_without_a_build_system_setuptools_builds_it(text: str) -> None:
    expected = BuildSystem(("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__")
    assert read_build_system(with_pyproject(text), file=FILE) == expected
    assert read_build_system(sdist("demo", "1.0", {"setup.py": ""})[1], file=FILE) == expected


def test_a_backend_left_out_is_setuptools() -> None:
    system = read_build_system(with_pyproject('[build-system]\nrequires = ["x"]\n'), file=FILE)
    assert (system.requires, system.backend) == (("x",), "setuptools.build_meta:__legacy__")


def test_old_zip_sdists_are_read_too() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("demo-1.0/setup.py", "")
        archive.writestr("demo-1.0/pyproject.toml", '[build-system]\nrequires = ["x"]\nbuild-backend = "y"\n')
    assert read_build_system(sink.getvalue(), file="demo-1.0.zip") == BuildSystem(("x",), "y")
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("demo-1.0/setup.py", "")
    assert read_build_system(empty.getvalue(), file="demo-1.0.zip") == BuildSystem()


@pytest.mark.parametrize(
    "text", ["not toml", "build-system = 3", "[build-system]\n", "[build-system]\nrequires = 'x'\n"]
)
def test_a_pyproject_that_cannot_be_used_is_named(text: str) -> None:
    with pytest.raises(ResolutionError, match=r"the pyproject\.toml of demo-1\.0\.tar\.gz cannot be used"):
        read_build_system(with_pyproject(text), file=FILE)


def test_a_huge_pyproject_is_not_read() -> None:
    assert read_build_system(with_pyproject("#" * (LARGEST + 1)), file=FILE) == BuildSystem()


def test_a_link_is_not_followed() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        member = tarfile.TarInfo("demo-1.0/pyproject.toml")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    assert read_build_system(sink.getvalue(), file=FILE) == BuildSystem()


@pytest.mark.parametrize("file", ["demo-1.0.tar.gz", "demo-1.0.zip"])
def test_what_is_no_archive_is_refused(file: str) -> None:
    with pytest.raises(VerificationError, match=f"the source archive {file} cannot be read"):
        read_build_system(b"nothing", file=file)
