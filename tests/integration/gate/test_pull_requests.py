"""Every pull request of the fixtures gets its verdict, with its codes and no others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openhands_recipes.adapters.dependants import DependantsFile
from openhands_recipes.adapters.git_history import GitHistory
from openhands_recipes.compile.recipe.extends import bases_in
from openhands_recipes.flows.gate import GateOrder, gate
from openhands_recipes.flows.gate_case import Gatehouse
from openhands_recipes.model.gate import Verdict
from openhands_recipes.publish.gate.reports import as_text
from tests.fakes import QuietProgress
from tests.integration.gate.draft import Draft, PullRequest
from tests.integration.gate.fixtures import hostile_content, hostile_shape, people
from tests.integration.gate.registry import registry
from tests.integration.gate.repository import Blob, Files, GateRepository

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIXTURES = (*hostile_shape.FIXTURES, *hostile_content.FIXTURES, *people.FIXTURES)


@dataclass(frozen=True)
class Ground:
    """The base all pull requests go to."""

    repository: GateRepository
    files: Files
    base: str
    cache: Path


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("gate")
    repository = GateRepository(folder / "registry.git")
    files = {path: Blob(content) for path, content in registry().items()}
    base = repository.commit(repository.tree(files))
    repository.branch("main", base)
    return Ground(repository, files, base, folder)


def judge(ground: Ground, draft: Draft) -> Verdict:
    base, head = draft.send(ground.repository, ground.base)
    history = GitHistory(ground.repository.folder)
    progress = QuietProgress()
    index = DependantsFile(ground.cache, history, bases_in=bases_in, progress=progress)
    house = Gatehouse(history, index, draft.known_states(), progress)
    order = GateOrder(base, head, submission=draft.submission(base, head))
    return gate(house, order, now=NOW).verdict


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_pull_request_gets_its_verdict_and_codes(ground: Ground, fixture: PullRequest) -> None:
    draft = Draft(dict(ground.files))
    fixture.make(draft)
    verdict = judge(ground, draft)
    told = as_text(verdict)
    assert {f.code for f in verdict.findings if f.severity in {"error", "human"}} == fixture.codes, told
    assert verdict.outcome == fixture.verdict, told
    assert fixture.also <= {f.code for f in verdict.findings if f.severity in {"warning", "note"}}, told
    if fixture.lane:
        assert verdict.lane is not None
        assert verdict.lane.name == fixture.lane, told
    if fixture.may_approve is not None:
        assert set(verdict.may_approve) == fixture.may_approve, told


def test_there_are_fifty_of_them_at_least_with_names_of_their_own() -> None:
    assert len({fixture.name for fixture in FIXTURES}) == len(FIXTURES) >= 50
    assert {"pass", "fail", "needs-human"} == {fixture.verdict for fixture in FIXTURES}
