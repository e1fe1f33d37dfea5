from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile

import pytest

from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.errors import UsageError, VerificationError
from openhands_recipes.model.fragment import Entry, Fragment
from tests.parts import make_wheel, read_tar

OPTIONS = {"prefix": "/opt/app", "python": "3.13", "owner": "10001:10002"}
SITE = "opt/app/lib/python3.13/site-packages"


def convert(raw: bytes, options: dict[str, str] | None = None) -> tuple[Fragment, bytes]:
    sink = io.BytesIO()
    return CONVERTERS["wheel"](io.BytesIO(raw), sink, "sha256:key", options or OPTIONS), sink.getvalue()


SAMPLE = make_wheel(
    {
        "sample/__init__.py": b"VALUE = 1\n",
        "sample/native.so": b"\x7fELF" * 1000,
        "sample/__pycache__/__init__.cpython-313.pyc": b"old",
        "sample-1.0.data/scripts/hello": b"#!python -E\nprint('hello')\n",
        "sample-1.0.data/scripts/shell": b"#!/bin/sh\n",
        "sample-1.0.data/data/share/man/man1/hello.1": b"manual",
        "sample-1.0.data/headers/sample.h": b"#define X",
        "sample-1.0.data/platlib/other.py": b"pass\n",
    },
    executable=frozenset({"sample/native.so"}),
    entry_points="[console_scripts]\nrun-it = sample.cli:main.entry\n\n[other]\nx = y:z\n",
)


def test_files_go_where_pip_puts_them() -> None:
    fragment, _ = convert(SAMPLE)
    files = [e.path for e in fragment.entries if e.kind == "0"]
    assert files == [
        "opt/app/bin/run-it",
        f"{SITE}/sample/__init__.py",
        f"{SITE}/sample/native.so",
        "opt/app/bin/hello",
        "opt/app/bin/shell",
        "opt/app/share/man/man1/hello.1",
        "opt/app/include/site/python3.13/sample/sample.h",
        f"{SITE}/other.py",
        f"{SITE}/sample-1.0.dist-info/METADATA",
        f"{SITE}/sample-1.0.dist-info/WHEEL",
        f"{SITE}/sample-1.0.dist-info/entry_points.txt",
        f"{SITE}/sample-1.0.dist-info/INSTALLER",
        f"{SITE}/sample-1.0.dist-info/RECORD",
    ]


def test_owners_modes_and_times_are_fixed() -> None:
    entries = {e.path: e for e in convert(SAMPLE)[0].entries}
    assert entries["opt"] == Entry("opt", entries["opt"].kind, 0o755)
    folder = entries["opt/app"]
    assert (folder.uid, folder.gid, folder.mode, folder.mtime) == (10001, 10002, 0o755, 315532800)
    assert entries[f"{SITE}/sample/native.so"].mode == 0o755
    assert entries[f"{SITE}/sample/__init__.py"].mode == 0o644
    assert entries["opt/app/bin/shell"].mode == 0o755
    assert {e.mtime for p, e in entries.items() if p != "opt"} == {315532800}


def test_scripts_start_with_the_prefixs_own_python() -> None:
    found = read_tar(convert(SAMPLE)[1])
    assert found["opt/app/bin/hello"][1] == b"#!/opt/app/bin/python\nprint('hello')\n"
    assert found["opt/app/bin/shell"][1] == b"#!/bin/sh\n"
    assert found["opt/app/bin/run-it"][1].decode() == (
        "#!/opt/app/bin/python\nimport sys\n\nfrom sample.cli import main\n\n"
        'if __name__ == "__main__":\n    sys.exit(main.entry())\n'
    )


def test_record_lists_every_file_with_its_hash_sorted() -> None:
    found = read_tar(convert(SAMPLE)[1])
    rows = list(csv.reader(io.StringIO(found[f"{SITE}/sample-1.0.dist-info/RECORD"][1].decode())))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert ["sample-1.0.dist-info/RECORD", "", ""] in rows
    assert {row[0] for row in rows} >= {"../../../bin/run-it", "../../../share/man/man1/hello.1"}
    for path, digest, size in rows:
        if digest:
            name = f"{SITE}/{path}".replace(f"{SITE}/../../../", "opt/app/")
            content = found[name][1]
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={expected}", str(len(content)))


def test_the_installer_is_named_whatever_the_wheel_says() -> None:
    raw = make_wheel({"sample-1.0.dist-info/INSTALLER": b"other"})
    assert read_tar(convert(raw)[1])[f"{SITE}/sample-1.0.dist-info/INSTALLER"][1] == b"openhands-recipes\n"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (make_wheel({"../evil.py": b""}), "climbs out of its folder|malformed"),
        (make_wheel({"sample/../../evil.py": b""}), "climbs out of its folder"),
        (make_wheel({"sample-1.0.data/scripts/../../evil": b""}), "climbs out|malformed"),
        (make_wheel({"sample-1.0.data/nowhere/x": b""}), "malformed: .*not contained in a valid"),
        (make_wheel({"a/.wh.b": b""}), "reserved for layer whiteouts"),
        (make_wheel({}, entry_points="[console_scripts]\n../../evil = a:b\n"), "no file name: '../../evil'"),
        (make_wheel({}, entry_points="[console_scripts]\nx = import os; os.system()\n"), "malformed"),
        (make_wheel({}, entry_points="garbage"), "malformed"),
        (make_wheel({"other-2.dist-info/WHEEL": b""}), "exactly one .dist-info"),
        (make_wheel({"sample.py": b"", "sample-1.0.data/purelib/sample.py": b""}), "names a path twice"),
        (b"not a zip", "malformed: File is not a zip file"),
        (SAMPLE[:2000], "malformed"),
    ],
)  # fmt: skip
def test_what_is_hostile_or_malformed_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        convert(raw)


def test_an_absolute_path_stays_below_the_prefix() -> None:
    try:
        entries = convert(make_wheel({"/etc/evil": b""}))[0].entries
    except VerificationError:
        return
    assert all(e.path == "opt" or e.path.startswith("opt/app") for e in entries)


def test_other_compression_methods_are_refused() -> None:
    out = io.BytesIO(make_wheel({}))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("sample.py", b"x" * 100)
    with pytest.raises(VerificationError, match="compressed in an unknown way: 'sample"):
        convert(out.getvalue())


def test_damaged_content_is_refused() -> None:
    raw = bytearray(SAMPLE)
    position = raw.index(b"native.so") + 12
    raw[position] ^= 0xFF
    with pytest.raises(VerificationError, match="malformed"):
        convert(bytes(raw))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prefix": "opt/app"}, "not a prefix"),
        ({"prefix": "/opt/../etc"}, "not a prefix"),
        ({"prefix": "/" + "x" * 120}, "not a prefix"),
        ({"owner": "root"}, "not an owner"),
        ({"python": "2.7"}, "not a version of Python"),
    ],
)
def test_impossible_options_are_said_so(change: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        convert(SAMPLE, OPTIONS | change)
