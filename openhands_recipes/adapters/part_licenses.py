"""What the files of parts say of their licence: wheels (core metadata 2.4) and npm tarballs (package.json).

Only valid SPDX expressions count; free text is nobody's licence. Debian packages describe theirs in prose,
file by file: that is for scanners to read, in the image.
"""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from openhands_recipes.model.digest import Digest, from_hex

_LIMIT = 1024 * 1024
"""No metadata we read is larger."""
_MEMBERS = 10_000
"""An npm tarball begins with its package.json, or has it soon."""


def declared_licenses(
    files: Iterable[tuple[str, str]], find: Callable[[Digest], Path | None]
) -> dict[str, str]:
    """sha256 -> SPDX expression, for (sha256, file name) pairs whose bytes are here and say so."""
    found: dict[str, str] = {}
    for sha256, name in files:
        read = _READERS.get(name.rpartition(".")[2])
        path = find(from_hex(sha256)) if read else None
        if read is None or path is None:
            continue
        try:
            text = read(path)
            found[sha256] = canonicalize_license_expression(text) if text else ""
        except (
            OSError,
            ValueError,
            KeyError,
            tarfile.TarError,
            zipfile.BadZipFile,
            InvalidLicenseExpression,
        ):
            continue
    return {sha256: text for sha256, text in found.items() if text}


def _of_wheel(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1]
        with archive.open(name) as stream:
            headers = BytesHeaderParser().parsebytes(stream.read(_LIMIT))
    return str(headers.get("License-Expression") or headers.get("License") or "").strip()


def _of_tarball(path: Path) -> str:
    with tarfile.open(path, "r:*") as archive:
        for _, member in zip(range(_MEMBERS), archive, strict=False):
            if member.name.count("/") == 1 and member.name.endswith("/package.json") and member.isfile():
                stream = archive.extractfile(member)
                value = json.loads(stream.read(_LIMIT)) if stream else {}
                return value["license"] if isinstance(value.get("license"), str) else ""
    return ""


_READERS: dict[str, Callable[[Path], str]] = {"whl": _of_wheel, "tgz": _of_tarball}
