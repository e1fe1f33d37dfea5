"""A wheel becomes a fragment: installed as pip would, but into a tar and always with the same bytes.

The `installer` library walks the wheel and knows its schemes; paths, scripts and RECORD are ours, so
that its version decides no bytes. Compiling to bytecode happens later, with the image's own Python.

Source: PyPA specifications, "Binary distribution format", "Recording installed projects",
"Entry points".
"""

from __future__ import annotations

import base64
import csv
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from configparser import Error as ConfigError
from errno import EINVAL
from posixpath import relpath
from typing import IO, BinaryIO, cast

from installer import install
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, RecordEntry
from installer.sources import WheelFile
from installer.utils import Scheme

from openhands_recipes.compile.pack.build import FragmentWriter
from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.compile.pack.tree import clean_path, refuse_whiteout
from openhands_recipes.errors import UsageError, VerificationError
from openhands_recipes.model.fragment import Fragment

INSTALLER = b"openhands-recipes\n"
CHUNK = 1 << 20
_MAX_SCRIPT = 16 << 20
_MAX_DOCUMENT = 4 << 20
_PYTHON = re.compile(r"^3\.\d{1,2}$")
_SCRIPT_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._+@ -]*$")
_SCRIPT = """\
#!{interpreter}
import sys

from {module} import {name}

if __name__ == "__main__":
    sys.exit({attribute}())
"""
_FAULTS = (
    InstallerError, ConfigError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError,
    AssertionError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What `installer` and `zipfile` raise for malformed wheels."""


def wheel_to_fragment(source: IO[bytes], sink: IO[bytes], key: str, *, python: str, home: Home) -> Fragment:
    """Install a wheel for Python `python` (3.13) below a prefix, as fragment bytes written to `sink`.

    Raises:
        UsageError: `python` is no version of Python 3.
        VerificationError: the wheel is malformed or wants out of its folders.
    """
    if not _PYTHON.match(python):
        raise UsageError(f"not a version of Python: {python!r}")
    writer = FragmentWriter(sink, key, folder=home.folder)
    try:
        with zipfile.ZipFile(source) as archive:
            wheel = _Wheel(archive)
            destination = _Destination(writer, home, python, wheel.distribution)
            install(wheel, destination, {"INSTALLER": INSTALLER})
    except _FAULTS as error:
        raise VerificationError(f"a wheel is malformed: {str(error) or type(error).__name__}") from error
    except OSError as error:
        if error.errno != EINVAL:  # the only one a damaged file can cause: a seek to before its start
            raise
        raise VerificationError("a wheel is malformed: an offset lies before its start") from error
    return writer.finish()


class _Sized:
    """A member's bytes and how many there should be."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self.read = stream.read
        self.size = size

    def pieces(self) -> Iterator[bytes]:
        while piece := self.read(CHUNK):
            yield piece


class _Wheel(WheelFile):
    """A wheel whose name is the one its own .dist-info folder states."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        folders = {name.partition("/")[0] for name in archive.namelist()}
        names = [name.removesuffix(".dist-info") for name in folders if name.endswith(".dist-info")]
        if len(names) != 1:
            raise VerificationError("a wheel does not hold exactly one .dist-info folder")
        for item in archive.infolist():
            _refuse_odd(item)
        archive.filename = f"{names[0]}-py3-none-any.whl"
        super().__init__(archive)

    def get_contents(self) -> Iterator[tuple[tuple[str, str, str], BinaryIO, bool]]:
        """Every file but those an installer writes itself."""
        ours = {f"{self.dist_info_dir}/{name}" for name in ("RECORD", "INSTALLER")}
        for item in self._zipfile.infolist():
            path = item.filename
            if path.endswith("/") or path in ours or "/__pycache__/" in f"/{path}":
                continue
            mode = item.external_attr >> 16
            executable = stat.S_ISREG(mode) and mode & 0o111 != 0
            with self._zipfile.open(item) as stream:
                yield (path, "", ""), cast("BinaryIO", _Sized(stream, item.file_size)), executable


def _refuse_odd(item: zipfile.ZipInfo) -> None:
    """Methods wheels never use, and documents that would not fit into memory."""
    if item.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise VerificationError(f"a wheel's file is compressed in an unknown way: {item.filename!r}")
    folder, _, name = item.filename.rpartition("/")
    if (
        folder.endswith(".dist-info")
        and name in {"WHEEL", "entry_points.txt"}
        and item.file_size > _MAX_DOCUMENT
    ):
        raise VerificationError(f"a wheel's document is too large: {item.filename!r}")


class _Destination(WheelDestination):
    """Writes what `installer` finds into a fragment."""

    def __init__(self, writer: FragmentWriter, home: Home, python: str, distribution: str) -> None:
        self._writer = writer
        self._home = home
        site_packages = f"{home.prefix}/lib/python{python}/site-packages"
        self._interpreter = f"/{home.prefix}/bin/python"
        self._schemes: Mapping[str, str] = {
            "purelib": site_packages,
            "platlib": site_packages,
            "scripts": f"{home.prefix}/bin",
            "headers": f"{home.prefix}/include/site/python{python}/{distribution}",
            "data": home.prefix,
        }

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:  # noqa: ARG002
        """A command that calls an entry point."""
        if not _SCRIPT_NAME.match(name):
            raise VerificationError(f"a wheel names a command that is no file name: {name!r}")
        text = _SCRIPT.format(
            interpreter=self._interpreter, module=module, name=attr.partition(".")[0], attribute=attr
        )
        return self._write("scripts", name, text.encode(), executable=True)

    def write_file(
        self,
        scheme: Scheme,
        path: object,
        stream: BinaryIO,
        is_executable: bool,  # noqa: FBT001 - the library's signature
    ) -> RecordEntry:
        """A file of the wheel; scripts get the prefix's own Python."""
        name = str(path)
        if scheme == "scripts":
            return self._write(scheme, name, self._script(stream), executable=True)
        if isinstance(stream, _Sized):
            return self._write(scheme, name, stream, executable=is_executable)
        return self._write(scheme, name, stream.read(), executable=is_executable)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[tuple[Scheme, RecordEntry]]
    ) -> None:
        """RECORD, sorted, with every path as seen from site-packages."""
        rows = sorted(
            (
                relpath(f"/{self._schemes[at]}/{record.path}", f"/{self._schemes[scheme]}"),
                str(record.hash_ or ""),
                "" if record.size is None else str(record.size),
            )
            for at, record in records
        )
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._write(scheme, record_file_path, text.getvalue().encode(), executable=False)

    def _script(self, stream: BinaryIO) -> bytes:
        text = stream.read(_MAX_SCRIPT)
        if stream.read(1):
            raise VerificationError("a wheel holds a script that is no script: it is too large")
        if not text.startswith(b"#!python"):
            return text
        return f"#!{self._interpreter}\n".encode() + text.partition(b"\n")[2]

    def _write(self, scheme: str, name: str, content: bytes | _Sized, *, executable: bool) -> RecordEntry:
        path = clean_path(name)
        refuse_whiteout(path)
        size = content.size if isinstance(content, _Sized) else len(content)
        pieces = content.pieces() if isinstance(content, _Sized) else (content,)
        file = self._home.file(f"{self._schemes[scheme]}/{path}", size, executable=executable)
        written = self._writer.add_file(file, pieces)
        digest = base64.urlsafe_b64encode(bytes.fromhex(written.sha256)).decode().rstrip("=")
        return RecordEntry(path, Hash("sha256", digest), size)
