"""Rewrites a wheel that was just built so that the same content is the same bytes, anywhere.

Order, times, permissions and RECORD are set; nothing is compressed, because deflate's output depends on
the zlib at hand. File contents are left alone: whether *they* repeat is the build's business.

Source: PyPA specifications, "Binary distribution format".
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from posixpath import normpath

from openhands_recipes.errors import VerificationError

TIME = (1980, 1, 1, 0, 0, 0)
"""The first second zip can tell."""
SIGNATURES = ("RECORD.jws", "RECORD.p7s")
LARGEST = 512 << 20
"""Bytes of a built wheel's content; more is a mistake or an attack."""


def normalise_wheel(wheel: bytes) -> bytes:
    """The same wheel in its one normal form: sorted, dated 1980, stored, RECORD anew.

    Normal wheels come out as they went in. Bytecode, signatures of the old RECORD and folders go.

    Raises:
        VerificationError: not a wheel, or one that holds paths outside itself, links or duplicates.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            files = _files(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise VerificationError(f"the build made something that is no wheel: {error}") from error
    folder = _metadata_folder(files)
    record = f"{folder}/RECORD"
    for name in ("RECORD", *SIGNATURES):
        files.pop(f"{folder}/{name}", None)
    files[record] = (_record(files, record), 0o644)
    return _written(files, last=folder)


def _files(archive: zipfile.ZipFile) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file by path."""
    if sum(item.file_size for item in archive.infolist()) > LARGEST:
        raise VerificationError(
            "the build made a wheel that is too large", hint=f"{LARGEST >> 20} MiB at most"
        )
    files: dict[str, tuple[bytes, int]] = {}
    for item in archive.infolist():
        path, mode = item.filename, item.external_attr >> 16
        if item.is_dir() or path.endswith(".pyc") or "__pycache__" in path.split("/"):
            continue
        if path != normpath(path) or path.startswith(("/", "..")) or "\\" in path or "\0" in path:
            raise VerificationError(f"the build made a wheel that wants out of its folder: {path!r}")
        if path in files:
            raise VerificationError(f"the build made a wheel that holds a file twice: {path!r}")
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise VerificationError(f"the build made a wheel that holds more than files: {path!r}")
        files[path] = archive.read(item), 0o755 if mode & 0o111 else 0o644
    return files


def _metadata_folder(files: Mapping[str, object]) -> str:
    folders = {path.partition("/")[0] for path in files if path.partition("/")[0].endswith(".dist-info")}
    if len(folders) != 1:
        raise VerificationError("the build made a wheel without exactly one .dist-info folder")
    return folders.pop()


def _record(files: Mapping[str, tuple[bytes, int]], record: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for path in sorted(files):
        content = files[path][0]
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows.writerow((path, f"sha256={digest}", len(content)))
    rows.writerow((record, "", ""))
    return text.getvalue().encode()


def _written(files: Mapping[str, tuple[bytes, int]], *, last: str) -> bytes:
    """A stored zip; the metadata folder stands at the end, as the specification recommends."""

    def place(path: str) -> tuple[bool, bool, str]:
        return path.startswith(f"{last}/"), path == f"{last}/RECORD", path

    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files, key=place):
            content, mode = files[path]
            item = zipfile.ZipInfo(path, TIME)
            item.create_system = 3  # Unix: the mode counts
            item.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(item, content)
    return sink.getvalue()
