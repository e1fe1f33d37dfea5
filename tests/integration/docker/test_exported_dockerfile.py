"""What `ohr export dockerfile` writes is built by Docker alone, into the environment the locks describe."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openhands_recipes.adapters.apt_sources import debian_sources
from openhands_recipes.adapters.openpgp import debian_keys
from tests.integration.container_daemons import Docker, running_docker
from tests.integration.pipeline.command import Ohr
from tests.recipe_texts import TREE, recipe_text

pytestmark = [pytest.mark.docker, pytest.mark.online, pytest.mark.sandbox, pytest.mark.slow]

SUITES = ("trixie", "trixie-updates", "trixie-security")
BARE = "packages: [apt, bash, coreutils]\n"
LEAVING = r"""
packages: [apt, ca-certificates, coreutils, jq, npm, passwd, sudo]
python: {version: "3.13", packages: ["func-timeout==4.3.5", six]}
node: {version: "20", packages: [semver]}
path: [/opt/python/bin, /opt/node/bin]
environment: {ODD: 'a "quoted" $HOME \n back\slash'}
user: {name: agent, uid: 10001, gid: 10001, sudo: true}
workdir: /workspace
command: [/bin/bash, -c, "echo it is $ODD"]
files:
  /etc/odd file.conf: {text: "one\n'two' $HOME\n", mode: "0640", owner: user}
  /usr/local/share/link: {link: /etc/odd file.conf}
  /srv/data: {directory: true, owner: user, mode: "0750"}
"""
"""func-timeout has no wheel, so that a source is built as well."""
COMPANY = """\
FROM bare:1.0.0
COPY ca.pem /ca.pem
ENV PIP_CERT=/ca.pem NODE_EXTRA_CA_CERTS=/ca.pem SSL_CERT_FILE=/ca.pem
"""


@dataclass(frozen=True)
class Exported:
    docker: Docker
    folder: Path

    def run(self, *command: str) -> str:
        return self.docker.client("run", "--rm", "--network", "none", "leaving", *command)


def build(docker: Docker, tag: str, folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [*docker.client.command, "build", "--network", "host", "--tag", tag, *arguments, str(folder)],
        check=False, capture_output=True, text=True, env=os.environ | {"DOCKER_BUILDKIT": "0"},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"


def company_base(docker: Docker, folder: Path) -> None:
    """Debian as we lay it, knowing the certificates of this machine: what stands for debian:trixie here."""
    folder.mkdir()
    bundle = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
    (folder / "ca.pem").write_bytes(Path(bundle).read_bytes())
    names = ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY")
    settings = "".join(f"ENV {name}={os.environ[name]}\n" for name in names if os.environ.get(name))
    (folder / "Dockerfile").write_text(COMPANY + settings)
    build(docker, "company", folder)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    home = tmp_path_factory.mktemp("exported")
    for name, body in (("bare", BARE), ("leaving", LEAVING)):
        (home / "recipes" / name).mkdir(parents=True)
        (home / "recipes" / name / "recipe.yaml").write_text(recipe_text(name, body))
    (home / "recipes" / "registry.yaml").write_text(
        (TREE / "recipes" / "registry.yaml").read_text().replace("linux/amd64, linux/arm64", "linux/amd64")
    )
    ohr = Ohr(home, home / "cache")
    ohr("lock", "bare", "leaving")
    folder = home / "context"
    ohr("export", "dockerfile", "leaving", "-o", str(folder))
    (folder / "apt" / "debian.sources").write_text(debian_sources(debian_keys).as_deb822(SUITES))
    with running_docker(home / "d") as docker, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", docker.host)
        ohr("load", "bare")
        company_base(docker, home / "company")
        build(docker, "leaving", folder, "--build-arg", "BASE=company")
        yield Exported(docker, folder)


def test_debians_packages_are_those_of_the_lock(exported: Exported) -> None:
    there = set(exported.run("dpkg-query", "--show", "--showformat", "${Package}=${Version}\\n").split())
    wanted = set((exported.folder / "apt" / "packages.amd64").read_text().split())
    assert len(wanted) > 100
    assert wanted <= there
    assert exported.run("dpkg", "--audit") == ""


def test_python_has_the_locked_wheels_and_belongs_to_the_user(exported: Exported) -> None:
    lists = exported.folder / "python" / "python"
    wanted = {line.split()[0] for line in (lists / "wheels.amd64").read_text().splitlines()}
    found = exported.run("pip", "list", "--format", "freeze").split()
    assert {line.replace("_", "-") for line in found} == wanted | {"func-timeout==4.3.5"}
    assert (
        exported.run("python3", "-c", "import func_timeout, six, sys; print(sys.prefix)") == "/opt/python\n"
    )
    assert exported.run("stat", "--format", "%U", "/opt/python/bin") == "agent\n"


def test_npm_has_put_the_locked_packages_where_the_image_has_them(exported: Exported) -> None:
    assert exported.run("semver", "--range", "^1.2", "1.3.0") == "1.3.0\n"
    assert exported.run("readlink", "/opt/node/bin/semver") == "../lib/node_modules/.bin/semver\n"


def test_files_account_and_start_are_those_of_the_recipe(exported: Exported) -> None:
    assert exported.run() == 'it is a "quoted" $HOME \\n back\\slash\n'
    assert exported.run("cat", "/usr/local/share/link") == "one\n'two' $HOME\n"
    told = exported.run("stat", "--format", "%a %U %n", "/etc/odd file.conf", "/srv/data", "/workspace")
    assert told.splitlines() == [
        "640 agent /etc/odd file.conf",
        "750 agent /srv/data",
        "755 agent /workspace",
    ]
    assert exported.run("sudo", "--non-interactive", "id", "--user") == "0\n"
    assert exported.run("pwd") == "/workspace\n"


def test_nothing_of_the_build_is_left(exported: Exported) -> None:
    assert exported.run("ls", "-A", "/tmp", "/var/lib/apt/lists").split() == [  # noqa: S108 - of the image
        "/tmp:",  # noqa: S108 - the same
        "/var/lib/apt/lists:",
    ]
