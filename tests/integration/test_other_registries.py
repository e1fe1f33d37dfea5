"""Two organisations, two projects: one extends what the other has released, by its signed index."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openhands_recipes.adapters import openpgp
from openhands_recipes.cli.platforms import host_platform
from openhands_recipes.cli.settings import settings_from
from openhands_recipes.cli.world import World
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.platform import DEBIAN_ARCHITECTURE
from openhands_recipes.model.release_record import State
from tests import releases
from tests.integration.pipeline.command import Ohr
from tests.integration.release_world import ledger_at, new_ledger
from tests.own_packages import SUITE, own_deb, suite
from tests.release_records import record
from tests.signed_archive import archive_key, public
from tests.web import Web, serving

TREE = Path(__file__).parents[2]
RECIPE = """\
schema: 1
name: {name}
version: {version}
summary: A small one
license: MIT
maintainers: [{{github: someone, id: 1}}]
extends: [{extends}]
files:
  /opt/{name}: {{text: "{name} {version}"}}
{more}
"""
NETWORK = "permissions: {network: {egress: [{host: %s.example.com}]}}"
TABLE = '["unused"]\nsummary = "unused"\ndebian = ["unused"]\nnixpkgs = { unavailable = "not asked for" }\n'


@dataclass
class Project:
    """One organisation's recipes in Git, its ledger, and the index it serves."""

    folder: Path
    name: str
    web: Web

    @property
    def root(self) -> Path:
        return self.folder / "project"

    @property
    def ohr(self) -> Ohr:
        return Ohr(self.root, self.folder / "cache")

    @property
    def site(self) -> Path:
        return self.folder / "site"

    def begin(self, *, trusts: str = "") -> None:
        (self.root / "recipes").mkdir(parents=True)
        settings = (TREE / "recipes" / "registry.yaml").read_text()
        for there, here in {
            "name: openhands\n": f"name: {self.name}\n",
            "suites: [trixie, trixie-updates, trixie-security]": f"suites: [{SUITE}]",
            "platforms: [linux/amd64, linux/arm64]": f"platforms: [{host_platform()}]",
        }.items():
            assert there in settings
            settings = settings.replace(there, here)
        (self.root / "recipes" / "registry.yaml").write_text(settings + trusts)
        (self.root / "nixlib").mkdir()
        (self.root / "nixlib" / "packages.toml").write_text(TABLE)
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, name: str, *, extends: str = "", version: str = "1.0.0", more: str = "") -> None:
        folder = self.root / "recipes" / name
        folder.mkdir(exist_ok=True)
        text = RECIPE.format(name=name, extends=extends, version=version, more=more)
        (folder / "recipe.yaml").write_text(text)

    def lock(self, name: str) -> Path:
        return self.root / "recipes" / name / "recipe.lock.json"

    def parents(self, name: str) -> dict[str, dict[str, object]]:
        return {parent["name"]: parent for parent in json.loads(self.lock(name).read_text())["parents"]}

    # --- what a publisher does -------------------------------------------------------------------

    def open_index(self) -> None:
        new_ledger(self.folder / "ledger")
        keys = str(self.folder / "keys")
        few = ("--bins", "16", "--root-keys", "1", "--threshold", "1")
        self.ohr("index", "init", "--index", str(self.site), "--keys", keys, *few)
        releases.key_file(self.folder)

    def release(self, name: str, version: str, *, revision: int = 1, day: int = 1) -> None:
        """What a release leaves behind: a commit, and a record in the ledger."""
        self.ohr("lock", name)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", f"{name} {version}")
        made = record(version, revision, name=name, index=digest_of(f"{name} {version}".encode()))
        known = {
            "commit": self.git("rev-parse", "HEAD"),
            "lock": digest_of(self.lock(name).read_bytes()),
            "state": State(since=f"2026-02-{day:02}T00:00:00Z", by=1),
        }
        ledger = ledger_at(self.folder / "ledger", self.folder / "ledger-cache")
        ledger.append([made.model_copy(update=known)], expected=ledger.head(), reason="a release")
        self.update_index()

    def update_index(self) -> None:
        self.ohr(
            "index", "add", "--index", str(self.site), "--keys", str(self.folder / "keys"),
            "--ledger", str(self.folder / "ledger"), "--trust", str(self.folder / "ecdsa.pub"),
        )  # fmt: skip
        self.serve()

    def withdraw(self, verb: str, place: str) -> None:
        more = ("--successor", "tools@1.1.0") if verb == "yank" else ()
        self.ohr(
            verb, place, "--reason", "it lost data", "--by", "1", "--ledger", str(self.folder / "ledger"),
            "--key", str(self.folder / "ecdsa.key"), *more,
        )  # fmt: skip
        self.update_index()

    def serve(self) -> None:
        self.web.files = {
            f"/{path.relative_to(self.site)}": path.read_bytes()
            for path in self.site.rglob("*")
            if path.is_file() and path.name != ".lock"
        }


