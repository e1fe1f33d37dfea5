"""Newly locked files are compared with what their sources say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.cli.settings import Settings
from openhands_recipes.cli.world import World
from openhands_recipes.compile.pin import read_lock
from openhands_recipes.errors import DownloadError, VerificationError
from openhands_recipes.flows.gate_online import Sources, ask_sources
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.gate import Change
from openhands_recipes.model.lock import BuildRequirement, Built, Deb, Lock, PlatformLock, Tarball, Wheel
from openhands_recipes.ports import DebianState, PackageList, Stage, Wanted
from openhands_recipes.publish.gate.case import Case, LockFacts, Side, TouchedFile, TouchedRecipe
from openhands_recipes.publish.gate.sources import sources_agree
from tests.fakes import QuietProgress
from tests.integration.gate.registry import deb, registry

INTEGRITY = "sha512-" + "A" * 86 + "=="


def lock_with(platform: PlatformLock) -> Lock:
    lock = read_lock(registry()["recipes/base/recipe.lock.json"], file="")
    return lock.model_copy(update={"platforms": {"linux/amd64": platform}})


def case_of(lock: Lock, before: Lock | None = None) -> Case:
    file = TouchedFile(Change("recipes/base/recipe.lock.json", 0, 0o100644, "", "1" * 40), b"{}", 2)
    old = Side(lock=LockFacts(lock=before)) if before else None
    recipe = TouchedRecipe("base", (file,), old, Side(lock=LockFacts(lock=lock)))
    return Case("b" * 40, "a" * 40, "2026-11-24", (file,), (), (recipe,))


class Archive:
    """Package lists made of some .debs."""

    def __init__(self, *debs: Deb) -> None:
        stanzas = [f"\nPackage: {d.name}\nFilename: {d.path}\nSize: 1\nSHA256: {d.sha256}\n" for d in debs]
        self.lists = (PackageList("trixie", "amd64", "\n".join(["", *stanzas]).encode()),)

    def state(self, suites: Sequence[str], architectures: Sequence[str], **_: object) -> DebianState:
        assert architectures == ["amd64"]
        return DebianState(tuple(suites), "", digest_of(b""), self.lists)


class Fetching:
    """Downloads that know what is where."""

    def __init__(self, answers: dict[str, Exception | None]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def fetch(
        self,
        wanted: Sequence[Wanted],
        *,
        stage: Stage | None = None,
        on_ready: Callable[[Wanted, Path], None] | None = None,
    ) -> int:
        assert (stage is not None, on_ready) == (True, None)
        self.asked += [one.name for one in wanted]
        for one in wanted:
            error = self.answers.get(one.name)
            if error is not None:
                raise error
        return 1


def ask(case: Case, archive: Archive, fetching: Fetching) -> list[tuple[str, str]]:
    @contextmanager
    def fresh() -> Iterator[Fetching]:
        yield fetching

    answers = ask_sources(case, Sources(lambda: archive, fresh, QuietProgress()))
    return [(answer.file.rpartition("/")[2], answer.verdict) for answer in answers]


def test_debs_are_held_to_the_signed_lists_and_fetched_when_those_are_silent() -> None:
    good, changed, gone, kept = deb("git"), deb("jq"), deb("curl"), deb("bash")
    listed = changed.model_copy(update={"sha256": "ab" * 32})
    fetching = Fetching({"curl": DownloadError("no mirror has it")})
    lock = lock_with(PlatformLock(debs=(good, changed, gone, kept)))
    case = case_of(lock, before=lock_with(PlatformLock(debs=(kept,))))
    assert ask(case, Archive(good, listed), fetching) == [
        ("git_1.0-1_amd64.deb", "same"),
        ("jq_1.0-1_amd64.deb", "other"),
        ("curl_1.0-1_amd64.deb", "missing"),
    ]
    assert fetching.asked == ["curl"]


def test_language_packages_are_fetched_anew_and_of_built_ones_what_builds_them() -> None:
    tools = BuildRequirement(
        name="setuptools", version="1", file="setuptools-1-py3-none-any.whl", size=1, sha256="1" * 64
    )
    built = Built(file="b-1.tar.gz", size=1, sha256="2" * 64, requirements=(tools,))
    plain = Wheel(name="a", version="1", file="a-1-py3-none-any.whl", size=1, sha256="3" * 64, into="python")
    made = plain.model_copy(update={"name": "b", "file": "b-1-py3-none-any.whl", "built_from": built})
    npm = Tarball(name="c", version="1", file="c-1.tgz", integrity=INTEGRITY, size=1, sha256="4" * 64)
    case = case_of(lock_with(PlatformLock(wheels=(plain, made), tarballs=(npm,))))
    fetching = Fetching({"a-1-py3-none-any.whl": VerificationError("other bytes")})
    answers = dict(ask(case, Archive(), fetching))
    assert answers == {
        "c-1.tgz": "same", "a-1-py3-none-any.whl": "other", "setuptools-1-py3-none-any.whl": "same",
    }  # fmt: skip


def test_nothing_is_asked_when_no_lock_changed() -> None:
    case = case_of(lock_with(PlatformLock(debs=(deb("git"),))))
    recipe = case.recipes[0]
    still = TouchedRecipe("base", (), recipe.before, recipe.after)
    assert ask(Case("b", "a", "2026-11-24", (), (), (still,)), Archive(), Fetching({})) == []


@pytest.mark.online
def test_a_real_mirror_confirms_what_it_has_and_refutes_the_rest(tmp_path: Path) -> None:
    world = World(Settings(root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state"))
    (packages, *_) = world.archive.state(("trixie",), ("amd64",)).lists
    stanza = packages.content[packages.content.index(b"\nPackage: hello\n") :].split(b"\n\n")[0].decode()
    said = dict(line.split(": ", 1) for line in stanza.strip().split("\n") if ": " in line)
    good = deb("hello").model_copy(
        update={"path": said["Filename"], "sha256": said["SHA256"], "size": int(said["Size"])}
    )
    moved = deb("hello", "0.0-0").model_copy(update={"path": "pool/main/h/hello/hello_0.0-0_amd64.deb"})
    tampered = good.model_copy(update={"sha256": "ab" * 32})
    for lock, expected in (((good,), "same"), ((tampered,), "other"), ((moved,), "missing")):
        lock_of = lock_with(PlatformLock(debs=lock))
        case = case_of(
            lock_of.model_copy(update={"debian": lock_of.debian.model_copy(update={"suites": ("trixie",)})})
        )
        (answer,) = ask_sources(case, world.gate_sources())
        assert answer.verdict == expected, answer
        codes = [f.code for f in sources_agree(Case(**{**vars(case), "online": (answer,)}))]
        assert codes == {"same": [], "other": ["OHR264"], "missing": ["OHR265"]}[expected]
    assert CacheDir(tmp_path / "cache").root.is_dir()
