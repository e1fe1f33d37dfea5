"""An image holds what mmdebstrap, that is dpkg and apt, makes of the same packages: path by path.

Among them: diversions with and without renaming, an account made in preinst that owns files, file
capabilities, special bits, a replaced file, a file behind another package's link, triggers.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.debian_tools import installed
from tests.integration.listing import (
    INSIDE,
    Difference,
    Listing,
    differences,
    listed_inside,
    listed_tar,
)
from tests.integration.zoo import PATH, Zoo

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("zoo")]

ONLY_THEIRS = "only theirs"


class Justified(NamedTuple):
    """A difference that is meant, and why: patterns of the path and of what differs."""

    pattern: str
    what: str
    reason: str


JUSTIFIED = (
    Justified(r"/(dev|proc|sys)(/.+)?", ONLY_THEIRS, "mounts of whoever runs an image; not looked at here"),
    Justified(
        r"/etc/(hostname|hosts|resolv\.conf)", "content(, mode)?", "this machine's there, the box's here"
    ),
    Justified(
        r"/etc/(fstab|apt/sources\.list|(apt/apt\.conf|dpkg/dpkg\.cfg)\.d/99mmdebstrap)",
        ONLY_THEIRS,
        "mmdebstrap's own",
    ),
    Justified(r"/var/lib/dpkg/arch", ONLY_THEIRS, "mmdebstrap's own: only foreign architectures need it"),
    Justified(r"/etc/(passwd|group|shadow|gshadow)-", ONLY_THEIRS, "a backup"),
    Justified(r"/var/(lib/dpkg|cache/debconf)/[a-z.]+-old", ONLY_THEIRS, "a backup"),
    Justified(r"/etc/\.pwd\.lock|/var/lib/dpkg/(lock.*|triggers/Lock)", ONLY_THEIRS, "a lock"),
    Justified(r"/var/(lib/apt/lists|cache/apt/archives)/lock", ONLY_THEIRS, "apt's lock; apt ran only there"),
    Justified(r"/var/(lib/apt/lists|cache/apt/archives)/partial", "mode, owner", "apt ran only there"),
    Justified(r"/var/lib/apt/extended_states", ONLY_THEIRS, "apt's own choice of packages"),
    Justified(r"/var/cache/man/.+", ONLY_THEIRS, "a cache that holds the time; mandb makes it anew"),
    Justified(r"/var/lib/dpkg/triggers/File", "content", "the same lines, in the order of unpacking"),
    Justified(r"/.+\.pyc", "content", "checked by hash there; here Python need not read the source again"),
)


def explains(one: Justified, difference: Difference) -> bool:
    return all(map(re.fullmatch, (one.pattern, one.what), (difference.path, difference.what)))


def our_listing(zoo: Zoo, name: str) -> Listing:
    done = zoo.run(zoo.build(name), "/usr/bin/python3", "-I", "-", stdin=INSIDE.encode())
    assert done.exit_code == 0, done.stderr.decode()
    return listed_inside(done.stdout)


def serve_as_archive(zoo: Zoo, folder: Path) -> None:
    """Let apt find the locked .debs, and nothing else, below our mirror."""
    packages = []
    for deb in zoo.debs("flat"):
        place = f"mirror/apt/{deb['sha256']}.deb"  # a name without characters that apt would quote
        zoo.web.put(f"/{place}", zoo.deb(deb))
        (folder / "one.deb").write_bytes(zoo.deb(deb))
        control = subprocess.run(
            ["dpkg-deb", "--field", folder / "one.deb"], capture_output=True, text=True, check=True
        ).stdout.strip()
        packages.append(f"{control}\nFilename: {place}\nSize: {deb['size']}\nSHA256: {deb['sha256']}\n")
    index = "\n".join(packages).encode()
    row = f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    zoo.web.put("/mirror/Packages", index)
    zoo.web.put("/mirror/Release", f"Suite: stable\nCodename: trixie\nSHA256:\n{row}".encode())


def mmdebstrapped(zoo: Zoo, folder: Path) -> Path:
    """What mmdebstrap makes of the very same .debs, with the same idea of the date."""
    program = installed("mmdebstrap", "mmdebstrap")
    serve_as_archive(zoo, folder)
    names = ",".join(deb["name"] for deb in zoo.debs("flat"))
    lock = json.loads(zoo.lock_file("flat").read_text())
    epoch = int(datetime.fromisoformat(lock["debian"]["release_date"]).timestamp())
    settings = {"PATH": PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        [
            program, "--mode=root", "--variant=essential", f"--include={names}",
            "--dpkgopt=force-unsafe-io", '--aptopt=Acquire::http::Proxy "DIRECT"',
            "trixie", folder / "theirs.tar", f"deb [trusted=yes] {zoo.web.url}/ mirror/",
        ],
        env=settings | {"SOURCE_DATE_EPOCH": str(epoch)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "theirs.tar"


@pytest.fixture(scope="module")
def theirs(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid() != 0:
        pytest.skip("this machine lacks root, which mmdebstrap is run as")
    return mmdebstrapped(zoo, tmp_path_factory.mktemp("mmdebstrap"))


@pytest.fixture(scope="module")
def flat(zoo: Zoo) -> Listing:
    return our_listing(zoo, "flat")


def unexplained(ours: Listing, theirs: Listing) -> str:
    left = (one for one in differences(ours, theirs) if not any(explains(j, one) for j in JUSTIFIED))
    return "\n".join(f"{one.path} {one.what}: {one.ours} != {one.theirs}" for one in left)


def test_a_level_is_what_mmdebstrap_makes_of_its_packages(flat: Listing, theirs: Path) -> None:
    listing = listed_tar(theirs)
    assert len(listing) > 8000
    assert unexplained(flat, listing) == ""
    found = list(differences(flat, listing))
    assert [j for j in JUSTIFIED if not any(explains(j, one) for one in found)] == []


def test_two_levels_are_what_mmdebstrap_makes_of_their_packages(zoo: Zoo, theirs: Path) -> None:
    assert unexplained(our_listing(zoo, "zoo"), listed_tar(theirs)) == ""


@pytest.mark.parametrize("name", ["flat", "zoo"])
def test_dpkg_finds_nothing_unfinished_and_nothing_changed(zoo: Zoo, name: str) -> None:
    image = zoo.build(name)
    for question in ("--audit", "--verify"):
        done = zoo.run(image, "dpkg", question)
        assert (done.exit_code, done.stdout, done.stderr) == (0, b"", b""), question


def test_files_with_special_bits_are_those_of_the_packages(zoo: Zoo, flat: Listing) -> None:
    promised: dict[str, str] = {}
    for deb in zoo.debs("flat"):
        command = ["dpkg-deb", "--fsys-tarfile", "-"]
        data = subprocess.run(command, input=zoo.deb(deb), capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            promised |= {
                m.name.removeprefix("."): oct(m.mode) for m in archive if m.isreg() and m.mode & 0o7000
            }
    promised["/usr/bin/own.real"] = promised.pop("/usr/bin/own")  # it was diverted
    assert {"/usr/bin/su", "/usr/bin/passwd", "/usr/share/keeper/gate"} <= promised.keys()
    assert promised == {
        path: facts["mode"]
        for path, facts in flat.items()
        if facts["type"] == "file" and int(facts["mode"], 8) & 0o7000
    }