@dataclass
class Exchange:
    """`acme` releases `floor` and `tools` on it; `ours` trusts its index."""

    acme: Project
    ours: Project


@pytest.fixture(autouse=True)
def _an_archive_of_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    keys = openpgp.Keyring([public(archive_key())])
    monkeypatch.setattr(openpgp, "debian_keys", lambda: keys)
    monkeypatch.setenv("OHR_STATE", str(tmp_path / "state"))
    with serving() as web:
        web.files |= suite([own_deb("unused")], DEBIAN_ARCHITECTURE[host_platform() or "linux/amd64"]).files()
        monkeypatch.setenv("OHR_DEBIAN_MIRROR", web.url)
        yield


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    with serving() as web:
        acme = Project(tmp_path / "acme", "acme", web)
        acme.begin()
        acme.open_index()
        acme.write("floor", more=NETWORK % "floor")
        acme.write("tools", extends="floor@^1", more=NETWORK % "tools")
        acme.release("floor", "1.0.0")
        acme.release("tools", "1.0.0", day=2)
        ours = Project(tmp_path / "ours", "ours", web)
        trusts = f"\nregistries:\n  acme: {{url: {web.url}, root: trust/acme.json}}\n"
        ours.begin(trusts=trusts)
        (ours.root / "recipes" / "trust").mkdir()
        shutil.copy(acme.site / "metadata" / "1.root.json", ours.root / "recipes" / "trust" / "acme.json")
        ours.write("child", extends='"acme/tools@^1"', more=NETWORK % "child")
        yield Exchange(acme, ours)


def new_tools(exchange: Exchange, version: str = "1.1.0", *, day: int = 3) -> None:
    exchange.acme.write("tools", extends="floor@^1", version=version, more=NETWORK % "tools")
    exchange.acme.release("tools", version, day=day)


def test_a_child_of_a_foreign_module_shares_its_layers(exchange: Exchange) -> None:
    ours, acme = exchange.ours, exchange.acme
    ours.ohr("lock", "child")
    parents = ours.parents("child")
    assert list(parents) == ["acme/floor", "acme/tools"]
    assert (parents["acme/tools"]["version"], parents["acme/tools"]["revision"]) == ("1.0.0", 1)
    assert parents["acme/tools"]["lock"] == digest_of(acme.lock("tools").read_bytes())
    assert ours.ohr("check").stdout == "1 recipe checked, no fault\n"
    theirs, built = acme.ohr.build("tools"), ours.ohr.build("child")
    layers = [[layer["digest"] for layer in image["layers"]] for image in (theirs, built)]
    assert layers[1][: len(layers[0])] == layers[0]
    assert len(layers[1]) == len(layers[0]) + 1
    assert ours.ohr.build("child")["digest"] == built["digest"]


def test_names_and_permissions_come_along_with_their_origin(exchange: Exchange) -> None:
    exchange.ours.write("floor", more=NETWORK % "own-floor")
    shown = exchange.ours.ohr("show", "child", "--format", "json").json
    assert [level["name"] for level in shown["lineage"]] == ["acme/floor", "acme/tools", "child"]
    hosts = [rule["host"] for rule in shown["recipe"]["permissions"]["network"]["egress"]]
    assert sorted(hosts) == ["child.example.com", "floor.example.com", "tools.example.com"]
    origins = {o["recipe"] for one in shown["origins"] for o in one["origins"]}
    assert origins == {"acme/floor", "acme/tools", "child"}


def test_once_locked_everything_works_without_the_index(exchange: Exchange) -> None:
    ours = exchange.ours
    ours.ohr("lock", "child")
    exchange.acme.web.files = {}
    exchange.acme.web.url = "http://127.0.0.1:9"
    settings = ours.root / "recipes" / "registry.yaml"
    text = settings.read_text()
    shutil.rmtree(ours.folder / "cache" / "index")
    settings.write_text(text.replace(text.partition("url: ")[2].partition(",")[0], "http://127.0.0.1:9"))
    result = ours.ohr("build", "child")
    assert "cannot be looked up" in result.stderr
    ours.ohr("check")
    assert ours.ohr("lock", "child").stdout.startswith("child: up to date")


def test_a_lock_stays_until_it_is_updated(exchange: Exchange) -> None:
    ours = exchange.ours
    ours.ohr("lock", "child")
    before = ours.lock("child").read_bytes()
    new_tools(exchange)
    ours.ohr("build", "child")
    ours.ohr("lock", "child")
    assert ours.lock("child").read_bytes() == before
    ours.ohr("lock", "--update", "child")
    assert ours.parents("child")["acme/tools"]["version"] == "1.1.0"
    ours.ohr("build", "child")


