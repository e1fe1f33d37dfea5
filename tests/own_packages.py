"""Tiny .debs of our own that do what few small packages of Debian do, and a signed suite that holds them."""

from __future__ import annotations

import hashlib
import lzma
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tests.parts import make_ar, make_tar, member
from tests.signed_archive import Suite

SUITE = "own"
Member = tuple[tarfile.TarInfo, bytes]


class OwnDeb(NamedTuple):
    """A .deb and how its archive lists it."""

    name: str
    control: str
    content: bytes

    @property
    def path(self) -> str:
        return f"pool/{self.name}_1.0-1_all.deb"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def stanza(self) -> str:
        return f"{self.control}Filename: {self.path}\nSize: {len(self.content)}\nSHA256: {self.sha256}\n"


def own_deb(
    name: str,
    members: Sequence[Member] = (),
    *,
    scripts: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    **fields: str,
) -> OwnDeb:
    """A package for every architecture; `scripts` are executable control files, `files` the others."""
    more = "".join(f"{key.replace('_', '-').title()}: {value}\n" for key, value in fields.items())
    control = (
        f"Package: {name}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
        f"Installed-Size: 1\n{more}Description: one of our own, for tests\n"
    )
    inner = [member("./"), member("./control", control.encode())]
    inner += [member(f"./{key}", text.encode()) for key, text in (files or {}).items()]
    inner += [member(f"./{key}", text.encode(), mode=0o755) for key, text in (scripts or {}).items()]
    return OwnDeb(name, control, deb_of(make_tar(inner), make_tar(members)))


def deb_of(control: bytes, data: bytes) -> bytes:
    """The archive around two tars."""
    return make_ar(
        [
            ("debian-binary", b"2.0\n"),
            ("control.tar.xz", lzma.compress(control)),
            ("data.tar.xz", lzma.compress(data)),
        ]
    )


def with_data(deb: OwnDeb, members: Sequence[Member]) -> OwnDeb:
    """The same package with other files."""
    control = make_tar([member("./"), member("./control", deb.control.encode())])
    return deb._replace(content=deb_of(control, make_tar(members, form=tarfile.PAX_FORMAT)))


def folders(*paths: str) -> list[Member]:
    return [member("./"), *(member(f"./{path}/") for path in paths)]


def suite(debs: Sequence[OwnDeb], architecture: str) -> Suite:
    """An archive of these, older than Debian's newest state so that it decides no dates."""
    packages = "\n".join(deb.stanza for deb in debs).encode()
    return Suite(
        SUITE,
        date=datetime(2025, 1, 1, tzinfo=UTC),
        valid_until=None,
        lists={architecture: packages},
        architectures=f"all {architecture}",
    )


ADD_KEEPER = """\
#!/bin/sh
set -e
adduser --system --group --home /var/lib/own --no-create-home --quiet keeper
"""
DIVERT = """\
#!/bin/sh
set -e
dpkg-divert --package own-diverter --quiet --add --rename --divert /usr/bin/own.real /usr/bin/own
"""
TRIGGERED = """\
#!/bin/sh
set -e
ls /usr/share/own > /var/lib/own/seen
"""


def zoo_packages() -> tuple[OwnDeb, ...]:
    """Overlap, diversion, dynamic owners, ways through links, triggers, hard links, special bits."""
    usr = ("usr", "usr/share", "usr/share/own")
    left = own_deb(
        "own-left",
        [
            *folders("etc", *usr, "usr/bin", "var", "var/lib"),
            member("./var/lib/own/", mode=0o2775, gid=50, gname="staff"),
            member("./etc/own.conf", b"colour = blue\n"),
            member("./usr/share/own/shared", b"left\n"),
            member("./usr/share/own/left", b"left\n", mode=0o640, gid=4, gname="adm"),
            member(
                "./usr/share/own/left-too",
                mode=0o640,
                gid=4,
                type=tarfile.LNKTYPE,
                linkname="./usr/share/own/left",
            ),
            member("./usr/share/door", link="own"),
            member("./usr/bin/own", b"#!/bin/sh\n", mode=0o4755),
        ],
        scripts={"postinst": TRIGGERED},
        files={"conffiles": "/etc/own.conf\n", "triggers": "interest-noawait /usr/share/own\n"},
    )
    right = own_deb(
        "own-right",
        [*folders(*usr), member("./usr/share/own/shared", b"right\n")],
        replaces="own-left",
        depends="own-left",
    )
    keeper = own_deb(
        "own-keeper",
        [
            *folders("usr", "usr/share", "usr/share/keeper"),
            member(
                "./usr/share/keeper/gate", b"!", mode=0o4750, uid=997, gid=997, uname="keeper", gname="keeper"
            ),
        ],
        scripts={"preinst": ADD_KEEPER},
        pre_depends="adduser",
        depends="zutils, own-right",
    )
    diverter = own_deb(
        "own-diverter",
        [*folders("usr", "usr/bin"), member("./usr/bin/own", b"#!/bin/sh\n# mine\n", mode=0o755)],
        scripts={"preinst": DIVERT},
        depends="own-left",
    )
    visitor = own_deb(
        "own-visitor",
        [
            *folders("usr", "usr/share", "usr/share/door"),
            member("./usr/share/door/inside", b"came by a link\n"),
        ],
        depends="own-left",
    )
    return left, right, keeper, diverter, visitor
