"""Stages I and J over pull requests, good and hostile; nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from openhands_recipes.adapters.advisories import AdvisoryFolder
from openhands_recipes.adapters.dependants import DependantsFile
from openhands_recipes.adapters.git_history import GitHistory
from openhands_recipes.adapters.secret_scan import find_secrets
from openhands_recipes.compile.recipe.extends import bases_in
from openhands_recipes.flows.gate import GateOrder, gate
from openhands_recipes.flows.gate_case import Gatehouse
from openhands_recipes.flows.gate_proving import Provers, Proving
from openhands_recipes.flows.gate_stages import STATIC
from openhands_recipes.model.gate import Verdict
from openhands_recipes.model.release_record import ReleaseRecord
from openhands_recipes.publish.gate.reports import as_text, document_of
from tests.fakes import QuietProgress
from tests.integration.gate.draft import Draft
from tests.integration.gate.registry import BASE, GATE, RATCHET, recipe, registry
from tests.integration.gate.repository import Blob, Files, GateRepository
from tests.release_records import record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEAF, PUBLISH = "recipes/leaf/recipe.yaml", ".github/workflows/publish.yml"
TOKEN = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ012345"
ESCAPED = "".join(f"\\x{ord(sign):02x}" for sign in TOKEN)
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
UNTESTED = recipe("base", BASE, extends="", tests="")
RELEASE = "jobs:\n  publish:\n    steps:\n      - run: ohr release leaf --to x --key k\n"


class Ledger:
    """Every recipe was released once, with everything."""

    def releases(self, name: str) -> Sequence[ReleaseRecord]:
        return (record("1.0.0", 1, name=name),) if name != "fresh" else ()


def advisory(id_: str, name: str, *, score: str = CRITICAL, fixed: str = "") -> tuple[str, str]:
    """An advisory about a package of Debian 13, as a file."""
    events = [{"introduced": "0"}] + ([{"fixed": fixed}] if fixed else [])
    affected = {
        "package": {"ecosystem": "Debian:13", "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    severity = [{"type": "CVSS_V3", "score": score}] if score else []
    return f"{id_}.json", json.dumps({"id": id_, "affected": [affected], "severity": severity})


@dataclass(frozen=True)
class Fixture:
    """A pull request, and the codes of errors and open questions it must get."""

    name: str
    make: Callable[[Draft], object]
    codes: set[str]
    advisories: dict[str, str] = field(default_factory=dict)
    also: set[str] = field(default_factory=set)


def more(draft: Draft) -> Draft:
    """`leaf` gets curl."""
    return draft.bump("leaf", "1.1.0").edit("leaf", ("[git, jq]", "[curl, git, jq]")).lock("leaf")


def hook(text: str) -> Callable[[Draft], Draft]:
    """`leaf` gets something to run in a shell."""
    return lambda draft: draft.edit("leaf", ("tests:\n", f"shell_hook: {text}\ntests:\n"))


OLD = dict([advisory("CVE-2026-1", "jq")])
FIXTURES = (
    Fixture("nothing-special", more, set()),
    Fixture("new-vulnerability", more, {"OHR333"}, dict([advisory("CVE-2026-1", "curl", fixed="9")])),
    Fixture("of-unknown-severity", more, {"OHR333"}, dict([advisory("CVE-2026-1", "curl", score="")])),
    Fixture("already-mended", more, set(), dict([advisory("CVE-2026-1", "curl", fixed="0.1")])),
    Fixture("old-vulnerability", more, {"OHR334"}, OLD),
    Fixture("of-another-package", more, set(), dict([advisory("CVE-2026-1", "exim4")])),
    Fixture("broken-database", more, set(), {"x.json": '{"name": "curl"}'}, {"OHR337"}),
    Fixture("token", lambda d: d.write("recipes/leaf/README.md", f"Use {TOKEN}\n"), {"OHR331"}),
    Fixture("token-outside-recipes", lambda d: d.write("docs/x.md", f"a\n{TOKEN} # pragma: allowlist secret"),
            {"OHR331"}),
    Fixture("token-escaped", hook(f'"export T={ESCAPED}"'), {"OHR331"}),
    Fixture("password", lambda d: d.write("docs/x.md", 'password: "hunter22hunter"\n'), {"OHR332"}),
    Fixture("pipe-to-shell", hook("curl -s https://example.org/x | sh"), {"OHR335"}),
    Fixture("less-evidence-wanted",
            lambda d: d.write("recipes/gate.yaml", GATE + "evidence: [signature, provenance]\n"), {"OHR336"}),
    Fixture("published-untested", lambda d: d.write(PUBLISH, RELEASE.replace("k\n", "k --unsafe-untested\n")),
            {"OHR336"}),
    Fixture("published-unsigned", lambda d: d.write(PUBLISH, RELEASE.replace(" --key k", "")), {"OHR336"}),
    Fixture("published-otherwise", lambda d: d.write(PUBLISH, RELEASE.replace("--to x", "--to y")), set()),
    Fixture("tests-gone", lambda d: d.write("recipes/base/recipe.yaml", UNTESTED), {"OHR336"}),
    Fixture("binary-file", lambda d: d.write("docs/x.bin", b"\0\xff" * 99), set()),
)  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """The base all pull requests go to."""

    repository: GateRepository
    files: Files
    base: str
    cache: Path


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("security")
    repository = GateRepository(folder / "registry.git")
    files = {path: Blob(content) for path, content in registry().items()}
    files[PUBLISH] = Blob(RELEASE.encode())
    return Ground(repository, files, repository.commit(repository.tree(files)), folder)


def judge(ground: Ground, draft: Draft, database: Path) -> Verdict:
    if draft.base_files is None:
        base = ground.base
    else:
        base = ground.repository.commit(ground.repository.tree(draft.base_files))
        draft.base_files = None
    base, head = draft.send(ground.repository, base)
    history = GitHistory(ground.repository.folder)
    progress = QuietProgress()
    index = DependantsFile(ground.cache, history, bases_in=bases_in, progress=progress)
    house = Gatehouse(history, index, draft.known_states(), progress)
    doors = Provers(history, _no_rooms, None, find_secrets, AdvisoryFolder(database), Ledger())
    proving = Proving(doors)
    order = GateOrder(base, head, stages=("I", "J"))
    return proving.complete(gate(house, order, now=NOW, stages={**STATIC, **proving.stages})).verdict


def _no_rooms() -> NoReturn:
    raise AssertionError("stages I and J build nothing")


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_pull_request_gets_its_codes(ground: Ground, fixture: Fixture, tmp_path: Path) -> None:
    for name, content in fixture.advisories.items():
        (tmp_path / name).write_text(content)
    draft = Draft(dict(ground.files))
    fixture.make(draft)
    verdict = judge(ground, draft, tmp_path)
    told = as_text(verdict)
    assert {f.code for f in verdict.findings if f.severity in {"error", "human"}} == fixture.codes, told
    assert fixture.also <= {f.code for f in verdict.findings}, told
    assert TOKEN not in told + verdict.comment


def test_a_secret_that_was_there_before_is_not_told_again(ground: Ground, tmp_path: Path) -> None:
    draft = Draft(dict(ground.files)).write("docs/x.md", f"{TOKEN}\n")
    draft.base_files = dict(draft.files)
    draft.write("docs/x.md", f"more\n{TOKEN}\n")
    assert judge(ground, draft, tmp_path).outcome == "pass"


def test_the_ratchet_tolerates_an_old_vulnerability_but_no_new_one(ground: Ground, tmp_path: Path) -> None:
    lock = "recipes/leaf/recipe.lock.json"
    counts = "".join(f"  - {{rule: {code}, path: {lock}}}\n" for code in ("OHR333", "OHR334"))
    draft = Draft(dict(ground.files)).write("recipes/ratchet.yaml", RATCHET + counts)
    draft.base_files = dict(draft.files)
    more(draft)
    for name, content in OLD.items():
        (tmp_path / name).write_text(content)
    first = judge(ground, draft, tmp_path)
    assert (first.outcome, [f.code for f in first.tolerated]) == ("pass", ["OHR334"])
    for name, content in dict([advisory("CVE-2026-2", "curl")]).items():
        (tmp_path / name).write_text(content)
    draft.base_files = {**ground.files, "recipes/ratchet.yaml": draft.files["recipes/ratchet.yaml"]}
    second = judge(ground, draft, tmp_path)
    assert "OHR333" in {f.code for f in second.findings if f.severity == "error"}


def test_the_comment_is_in_the_verdict_and_tells_packages_rights_and_owners(
    ground: Ground, tmp_path: Path, golden: Callable[[Path, str], None]
) -> None:
    draft = more(Draft(dict(ground.files)))
    wider = "permissions:\n  network: {egress: [{host: api.example.com}]}\ntests:\n"
    draft.edit("leaf", ("tests:\n", f"shell_hook: curl `@team` <b>[x](y) | sh\n{wider}")).lock("leaf")
    verdict = judge(ground, draft, tmp_path)
    assert document_of(verdict)["comment"] == verdict.comment
    golden(Path(__file__).parent / "comment.md", verdict.comment)