def test_a_range_that_no_longer_fits_makes_the_lock_stale(exchange: Exchange) -> None:
    ours = exchange.ours
    ours.ohr("lock", "child")
    new_tools(exchange)
    ours.write("child", extends='"acme/tools@^1.1"', more=NETWORK % "child")
    assert "stale" in ours.ohr("build", "child", expect=1).stderr
    ours.ohr("lock", "child")
    ours.ohr("build", "child")


def test_what_is_yanked_builds_with_a_warning_and_is_locked_no_more(exchange: Exchange) -> None:
    ours = exchange.ours
    ours.ohr("lock", "child")
    new_tools(exchange)
    exchange.acme.withdraw("yank", "tools@1.0.0")
    assert "acme/tools 1.0.0-r1 is yanked" in ours.ohr("build", "child").stderr
    ours.ohr("lock", "child")
    assert ours.parents("child")["acme/tools"]["version"] == "1.1.0"


def test_what_is_blocked_is_refused_even_when_it_was_built(exchange: Exchange) -> None:
    ours = exchange.ours
    ours.ohr("lock", "child")
    ours.ohr("build", "child")
    new_tools(exchange)
    exchange.acme.withdraw("block", "tools@1.0.0")
    refused = ours.ohr("build", "child", expect=4).stderr
    assert "OHR443" in refused
    assert "acme/tools 1.0.0-r1 is blocked" in refused
    ours.ohr("lock", "child")
    ours.ohr("build", "child")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("acne/tools", "did you mean 'acme'?"),
        ("elsewhere/tools", "knows no registry 'elsewhere'"),
        ("acme/toolz", "the index knows no recipe 'toolz' (OHR440)"),
        ("acme/tools@^9", "no release fits 'tools@^9' (OHR441)"),
        ("ours/floor", "'ours' is this registry"),
    ],
)
def test_what_is_not_to_be_had_is_a_fault_at_its_place(exchange: Exchange, entry: str, said: str) -> None:
    exchange.ours.write("child", extends=f'"{entry}"')
    told = exchange.ours.ohr("check", expect=1).stdout
    assert said in told
    assert "OHR046" in told
    assert "recipes/child/recipe.yaml:7:11" in told
    assert said in exchange.ours.ohr("lock", "child", expect=1).stderr


def test_an_index_that_cannot_be_trusted_is_never_passed_over(exchange: Exchange) -> None:
    web = exchange.acme.web
    web.files = {
        path: content[:-9] + b"x" * 9 if path.endswith(".zst") else content
        for path, content in web.files.items()
    }
    for verb in ("check", "lock", "show"):
        exchange.ours.ohr(verb, "child", expect=4)


def test_a_module_that_extends_another_registry_itself_is_not_passed_on(exchange: Exchange) -> None:
    ours, acme = exchange.ours, exchange.acme
    with serving() as web:
        ours.web = web
        ours.open_index()
        ours.release("child", "1.0.0")
        settings = acme.root / "recipes" / "registry.yaml"
        root = acme.root / "recipes" / "trust" / "ours.json"
        root.parent.mkdir()
        shutil.copy(ours.site / "metadata" / "1.root.json", root)
        settings.write_text(
            settings.read_text() + f"\nregistries: {{ours: {{url: {web.url}, root: trust/ours.json}}}}\n"
        )
        acme.write("tools", extends="ours/child", version="1.2.0")
        told = acme.ohr("check", "tools", expect=1).stdout
        assert "ours/child 1.0.0-r1 is not kept for others to extend" in told


def test_the_index_keeps_what_others_need_and_verifies(exchange: Exchange) -> None:
    acme = exchange.acme
    exchange.ours.ohr("lock", "child")
    kept = exchange.ours.parents("child")["acme/tools"]["kept"]
    assert isinstance(kept, dict)
    info = acme.ohr("index", "verify", "--index", str(acme.site), "--format", "json").json
    assert not [path for path in info["stray"] if kept["digest"].removeprefix("sha256:") in path]
    (acme.site / "blobs" / kept["digest"][7:9] / kept["digest"][7:]).write_bytes(b"something else")
    acme.ohr("index", "verify", "--index", str(acme.site), expect=4)


def test_recipes_travel_to_processes_that_are_not_forked(exchange: Exchange) -> None:
    root, cache = exchange.ours.root, exchange.ours.folder / "cache"
    store = World(settings_from(root=root, cache=cache, log_format="text", verbosity=-1, color="never")).store
    there = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    assert (there.names(), there.registries) == (store.names(), None)
