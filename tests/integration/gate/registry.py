"""A small registry to send pull requests to: seven recipes with fresh locks, owners, settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import LockedLevel, digest_of_lock, parents_of, read_lock, write_lock
from openhands_recipes.flows.chain import Library
from openhands_recipes.model.digest import digest_of_json
from openhands_recipes.model.lock import Deb, DebianInputs, Lock, PlatformLock
from openhands_recipes.ports import StoredText

TREE = Path(__file__).parents[3]
ALICE, BOB, CAROL, DAVE, ERIN, MALLORY, BOT = 1001, 1002, 1003, 1004, 1005, 1666, 1999
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol", DAVE: "dave", ERIN: "erin", MALLORY: "mallory"}
DATE = "2026-11-22T02:09:05Z"

OWNERS = """\
# yaml-language-server: $schema=schema/owners.schema.json
schema: 1
groups:
  reviewers: [{github: bob, id: 1002}, {github: erin, id: 1005}]
  security: [{github: carol, id: 1003}]
  policy: [{github: dave, id: 1004}, {github: erin, id: 1005}, {github: carol, id: 1003}]
bots: [{github: lock-bot, id: 1999}]
paths:
  - {path: "**", groups: [policy]}
  - {path: "docs/**", groups: [reviewers]}
"""
GATE = """\
schema: 1
names: {reserved: [latest, registry], protected: [kotlin]}
gate-skips:
  - {rule: OHR240, path: "recipes/terse/**", reason: "being written", expires: 2026-12-31, by: 1004}
  - {rule: OHR240, path: "recipes/terser/**", reason: "was being written", expires: 2026-01-31, by: 1004}
  - {rule: OHR289, path: "recipes/debugger/**", reason: "ptrace needs root", expires: 2027-03-31, by: 1003}
  - {rule: OHR202, path: "**", reason: "links are nice", expires: 2099-01-01, by: 1004}
"""
RATCHET = """\
schema: 1
faults:
  - {rule: OHR240, path: recipes/old/recipe.yaml}
"""
HEAD = """\
# yaml-language-server: $schema=../../schema/recipe.schema.json
schema: 1
name: {name}
version: {version}
summary: {summary}
description: Made for the tests of the gate, so that a pull request has something to change.
license: Apache-2.0
maintainers: [{{github: {github}, id: {id}}}]
"""
TESTS = """\
tests:
  - name: it does its work
    run: echo work | tr a-z A-Z
    stdout: {equals: WORK}
"""
BASE = """\
packages: [bash, coreutils]
environment:
  LANG: C.UTF-8
user: {name: openhands, uid: 10001, gid: 10001}
workdir: /workspace
permissions:
  network: {egress: [debian-packages]}
resources: {cpu: "1", memory: 1Gi}
"""


def recipe(
    name: str,
    body: str = "",
    *,
    version: str = "1.0.0",
    owner: int = ALICE,
    summary: str = "Something to work with",
    tests: str = TESTS,
    extends: str = "extends: [base]\n",
) -> str:
    """A recipe's text in canonical form, if the body is."""
    head = HEAD.format(name=name, version=version, summary=summary, github=NAMES[owner], id=owner)
    return head + extends + body + tests


RECIPES = {
    "base": recipe("base", BASE, owner=BOB, extends=""),
    "python": recipe("python", "packages: [git]\n"),
    "node": recipe("node", "packages: [curl]\n", owner=BOB),
    "data": recipe("data", "packages: [jq]\n", extends='extends: ["python@^1.0"]\n'),
    "web": recipe("web", "packages: [ripgrep]\n", extends="extends: [python, node]\n"),
    "leaf": recipe("leaf", "packages: [git, jq]\n"),
    "old": recipe("old", "packages: [jq]\n").replace(
        "description: Made for the tests of the gate, so that a pull request has something to change.\n", ""
    ),
}


class Texts:
    """A recipe store over a dict of paths."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def _at(self, path: str) -> StoredText | None:
        return StoredText(path, self.files[path]) if path in self.files else None

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({p.split("/")[1] for p in self.files if p.endswith("/recipe.yaml")}))

    own_names = names

    def name_of(self, place: str) -> str:
        return place

    def recipe(self, name: str) -> StoredText | None:
        return self._at(f"recipes/{name}/recipe.yaml")

    def lock(self, name: str) -> StoredText | None:
        return self._at(f"recipes/{name}/recipe.lock.json")

    registries = None

    def settings(self) -> StoredText:
        return StoredText("recipes/registry.yaml", self.files["recipes/registry.yaml"])

    def package_table(self) -> StoredText:
        return StoredText("nixlib/packages.toml", self.files["nixlib/packages.toml"])

    def nixlib(self) -> dict[str, StoredText]:
        return {}

    def closure(self, name: str) -> StoredText | None:
        raise NotImplementedError

    def write_closure(self, name: str, content: bytes) -> str:
        raise NotImplementedError

    def write_lock(self, name: str, content: bytes) -> str:
        raise NotImplementedError

    def create(self, name: str, content: bytes, *, schema: bytes) -> str:
        raise NotImplementedError


def deb(name: str, version: str = "1.0-1") -> Deb:
    """A .deb that exists nowhere; its digest follows from its name and version."""
    return Deb(
        name=name, version=version, architecture="amd64", suite="trixie",
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        size=1000, installed_size=2000, source=name,
        sha256=digest_of_json([name, version]).partition(":")[2],
    )  # fmt: skip


def lock_of(files: Mapping[str, bytes], name: str, *, date: str = DATE) -> bytes:
    """A lock that belongs to a recipe and its parents, with one invented .deb for each package."""
    library = Library.of(Texts(files))
    composed = library.composed(name)
    levels = []
    for parent in composed.lineage[:-1]:
        content = files[f"recipes/{parent}/recipe.lock.json"]
        levels.append(
            LockedLevel(library.composed(parent), read_lock(content, file=""), digest_of_lock(content))
        )
    inputs = library.inputs(composed)
    below = {p for level in levels for p in level.lock.inputs["packages"]}
    debs = tuple(deb(package) for package in sorted(inputs["packages"]) if package not in below)
    lock = Lock(
        recipe=name, version=composed.version, recipe_digest=digest_of_json(inputs), inputs=inputs,
        parents=parents_of(levels), rules=current_rules(),
        debian=DebianInputs(suites=("trixie",), release_date=date, release=digest_of_json(date)),
        platforms={"linux/amd64": PlatformLock(debs=debs), "linux/arm64": PlatformLock()},
    )  # fmt: skip
    return write_lock(lock)


def registry() -> dict[str, bytes]:
    """Every file of the base."""
    files = {
        "OWNERS": OWNERS.encode(),
        "Makefile": b"help:\n",
        "docs/index.md": b"# Docs\n",
        "recipes/gate.yaml": GATE.encode(),
        "recipes/ratchet.yaml": RATCHET.encode(),
        "recipes/registry.yaml": (TREE / "recipes" / "registry.yaml").read_bytes(),
        "nixlib/packages.toml": (TREE / "nixlib" / "packages.toml").read_bytes(),
    }
    files |= {f"recipes/{name}/recipe.yaml": text.encode() for name, text in RECIPES.items()}
    for name in RECIPES:  # parents stand first
        files[f"recipes/{name}/recipe.lock.json"] = lock_of(files, name)
    return files
