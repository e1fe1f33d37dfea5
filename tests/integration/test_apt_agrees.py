"""Our solution is apt's own, package for package, over the very lists apt has downloaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from openhands_recipes.adapters.apt_sources import debian_sources
from openhands_recipes.adapters.openpgp import debian_keys
from openhands_recipes.compile.debian.candidates import InstalledPackage
from openhands_recipes.compile.debian.ordering import order
from openhands_recipes.compile.debian.packages import Package, Universe, index
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solution import Solution
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.ports import PackageList
from tests.integration.private_apt import PrivateApt

pytestmark = pytest.mark.online

SUITES = ("trixie", "trixie-updates", "trixie-security")
BASE = "bash ca-certificates curl git python3 python3-venv sudo tini"
FROM_NOTHING = """
python3 python3-venv python3-pip git
default-jdk-headless maven
nodejs npm
rustc cargo
golang-go
build-essential
tmux
postgresql-client
ffmpeg
imagemagick
emacs-nox
texlive-latex-base
r-base-core
ruby-full
php-cli
php-fpm composer
ghc
clang
cmake gdb valgrind
openssh-client gnupg
erlang elixir
ocaml opam
sbcl
octave
gradle ant
apache2 libapache2-mod-php
mariadb-server
rabbitmq-server
docker.io
podman buildah skopeo
systemd-sysv dbus network-manager
default-mta mailutils
exim4
chromium
firefox-esr
xfce4
libgtk-4-dev
libopencv-dev
mpi-default-dev
python3-numpy python3-scipy python3-pandas python3-matplotlib
"""
ON_TOP_OF_A_BASE = """
python3-pip
default-jdk-headless maven
nodejs npm
rustc cargo
golang-go
build-essential
texlive-latex-base
r-base-core
php-cli
jupyter
postgresql
ansible
qemu-system-x86
inkscape
"""


@dataclass
class Archive:
    """Debian as apt and we see it."""

    apt: PrivateApt
    universe: Universe
    stanzas: dict[tuple[str, str], str] = field(default_factory=dict)

    def stanza_of(self, package: Package) -> str:
        if not self.stanzas:
            texts = (text for part in self.universe.lists for text in part.content.decode().split("\n\n"))
            for text in texts:
                if match := re.search(r"\APackage: (\S+)\n(?:.*\n)*?Version: (\S+)", text):
                    self.stanzas.setdefault((match[1], match[2]), text)
        return self.stanzas[package.name, package.version]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    sources = debian_sources(debian_keys).as_deb822(SUITES)
    apt = PrivateApt(tmp_path_factory.mktemp("apt"), sources)
    apt.update()
    return Archive(apt, index([PackageList(suite, "amd64", apt.packages_file(suite)) for suite in SUITES]))


@pytest.fixture(scope="module")
def base(archive: Archive) -> Solution:
    return solve(archive.universe, [Request(name, "base") for name in BASE.split()], essential=True)


def as_dict(solution: Solution) -> dict[str, str]:
    return {package.name: package.version for package in solution.packages}


@pytest.mark.parametrize("names", FROM_NOTHING.strip().splitlines())
def test_a_first_level_is_what_apt_would_install(archive: Archive, names: str) -> None:
    archive.apt.install([])
    solution = solve(archive.universe, [Request(name, "some") for name in names.split()], essential=True)
    essential = {package.name for package in archive.universe.essential()}
    assert as_dict(solution) == archive.apt.would_install(sorted(essential | set(names.split())))
    assert sorted(name for group in order(solution) for name in group) == list(as_dict(solution))


@pytest.mark.parametrize("names", ON_TOP_OF_A_BASE.strip().splitlines())
def test_a_child_level_is_what_apt_would_add(archive: Archive, base: Solution, names: str) -> None:
    archive.apt.install(archive.stanza_of(package) for package in base.packages)
    solution = solve(
        archive.universe,
        [Request(name, "some") for name in names.split()],
        installed=[InstalledPackage(p.name, p.version, p.architecture, "base") for p in base.packages],
        essential=True,
    )
    assert as_dict(solution) == archive.apt.would_install(sorted(names.split()))
