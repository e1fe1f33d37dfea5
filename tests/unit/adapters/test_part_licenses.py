"""Licences as wheels and npm tarballs declare them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from openhands_recipes.adapters.part_licenses import declared_licenses
from openhands_recipes.model.digest import Digest

SHA = "a" * 64


def wheel(folder: Path, headers: str) -> Path:
    path = folder / "part"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/vendored/y.dist-info/METADATA", "License: WTFPL\n")
        archive.writestr(
            "x-1.dist-info/METADATA", f"Metadata-Version: 2.4\nName: x\n{headers}\n\nLicense: no\n"
        )
    return path


def tarball(folder: Path, package: object) -> Path:
    path = folder / "part"
    content = json.dumps(package).encode()
    with tarfile.open(path, "w:gz") as archive:
        for name in ("package/node_modules/y/package.json", "package/package.json"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def found(path: Path | None, name: str) -> str | None:
    return declared_licenses([(SHA, name)], lambda _: path).get(SHA)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("License-Expression: mit OR apache-2.0", "MIT OR Apache-2.0"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("License: see the file", None),
        ("Summary: none", None),
    ],
)
def test_a_wheel_says_its_licence_in_its_metadata(tmp_path: Path, headers: str, expected: str | None) -> None:
    assert found(wheel(tmp_path, headers), "x-1-py3-none-any.whl") == expected


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ({"license": "MIT"}, "MIT"),
        ({"license": "SEE LICENSE IN x"}, None),
        ({"license": {"type": "MIT"}}, None),
        ({}, None),
    ],
)
def test_an_npm_tarball_says_its_licence_in_package_json(
    tmp_path: Path, package: object, expected: str | None
) -> None:
    assert found(tarball(tmp_path, package), "x-1.0.0.tgz") == expected


def test_what_is_not_here_or_damaged_or_of_another_kind_says_nothing(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no archive")
    for path, name in (
        (None, "x.whl"),
        (damaged, "x.whl"),
        (damaged, "x.tgz"),
        (damaged, "x.deb"),
        (tmp_path / "gone", "x.whl"),
    ):
        assert found(path, name) is None


def test_every_part_is_asked_for_by_its_digest() -> None:
    asked: list[Digest] = []

    def find(digest: Digest) -> None:
        asked.append(digest)

    declared_licenses([(SHA, "x.whl"), ("b" * 64, "y.tgz"), ("c" * 64, "z.deb")], find)
    assert asked == [f"sha256:{SHA}", f"sha256:{'b' * 64}"]
