from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.debian.release import parse_date, parse_release
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.release import ListedFile

HASH = "ab" * 32
TEXT = f"""Origin: Debian
Label: Debian
Suite: stable-updates
Codename: trixie-updates
Date: Sun, 22 Nov 2026 02:09:05 UTC
Valid-Until: Sun, 29 Nov 2026 02:09:05 UTC
Acquire-By-Hash: yes
No-Support-for-Architecture-all: Packages
Architectures: all amd64 arm64
MD5Sum:
 00000000000000000000000000000000  7 main/binary-amd64/Packages
SHA256:
 {HASH}     2351 main/binary-amd64/Packages
 {HASH}     1108 main/binary-amd64/Packages.xz
"""


def fault(text: str | bytes) -> str:
    with pytest.raises(VerificationError) as caught:
        parse_release(text if isinstance(text, bytes) else text.encode(), where="r")
    assert caught.value.where == "r"
    return caught.value.message


def test_a_release_file_is_read() -> None:
    release = parse_release(TEXT.encode(), where="r")
    assert release.date == datetime(2026, 11, 22, 2, 9, 5, tzinfo=UTC)
    assert release.valid_until == datetime(2026, 11, 29, 2, 9, 5, tzinfo=UTC)
    assert release.by_hash
    assert release.all_in_each
    assert release.architectures == ("all", "amd64", "arm64")
    assert release.origin == "Debian"
    assert release.files["main/binary-amd64/Packages.xz"] == ListedFile(
        "main/binary-amd64/Packages.xz", 1108, HASH
    )
    assert len(release.files) == 2


def test_a_suite_is_known_by_codename_and_by_state() -> None:
    release = parse_release(TEXT.encode(), where="r")
    assert release.is_suite("trixie-updates")
    assert release.is_suite("stable-updates")
    assert not release.is_suite("trixie")


def test_a_release_without_valid_until_never_expires() -> None:
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith("Valid-Until"))
    assert parse_release(text.encode(), where="r").valid_until is None


@pytest.mark.parametrize(
    ("removed", "apart"),
    [
        ("nothing", ""),
        ("No-Support-for-Architecture-all: Packages\n", "apart"),
        ("all amd64 arm64", ""),
    ],
)
def test_packages_of_architecture_all_stand_apart_only_when_the_release_says_so(
    removed: str, apart: str
) -> None:
    assert parse_release(TEXT.replace(removed, "").encode(), where="r").all_in_each is not bool(apart)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff", "it is not UTF-8"),
        (TEXT.replace("SHA256", "SHA1"), "it has no SHA256 table"),
        ("SHA256:\n", "it has neither Codename nor Suite"),
        (TEXT.replace("Date: Sun", "Date: someday"), "is not a date"),
        (TEXT.replace("Valid-Until: Sun", "Valid-Until: never"), "is not a date"),
        (TEXT + "Codename: bookworm\n", "the field Codename stands there twice"),
        (TEXT + "no field\n", "it has a line that is no field: 'no field'"),
        (" continued\n" + TEXT, "it has a line that is no field"),
        (TEXT.replace("2351 main", "many main"), "its SHA256 table has a line that cannot be read"),
        (TEXT.replace("2351 main", "2351 ../main"), "its SHA256 table names a path outside the suite"),
        (TEXT.replace("2351 main", "2351 /main"), "its SHA256 table names a path outside the suite"),
        (TEXT.replace("Packages.xz", "Packages"), "names main/binary-amd64/Packages twice"),
    ],
)
def test_a_broken_release_file_is_refused_with_its_fault(text: str | bytes, message: str) -> None:
    assert message in fault(text)


@given(st.datetimes(min_value=datetime(1993, 8, 16), max_value=datetime(9999, 1, 1)))  # noqa: DTZ001
def test_every_date_that_an_archive_writes_is_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert parse_date(moment.strftime("%a, %d %b %Y %H:%M:%S UTC"), where="r") == moment


@pytest.mark.parametrize(
    "text", ["", "Sat, 31 Feb 2026 00:00:00 UTC", "Sat, 21 Nov 2026 09:15:44 CET", "now"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(VerificationError, match="is not a date"):
        parse_date(text, where="r")


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_release(text.encode("utf-8", "surrogatepass"), where="r")
    except VerificationError as error:
        assert error.where == "r"  # noqa: PT017 - nothing else may come
