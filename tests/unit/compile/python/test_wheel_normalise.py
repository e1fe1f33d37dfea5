from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from openhands_recipes.compile.python.wheel_normalise import LARGEST, normalise_wheel
from openhands_recipes.errors import VerificationError
from tests.local_index import wheel

INFO = "demo-1.0.dist-info"


def archive(*files: tuple[str, str, int]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for path, text, mode in files:
            item = zipfile.ZipInfo(path, (2020, 2, 2, 2, 2, 2))
            item.external_attr = mode << 16
            made.writestr(item, text)
    return sink.getvalue()


METADATA = ((f"{INFO}/METADATA", "Name: demo", 0o100644), (f"{INFO}/WHEEL", "Wheel-Version: 1.0", 0o100644))


def test_a_normal_wheel_is_stored_dated_1980_and_ends_with_record() -> None:
    made = normalise_wheel(
        archive(
            *METADATA,
            ("demo.py", "x = 1", 0o100664),
            ("bin/tool", "#!", 0o100775),
            (f"{INFO}/RECORD", "old", 0),
        )
    )
    with zipfile.ZipFile(io.BytesIO(made)) as read:
        assert read.namelist() == [
            "bin/tool", "demo.py", f"{INFO}/METADATA", f"{INFO}/WHEEL", f"{INFO}/RECORD"
        ]  # fmt: skip
        assert {item.date_time for item in read.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {item.compress_type for item in read.infolist()} == {zipfile.ZIP_STORED}
        assert [oct(item.external_attr >> 16) for item in read.infolist()][:2] == ["0o100755", "0o100644"]
        record = read.read(f"{INFO}/RECORD").decode().splitlines()
    assert record[-1] == f"{INFO}/RECORD,,"
    assert record[0].startswith("bin/tool,sha256=")
    assert record[3].endswith(",5")


def test_bytecode_signatures_and_folders_do_not_come_along() -> None:
    made = normalise_wheel(
        archive(
            *METADATA,
            ("demo/", "", 0o40755),
            ("demo/__pycache__/a.cpython-313.pyc", "x", 0),
            ("demo/b.pyc", "x", 0),
            (f"{INFO}/RECORD.jws", "x", 0),
            ("demo/a.py", "", 0),
        )
    )
    with zipfile.ZipFile(io.BytesIO(made)) as read:
        assert read.namelist() == ["demo/a.py", f"{INFO}/METADATA", f"{INFO}/WHEEL", f"{INFO}/RECORD"]


def test_the_bytes_are_these_and_stay_these() -> None:
    _, content = wheel("demo", "1.0")
    sha256 = hashlib.sha256(normalise_wheel(content)).hexdigest()
    assert (
        sha256 == "f0919ec6a2462c434a0b610bc33c5a5146137de4a0df02cbad89c218a56dea7d"
    )  # locks hold hashes like it
    assert normalise_wheel(normalise_wheel(content)) == normalise_wheel(content)


@pytest.mark.parametrize("path", ["../up", "/abs", "a/../../b", "a//b", "a\\b", "./a"])
def test_paths_outside_the_wheel_are_refused(path: str) -> None:
    with pytest.raises(VerificationError, match="wants out of its folder"):
        normalise_wheel(archive(*METADATA, (path, "", 0)))


def test_links_are_refused() -> None:
    with pytest.raises(VerificationError, match="holds more than files: 'link'"):
        normalise_wheel(archive(*METADATA, ("link", "/etc/passwd", 0o120777)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_held_twice_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"holds a file twice: 'a\.py'"):
        normalise_wheel(archive(*METADATA, ("a.py", "1", 0), ("a.py", "2", 0)))


@pytest.mark.parametrize("files", [[("a.py", "", 0)], [*METADATA, ("other-1.dist-info/METADATA", "", 0)]])
def test_there_must_be_exactly_one_metadata_folder(files: list[tuple[str, str, int]]) -> None:
    with pytest.raises(VerificationError, match=r"without exactly one \.dist-info folder"):
        normalise_wheel(archive(*files))


def test_what_is_no_zip_is_refused() -> None:
    with pytest.raises(VerificationError, match="something that is no wheel"):
        normalise_wheel(b"PK but not really")


def test_a_wheel_that_claims_to_be_huge_is_refused_before_it_is_unpacked() -> None:
    content = bytearray(archive(("big", "x" * 10, 0), *METADATA))
    place = content.index(b"PK\x01\x02") + 24  # uncompressed size in the central directory (APPNOTE 4.3.12)
    content[place : place + 4] = (LARGEST + 1).to_bytes(4, "little")
    with pytest.raises(VerificationError, match="too large"):
        normalise_wheel(bytes(content))
