"""Programs of other people that the tests need: installed by apt where we may, else unpacked beside us.

Nothing here names a mirror: the machine's own apt configuration says where packages come from.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

CACHE = Path(__file__).parents[2] / ".cache" / "tools"
LACKS = "this machine lacks "


def installed(program: str, package: str) -> Path:
    """A program from the machine's own Debian; installed if root may, else the test is skipped."""
    if found := shutil.which(program):
        return Path(found)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip(f"{LACKS}{program} (Debian package {package})")
    with _locked("apt"):
        if not shutil.which(program):
            _apt("update", "-q")
            _apt("install", "-q", "-y", "--no-install-recommends", package)
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{LACKS}{program}: package {package} could not be installed")
    return Path(found)


def unpacked(program: str, package: str, suite: str) -> Path:
    """A program from another Debian suite, unpacked into a cache of its own; nothing is installed."""
    folder = CACHE / suite / package
    with _locked(f"{suite}-{package}"):
        if not folder.is_dir():
            if not shutil.which("apt-get"):
                pytest.skip(f"{LACKS}apt-get, to fetch {package}")
            _unpack(package, suite, folder)
    places = (folder / place / program for place in ("usr/bin", "usr/sbin", "bin", "sbin"))
    found = next((path for path in places if path.exists()), None)
    if found is None or subprocess.run([found, "--help"], capture_output=True, check=False).returncode > 125:
        pytest.skip(f"{LACKS}a {program} that runs here")
    return found


def built_from_go(program: str, module: str, version: str) -> Path:
    """A program built from a Go module, once per machine; minutes on a slow one."""
    folder = CACHE / "go" / f"{program}-{version}"
    go = shutil.which("go")
    if go is None and not (folder / program).exists():
        pytest.skip(f"{LACKS}Go, to build {module}")
    with _locked(f"go-{program}"):
        if not (folder / program).exists():
            settings = {"GOBIN": str(folder), "GOFLAGS": "-buildvcs=false"}
            done = subprocess.run(
                ["nice", "-n", "19", str(go), "install", f"{module}@{version}"],
                env=os.environ | settings,
                capture_output=True,
                check=False,
            )
            if done.returncode:
                pytest.skip(f"{LACKS}what building {module} needs: {done.stderr[-500:].decode()}")
    return folder / program


def _unpack(package: str, suite: str, folder: Path) -> None:
    options = _private_apt(suite)
    work = CACHE / suite / f"{package}.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    done = subprocess.run(
        ["apt-get", *options, "download", package], cwd=work, capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{LACKS}a mirror with {package} of {suite}")
    (archive,) = work.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, work], check=True)
    work.rename(folder)


def _private_apt(suite: str) -> list[str]:
    """Options for an apt that knows one more suite and shares nothing with the machine's."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(LABEL)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    sites = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith(" Debian")]
    if not sites:
        pytest.skip(f"{LACKS}a Debian mirror in its apt configuration")
    state = CACHE / suite / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    (state / "sources.list").write_text(f"deb {keyring} {sites[0]} {suite} main\n")
    options = [
        f"-oDir::Etc::sourcelist={state}/sources.list",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={state}/lists",
        f"-oDir::Cache={state}/cache",
        "-oAPT::Sandbox::User=root",
    ]
    with _locked(f"{suite}-lists"):
        if not (state / "ready").exists():
            done = subprocess.run(["apt-get", *options, "update", "-q"], capture_output=True, check=False)
            if done.returncode:
                pytest.skip(f"{LACKS}a mirror that serves {suite}")
            (state / "ready").touch()
    return options


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", *arguments], env=environment, check=False, capture_output=True)


def _locked(name: str) -> FileLock:
    CACHE.mkdir(parents=True, exist_ok=True)
    return FileLock(CACHE / f"{name}.lock")
