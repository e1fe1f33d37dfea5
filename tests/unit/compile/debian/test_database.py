from __future__ import annotations

import hashlib

import pytest

from openhands_recipes.compile.debian import database
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import ControlFile, Entry, Fragment, Kind, Span


def fragment(control: str, *entries: Entry, **members: str) -> Fragment:
    files = {"control": ControlFile(0o644, control.encode())}
    files |= {name: ControlFile(0o755, text.encode()) for name, text in members.items()}
    return Fragment("sha256:" + "0" * 64, entries, tuple(Span(0, 0) for _ in entries), 0, files)


def package(name: str, *entries: Entry, extra: str = "", **members: str) -> database.Package:
    control = f"Package: {name}\nVersion: 1.0\nArchitecture: amd64\n{extra}Description: x\n more\n"
    return database.package_of(fragment(control, *entries, **members))


def no_content(_fragment: Fragment, path: str) -> bytes:
    return path.encode()


ETC = Entry("etc", Kind.DIRECTORY, 0o755)
CONF = Entry("etc/a.conf", Kind.FILE, size=10)
BIN = Entry("usr/bin/a", Kind.FILE, 0o755, size=9)


def test_a_control_file_without_a_version_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"a \.deb without version, architecture in its control file"):
        database.package_of(fragment("Package: a\n"))


def test_packages_that_coexist_are_filed_under_their_architecture() -> None:
    assert package("libc6", extra="Multi-Arch: same\n").qualified == "libc6:amd64"
    assert package("bash").qualified == "bash"


def test_the_file_list_starts_with_the_root_and_keeps_archive_order() -> None:
    listed = database.file_list(package("a", Entry("", Kind.DIRECTORY), ETC, CONF, BIN))
    assert listed == b"/.\n/etc\n/etc/a.conf\n/usr/bin/a\n"


def test_the_file_list_ends_with_the_links() -> None:
    listed = database.file_list(package("a", Entry("etc/l", Kind.SYMLINK, link="a.conf"), CONF))
    assert listed == b"/.\n/etc/a.conf\n/etc/l\n"


def test_conffiles_are_recorded_with_their_checksum_and_upgrade_flags_are_not() -> None:
    one = package("a", ETC, CONF, conffiles="/etc/a.conf\nremove-on-upgrade /etc/old\n")
    status = database.status_paragraph(one, no_content).decode()
    digest = hashlib.md5(b"etc/a.conf", usedforsecurity=False).hexdigest()
    assert f"Conffiles:\n /etc/a.conf {digest}\n" in status
    assert "/etc/old" not in status


def test_an_unpacked_package_says_so_right_after_its_name() -> None:
    lines = database.status_paragraph(package("a"), no_content).decode().splitlines()
    assert lines[:2] == ["Package: a", "Status: install ok unpacked"]
    assert lines.count("Package: a") == 1


def test_info_files_hold_scripts_as_programs_and_a_list() -> None:
    files = {
        e.path: (e.mode, c)
        for e, c in database.info_files(package("a", BIN, postinst="#!/bin/sh\n"), no_content)
    }
    assert files["var/lib/dpkg/info/a.postinst"] == (0o755, b"#!/bin/sh\n")
    assert files["var/lib/dpkg/info/a.list"][0] == 0o644
    assert "var/lib/dpkg/info/a.control" not in files


def test_missing_checksums_are_made_for_all_files_and_their_other_names() -> None:
    other = Entry("usr/bin/b", Kind.HARDLINK, 0o755, link="usr/bin/a")
    one = package("a", ETC, CONF, BIN, other, conffiles="/etc/a.conf\n")
    files = {e.path: c for e, c in database.info_files(one, no_content)}
    sums = [line.split("  ") for line in files["var/lib/dpkg/info/a.md5sums"].decode().splitlines()]
    assert [path for _, path in sums] == ["etc/a.conf", "usr/bin/a", "usr/bin/b"]
    assert sums[1][0] == sums[2][0]


def test_a_package_without_files_has_an_empty_list_of_checksums() -> None:
    """`dpkg --audit` asks for the list, empty or not."""
    files = {e.path: c for e, c in database.info_files(package("a", ETC), no_content)}
    assert files["var/lib/dpkg/info/a.md5sums"] == b""


def test_trigger_interests_go_to_the_file_of_paths_or_one_of_their_own() -> None:
    man = package("man-db", triggers="interest-noawait /usr/share/man\ninterest ldconfig # why\nactivate x\n")
    files = database.trigger_files(b"/usr/lib a\n", [man])
    assert files["File"] == b"/usr/lib a\n/usr/share/man man-db/noawait\n"
    assert files["ldconfig"] == b"man-db\n"


def test_new_files_below_a_watched_path_fire_the_owner_of_the_trigger() -> None:
    known = b"/usr/share/man man-db/noawait\n/usr/share/info info\n"
    new = package("a", Entry("usr/share/man/man1/a.1.gz", Kind.FILE))
    assert database.fired(known, [new]) == {"man-db": ("/usr/share/man",)}


def test_a_path_that_only_starts_alike_fires_nothing() -> None:
    new = package("a", Entry("usr/share/manual/x", Kind.FILE))
    assert database.fired(b"/usr/share/man man-db\n", [new]) == {}


def test_an_installed_package_with_fired_triggers_becomes_pending() -> None:
    status = b"Package: man-db\nStatus: install ok installed\nArchitecture: amd64\n\n"
    text = database.extend_status(
        status, [b"Package: a\nStatus: install ok unpacked\n"], {"man-db": ("/usr/share/man",)}
    )
    first, second, rest = text.decode().split("\n\n")
    assert "Status: install ok triggers-pending" in first
    assert first.endswith("Triggers-Pending: /usr/share/man")
    assert second.startswith("Package: a\n")
    assert rest == ""
