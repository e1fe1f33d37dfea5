"""Releases to real registries with a real ledger: a program to kill, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.git_ledger import GitLedger
from openhands_recipes.adapters.registry.artifacts import OciArtifacts
from openhands_recipes.adapters.registry.client import Limits
from openhands_recipes.flows.release import Released, ReleaseDoors, release
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.model.release_record import ReleaseRecord
from openhands_recipes.publish.provenance import Origin
from openhands_recipes.publish.referrers import fallback_tag
from openhands_recipes.publish.verify import unverified_change
from tests.fakes import FixedClock, QuietProgress
from tests.integration.debian_tools import CACHE, LACKS, _locked
from tests.integration.registry_server import HASTY, RunningRegistry, free_port
from tests.releases import COMMIT, Sample, sample, signer_of

TREE = Path(__file__).parents[2]
WHERE = "team/sample"
PLATFORMS: tuple[Platform, ...] = ("linux/amd64", "linux/arm64")


def new_ledger(folder: Path) -> Path:
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    return folder


def ledger_at(repository: Path, cache: Path) -> GitLedger:
    return GitLedger(
        str(repository), "ledger", cache=cache, clock=FixedClock(), read_change=unverified_change
    )


@dataclass(frozen=True)
class Place:
    """Where releases go: a registry, a ledger, a key, and a folder for what is in between."""

    host: str
    ledger: Path
    key: Path
    work: Path

    def made(self, content: str, platforms: tuple[Platform, ...] = PLATFORMS) -> Sample:
        return sample(self.work / f"layout-{content}", content.encode(), platforms=platforms)

    def release(
        self, content: str, platforms: tuple[Platform, ...] = PLATFORMS, *, parallel: int = 4
    ) -> Released:
        """A release of these bytes, by real doors."""
        made = self.made(content, platforms)
        limits = Limits(parallel=parallel, patience=HASTY)
        address = RegistryAddress(self.host, "team")
        with OciArtifacts(address, plain_http=True, credentials=lambda *_: None, limits=limits) as registry:
            doors = ReleaseDoors(
                ledger=ledger_at(self.ledger, self.work / "cache"),
                registry=registry,
                blobs=made.blob,
                signer=signer_of(self.key),
                origin=Origin(commit=COMMIT),
                actor=1,
                progress=QuietProgress(),
                clock=FixedClock(),
            )
            return release(doors, made.candidate, to=address)

    def start(self, content: str, platforms: tuple[Platform, ...] = PLATFORMS) -> subprocess.Popen[bytes]:
        """The same, in a process that may be killed; one request after the other."""
        arguments = [self.host, str(self.ledger), str(self.key), str(self.work), content, *platforms]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.release_world", *arguments],
            cwd=TREE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def at(self, host: str) -> Place:
        return Place(host, self.ledger, self.key, self.work)

    def records(self) -> tuple[ReleaseRecord, ...]:
        return ledger_at(self.ledger, self.work / "reader").releases("sample")


@dataclass(frozen=True)
class Reader:
    """What anybody can read in a registry."""

    host: str

    @contextlib.contextmanager
    def door(self) -> Iterator[OciArtifacts]:
        address = RegistryAddress(self.host, "team")
        with OciArtifacts(address, plain_http=True, credentials=lambda *_: None) as door:
            yield door

    def tags(self) -> dict[str, Digest]:
        registry = RunningRegistry(self.host, Path())
        with contextlib.suppress(OSError), self.door() as door:
            found = {tag: door.manifest(WHERE, tag) for tag in registry.tags(WHERE)}
            return {tag: one.digest for tag, one in found.items() if one and not tag.startswith("sha256-")}
        return {}

    def listed(self, subject: str) -> set[str]:
        """What refers to a manifest, as a client finds it."""
        with self.door() as door:
            found = door.referrers(WHERE, Digest(subject))
            if found is None:
                stored = door.manifest(WHERE, fallback_tag(Digest(subject)))
                found = tuple(json.loads(stored.content)["manifests"]) if stored else ()
        return {str(entry["digest"]) for entry in found}

    def check_complete(self, digest: str) -> None:
        """Index, manifests and all blobs are there."""
        with self.door() as door:
            index = door.manifest(WHERE, digest)
            assert index is not None
            for entry in json.loads(index.content)["manifests"]:
                manifest = door.manifest(WHERE, entry["digest"])
                assert manifest is not None
                value = json.loads(manifest.content)
                for blob in (value["config"], *value["layers"]):
                    assert door.blob(WHERE, blob["digest"]) is not None

    def check(self, records: tuple[ReleaseRecord, ...]) -> None:
        """Every tag is a complete release, and every release has all its evidence."""
        released = {record.index for record in records}
        for tag, digest in self.tags().items():
            assert digest in released, f"{tag} points to what is no release"
        for record in records:
            self.check_complete(record.index)
            for referrer in record.referrers:
                assert referrer.manifest in self.listed(referrer.subject)


# --- a registry that lists referrers itself -----------------------------------------------------------------


@contextlib.contextmanager
def native_registry() -> Iterator[str]:
    """go-containerregistry's registry in memory, with the referrers API; built once per machine."""
    host = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen([_native_program(), host], stderr=subprocess.DEVNULL)
    try:
        _wait(host)
        yield host
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextlib.contextmanager
def zot_registry(folder: Path) -> Iterator[str]:
    """A zot that is installed here; its Go module is not always to be had."""
    program = shutil.which("zot")
    if program is None:
        pytest.skip(f"{LACKS}zot")
    port = free_port()
    folder.mkdir(parents=True)
    config = folder / "config.json"
    settings = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(folder / "storage")},
        "http": {"address": "127.0.0.1", "port": str(port)},
        "log": {"level": "error"},
    }
    config.write_text(json.dumps(settings))
    process = subprocess.Popen([program, "serve", config], stdout=subprocess.DEVNULL)
    try:
        _wait(f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _native_program() -> Path:
    source, program = TREE / "tests" / "data" / "native_registry", CACHE / "go" / "native_registry"
    go = shutil.which("go")
    with _locked("go-native_registry"):
        if not program.exists():
            if go is None:
                pytest.skip(f"{LACKS}Go, to build a registry that lists referrers")
            command = ["nice", "-n", "19", go, "build", "-buildvcs=false", "-o", str(program), "."]
            done = subprocess.run(command, cwd=source, capture_output=True, check=False)
            if done.returncode:
                pytest.skip(f"{LACKS}what building a registry needs: {done.stderr[-300:].decode()}")
    return program


def _wait(host: str) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            RunningRegistry(host, Path()).get("")
            return
        time.sleep(0.05)
    raise RuntimeError("the registry did not start")


def main(arguments: list[str]) -> int:
    host, ledger, key, work, content, *platforms = arguments
    place = Place(host, Path(ledger), Path(key), Path(work))
    chosen: Any = tuple(platforms)
    place.release(content, chosen, parallel=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
