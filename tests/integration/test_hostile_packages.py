"""Packages that want more than they may, through the whole pipeline: nothing is written beside the cache."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from openhands_recipes.errors import VerificationError
from tests.integration.zoo import Zoo
from tests.own_packages import Member, folders, with_data
from tests.parts import member

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("zoo")]


def guest(zoo: Zoo, members: list[Member]) -> None:
    """From now on the recipe `guest` is locked to a package with these files."""
    (benign,) = (deb for deb in zoo.own if deb.name == "own-guest")
    deb = with_data(benign, members)
    zoo.web.put(f"/mirror/{deb.path}", deb.content)
    lock = json.loads(zoo.lock_file("guest").read_text())
    (locked,) = lock["platforms"][zoo.platform]["debs"]
    locked |= {"size": len(deb.content), "sha256": deb.sha256}
    zoo.lock_file("guest").write_text(json.dumps(lock))


def outside(zoo: Zoo, canary: Path) -> list[Path]:
    """Everything that could have been written, were it not contained."""
    names = ("escape", "pwned", "usr/share/pwned", "etc/pwned", "dev/own-device", "bin/pwned")
    places = [Path("/"), canary, canary.parent, zoo.root, zoo.cache, zoo.cache.parent]
    return [path for place in places for name in names if (path := place / name).exists()]


REFUSED = {
    "a way out": ([*folders("usr"), member("./usr/../../../escape", b"!")], r"usr/\.\./"),
    "a way out at once": ([member("../escape", b"!")], r"\.\./escape"),
    "its own link": (
        [
            *folders("usr", "usr/share"),
            member("./usr/share/door", link="/etc"),
            member("./usr/share/door/pwned", b"!"),
        ],
        "usr/share/door",
    ),
    "a hard link out": (
        [*folders("usr"), member("./usr/x", type=tarfile.LNKTYPE, linkname="../../etc/shadow")],
        "etc/shadow",
    ),
    "a character device": (
        [*folders("dev"), member("./dev/own-device", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        "device",
    ),
    "a block device": (
        [*folders("dev"), member("./dev/own-device", type=tarfile.BLKTYPE, devmajor=8, devminor=0)],
        "device",
    ),
    "a whiteout": ([*folders("usr"), member("./usr/.wh.bin", b"")], r"\.wh\.bin"),
    "the place of /bin": ([member("./bin", b"!")], "bin"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_archive_that_holds_it_is_refused(zoo: Zoo, tmp_path: Path, name: str) -> None:
    members, told = REFUSED[name]
    guest(zoo, members)
    with pytest.raises(VerificationError, match=told):
        zoo.build("guest")
    assert outside(zoo, tmp_path) == []


def test_an_absolute_path_is_one_below_the_root_of_the_image(zoo: Zoo, tmp_path: Path) -> None:
    guest(zoo, [*folders("etc"), member("/etc/pwned", b"inside\n")])
    image = zoo.build("guest")
    assert zoo.run(image, "cat", "/etc/pwned").stdout == b"inside\n"
    assert outside(zoo, tmp_path) == []


def test_a_path_behind_a_link_of_a_lower_level_ends_inside(zoo: Zoo, tmp_path: Path) -> None:
    guest(zoo, [*folders("usr", "usr/share", "usr/share/door"), member("./usr/share/door/pwned", b"!")])
    image = zoo.build("guest")
    assert zoo.run(image, "cat", "/usr/share/own/pwned").stdout == b"!"
    assert (
        zoo.run(image, "dpkg", "-S", "/usr/share/door/pwned").stdout == b"own-guest: /usr/share/door/pwned\n"
    )
    assert outside(zoo, tmp_path) == []


def test_a_link_to_the_host_leads_nowhere(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    guest(zoo, [*folders("usr", "usr/share"), member("./usr/share/way", link=str(tmp_path))])
    image = zoo.build("guest")
    assert zoo.run(image, "cat", "/usr/share/way/secret").exit_code != 0
    assert zoo.run(image, "touch", "/usr/share/way/pwned").exit_code != 0
    assert outside(zoo, tmp_path) == []
