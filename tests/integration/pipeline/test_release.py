"""A recipe of the library becomes a release, is found in the index, and is withdrawn: by the command."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.cli.platforms import host_platform
from tests.integration.pipeline.command import Ohr, Result
from tests.integration.registry_server import RunningRegistry, running_registry
from tests.integration.release_world import new_ledger
from tests.releases import key_file

pytestmark = [pytest.mark.sandbox, pytest.mark.online, pytest.mark.xdist_group("build")]


@dataclass(frozen=True)
class Publisher:
    """Somebody with a key, a ledger, an index and a registry."""

    ohr: Ohr
    registry: RunningRegistry
    folder: Path

    def options(self) -> list[str]:
        return [
            "--key",
            str(self.folder / "keys/ecdsa.key"),
            "--ledger",
            str(self.folder / "ledger.git"),
            "--by",
            "7",
        ]

    def release(self, *more: str, expect: int | None = 0) -> Result:
        platform = str(host_platform())
        place = ["--to", f"{self.registry.host}/team", "--plain-http", "--platform", platform]
        return self.ohr("release", "base", *place, *self.options(), *more, expect=expect)

    def withdraw(self, verb: str, *more: str, expect: int | None = 0) -> Result:
        return self.ohr(verb, *more, *self.options(), expect=expect)

    @property
    def index(self) -> list[str]:
        return ["--index", str(self.folder / "index"), "--index-keys", str(self.folder / "index-keys")]


@pytest.fixture(scope="module")
def publisher(ohr: Ohr, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    folder = tmp_path_factory.mktemp("publisher")
    key_file(folder / "keys")
    new_ledger(folder / "ledger.git")
    with running_registry(folder / "registry") as registry:
        one = Publisher(ohr, registry, folder)
        ohr(
            "index", "init", "--index", str(folder / "index"), "--keys", str(folder / "index-keys"),
            "--images", f"{registry.host}/team", "--root-keys", "1", "--threshold", "1", "--bins", "16",
        )  # fmt: skip
        yield one


@pytest.fixture(scope="module")
def released(publisher: Publisher) -> dict[str, Any]:
    document: dict[str, Any] = publisher.release("--format", "json", *publisher.index).json
    return document


def test_a_tested_recipe_becomes_revision_one(released: dict[str, Any], publisher: Publisher) -> None:
    record = released["record"]
    assert (released["release"], released["new"]) == (f"base@{record['version']}-r1", True)
    assert record["evidence"]["tests"]
    assert record["state"]["by"] == 7
    assert record["about"]["tools"]
    assert {record["version"], f"{record['version']}-r1"} <= set(publisher.registry.tags("team/base"))


def test_the_same_again_is_no_release_and_takes_no_upload(
    released: dict[str, Any], publisher: Publisher
) -> None:
    again = publisher.release("--format", "json").json
    assert (again["new"], again["record"], again["uploaded_bytes"]) == (False, released["record"], 0)
    assert "nothing changed" in publisher.release().stdout


def test_the_release_is_in_the_index_at_once_and_can_be_pulled(
    released: dict[str, Any], publisher: Publisher, tmp_path: Path
) -> None:
    root = publisher.folder / "index" / "metadata" / "1.root.json"
    pulled = publisher.ohr.with_cache(tmp_path)(
        "pull", "base", "--index", str(publisher.folder / "index"), "--index-root", str(root), "--plain-http",
        "--trust", str(publisher.folder / "keys/ecdsa.pub"), "--from", f"{publisher.registry.host}/team",
        "--platform", str(host_platform()), "--format", "json",
    ).json  # fmt: skip
    assert pulled["index"] == released["record"]["index"]


def test_test_results_name_the_recipes_own_tests(released: dict[str, Any], publisher: Publisher) -> None:
    manifest = json.loads(
        publisher.registry.get(
            f"team/base/manifests/{released['record']['evidence']['tests']}",
            "application/vnd.oci.image.manifest.v1+json",
        )
    )
    bundle = json.loads(publisher.registry.get(f"team/base/blobs/{manifest['layers'][0]['digest']}"))
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    assert statement["predicate"]["result"] == "PASSED"
    assert any(
        name.startswith(f"{host_platform()}: tests: ") for name in statement["predicate"]["passedTests"]
    )


def test_all_platforms_are_released_or_those_that_are_named(publisher: Publisher) -> None:
    place = ["--to", f"{publisher.registry.host}/team", "--plain-http"]
    refused = publisher.ohr("release", "base", *place, *publisher.options(), expect=1)
    assert "OHR404" in refused.stderr
    assert "--platform" in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "must be signed"),
        (["--keyless", "--key", "k"], "exclude each other"),
        (["--key", "nowhere"], "cannot be read"),
    ],
)
def test_a_release_wants_one_signature(publisher: Publisher, options: list[str], said: str) -> None:
    refused = publisher.ohr("release", "base", "--to", "127.0.0.1:1/team", *options, expect=2)
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--index", "oci://127.0.0.1:1/x"], "names no folder"),
        (["--index", "a", "--index", "b"], "several folders"),
        (["--index", "a"], "without keys"),
    ],
)
def test_an_index_wants_a_folder_and_keys(publisher: Publisher, options: list[str], said: str) -> None:
    assert said in publisher.release(*options, expect=2).stderr


@pytest.mark.usefixtures("released")
def test_a_release_is_withdrawn_step_by_step_and_the_index_follows(publisher: Publisher) -> None:
    refused = publisher.withdraw("yank", "base@1.0.0", "--reason", "broken", expect=1)
    assert "OHR407" in refused.stderr
    told = publisher.withdraw("deprecate", "base@1.0.0", "--reason", "old", *publisher.index)
    assert told.stdout == "base@1.0.0-r1 is deprecated\n"
    again = publisher.withdraw("deprecate", "base@1.0.0", "--reason", "old")
    assert "already" in again.stdout
    yanked = publisher.withdraw("yank", "base@1.0.0-r1", "--reason", "broken", "--format", "json").json
    assert [one["state"]["name"] for one in yanked] == ["yanked"]
    assert "OHR406" in publisher.withdraw("deprecate", "base@1.0.0", "--reason", "x", expect=1).stderr
    assert "OHR408" in publisher.withdraw("block", "base@9.9.9", "--reason", "x", expect=1).stderr
    publisher.withdraw("block", "base@1.0.0", "--reason", "malware", *publisher.index)
    assert "OHR402" in publisher.release(expect=1).stderr
    files = subprocess.run(
        ["git", "-C", str(publisher.folder / "ledger.git"), "ls-tree", "-r", "--name-only", "ledger"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert files == [
        "releases/base/1.0.0-r1.json",
        *(f"states/base/1.0.0-r1/000{number}.json" for number in (1, 2, 3)),
    ]
