"""Parts made by the standard library: tars, .debs, wheels, npm tarballs, good and hostile ones."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence

import zstandard

CONTROL = b"Package: sample\nVersion: 1.0-1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda raw: gzip.compress(raw, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lambda raw: lzma.compress(raw, check=lzma.CHECK_CRC64),
    ".lzma": lambda raw: lzma.compress(raw, lzma.FORMAT_ALONE),
    ".zst": lambda raw: zstandard.ZstdCompressor(write_checksum=True).compress(raw),
}


def member(
    name: str, content: bytes = b"", *, link: str = "", **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    """One member of a tar; a slash at the end makes a folder, `link` a symbolic link."""
    info = tarfile.TarInfo(name.rstrip("/") or "/")
    info.mode = 0o644
    info.size = len(content)
    if name.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    if link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, link, 0o777
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def make_tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar by the standard library."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def make_ar(members: Sequence[tuple[str, bytes]]) -> bytes:
    """An ar archive as dpkg-deb writes it."""
    out = b"!<arch>\n"
    for name, content in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def make_deb(
    members: Iterable[tuple[tarfile.TarInfo, bytes]],
    *,
    suffix: str = ".xz",
    scripts: Mapping[str, bytes] | None = None,
) -> bytes:
    """A .deb whose members are compressed as the suffix says."""
    control = [member("./"), member("./control", CONTROL)]
    control += [member(f"./{name}", text, mode=0o755) for name, text in (scripts or {}).items()]
    pack = PACKED[suffix]
    return make_ar(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar{suffix}", pack(make_tar(control))),
            (f"data.tar{suffix}", pack(make_tar(members))),
        ]
    )


def make_wheel(
    files: Mapping[str, bytes],
    *,
    name: str = "sample",
    version: str = "1.0",
    executable: frozenset[str] = frozenset(),
    entry_points: str = "",
) -> bytes:
    """A wheel with a RECORD."""
    info = f"{name}-{version}.dist-info"
    everything = dict(files)
    everything[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    everything[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    if entry_points:
        everything[f"{info}/entry_points.txt"] = entry_points.encode()
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for path, content in everything.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        writer.writerow([path, f"sha256={digest}", len(content)])
    writer.writerow([f"{info}/RECORD", "", ""])
    everything[f"{info}/RECORD"] = rows.getvalue().encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in everything.items():
            item = zipfile.ZipInfo(path, (2024, 5, 6, 7, 8, 10))
            item.compress_type = zipfile.ZIP_DEFLATED
            item.external_attr = (0o100755 if path in executable else 0o100644) << 16
            archive.writestr(item, content)
    return out.getvalue()


def read_tar(raw: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """What the standard library reads from fragment bytes, by name."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(raw + bytes(1024)), mode="r:") as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isreg() else None
            found[info.name] = (info, stream.read() if stream else b"")
    return found
