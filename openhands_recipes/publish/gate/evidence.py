"""Stage I, evidence: no release comes with less than the one before.

What a release has is decided by three things a pull request can change: the settings, the workflow that
releases, and whether the recipe has tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from openhands_recipes.model.gate import Finding
from openhands_recipes.model.gate_settings import GateSettings
from openhands_recipes.model.release_record import EvidenceKind, ReleaseRecord
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.rules import Code, finding

COMMAND = re.compile(r"\bohr\s+(?:-\S+\s+)*release\b(?:[^\n\\]|\\\n|\\[^\n])*")
SIGNED: tuple[EvidenceKind, ...] = ("signature", "provenance", "spdx", "cyclonedx", "tests")
HINT = "keep it: whoever verifies releases relies on it"


@dataclass(frozen=True)
class Publishing:
    """How releases were and would be made."""

    released: Mapping[str, frozenset[EvidenceKind]] = field(default_factory=dict)
    """Touched recipe -> what its newest release came with."""
    workflows: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Changed workflow -> its text before and after."""
    new_settings: GateSettings | None = None
    """If the pull request changes them."""


def evidence_of(record: ReleaseRecord) -> frozenset[EvidenceKind]:
    """What a release comes with."""
    kinds: set[EvidenceKind] = {one.kind for one in record.referrers}
    kinds |= {"signature", "provenance", "spdx"}
    return frozenset(kinds | {"tests"}) if record.evidence.tests is not None else frozenset(kinds - {"tests"})


def not_less(case: Case, publishing: Publishing) -> Iterator[Finding]:
    """What the settings demand and the last releases had stays."""
    demanded = frozenset(case.settings.evidence)
    for name, had in sorted(publishing.released.items()):
        recipe = case.recipe(name)
        side = recipe.after if recipe else None
        if recipe is not None and "tests" in had and side and side.composed and not side.composed.tests:
            message = f"the last release of '{name}' was proven by tests; this one has none left"
            yield finding(Code.LESS_EVIDENCE, message, recipe.file, hint="keep its tests")
    before = demanded.union(*publishing.released.values())
    if publishing.new_settings is not None:
        for kind in sorted(before - frozenset(publishing.new_settings.evidence)):
            message = f"releases would no longer have to come with '{kind}'"
            yield finding(Code.LESS_EVIDENCE, message, "recipes/gate.yaml", hint=HINT)
    for path, (old, new) in sorted(publishing.workflows.items()):
        for kind in sorted(before & (lost(old) | lost(new)) - lost(old)):
            message = f"releases made by it would come without '{kind}'"
            yield finding(Code.LESS_EVIDENCE, message, path, hint=HINT)


def lost(workflow: str) -> frozenset[EvidenceKind]:
    """What some release made by a workflow lacks."""
    return frozenset(
        kind for command in COMMAND.findall(_without_comments(workflow)) for kind in _lost(command)
    )


def _lost(command: str) -> Iterable[EvidenceKind]:
    if not re.search(r"--(?:key|keyless)\b", command):
        return SIGNED
    return ("tests",) if "--unsafe-untested" in command else ()


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)(?:^|\s)#.*$", "", text)
