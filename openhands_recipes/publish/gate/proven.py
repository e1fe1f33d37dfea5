"""Stages G and H: what building twice and running the result showed. Looks at facts; builds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from openhands_recipes.model.gate import Finding, Severity
from openhands_recipes.model.gate_proof import Proven, Suite
from openhands_recipes.model.gate_settings import Budget
from openhands_recipes.publish.gate.rules import Code, finding

SHOWN = 4
CODES: Mapping[Suite, Code] = {
    "tests": Code.TEST_FAILS,
    "contract": Code.CONTRACT,
    "live": Code.CONTRACT,
    "commands": Code.NO_COMMAND,
    "account": Code.ROOT_INSIDE,
    "network": Code.NETWORK_OPEN,
}
HINTS: Mapping[Suite, str] = {
    "tests": "`ohr test {name}` shows its output",
    "contract": "`ohr test {name}` shows every rule; docs/contract.md explains them",
    "live": "`ohr test {name}` shows every rule; docs/contract.md explains them",
    "commands": "name a command that a package or application brings",
    "account": "extend 'base', or give 'user'",
    "network": "the sandbox of this machine is not closed: judge on another one, and tell the project",
}


def built(proofs: Iterable[Proven], budget: Budget) -> Iterator[Finding]:
    """Every changed recipe builds, to the same bytes every time, and is not suddenly large."""
    for proven in proofs:
        file = f"recipes/{proven.recipe}/recipe.lock.json"
        if proven.problem:
            message = f"'{proven.recipe}' cannot be built for {proven.platform}: {proven.problem}"
            yield finding(Code.NOT_BUILT, message, f"recipes/{proven.recipe}/recipe.yaml", hint=proven.hint)
        yield from _twice(proven, file)
        yield from _growth(proven, budget, file)
        if proven.elsewhere:
            nothing = proven.image is None and not proven.problem
            where = ", ".join(proven.elsewhere)
            message = f"'{proven.recipe}' was not built and tested for {where}: this machine cannot"
            hint = "run these stages on such a machine as well" if nothing else None
            severity: Severity = "human" if nothing else "note"
            yield finding(Code.ELSEWHERE, message, file, hint=hint, severity=severity)


def _twice(proven: Proven, file: str) -> Iterator[Finding]:
    if proven.same is not False or proven.image is None or proven.again is None:
        return
    pairs = zip(proven.image.layers, proven.again.layers, strict=False)
    different = sum(first != second for first, second in pairs)
    message = (
        f"'{proven.recipe}' was built twice for {proven.platform}: {proven.image.digest} and "
        f"{proven.again.digest}; {different} of {len(proven.image.layers)} layers differ"
    )
    yield finding(Code.TWO_RESULTS, message, file, hint="`ohr build --cache` in two folders shows it again")


def _growth(proven: Proven, budget: Budget, file: str) -> Iterator[Finding]:
    if proven.image is None or proven.before is None:
        return
    old, new = proven.before.size, proven.image.size
    grown = new - old
    percent = 100 * grown / old if old else 0.0
    if grown <= budget.ignored_bytes or (percent <= budget.percent and grown <= budget.bytes):
        return
    message = f"the image of '{proven.recipe}' grows from {old:,} to {new:,} bytes ({percent:+.0f} %)"
    hint = "say in the pull request what it is needed for, or leave it out"
    yield finding(Code.GROWS, message, file, hint=hint)


def held(proofs: Iterable[Proven]) -> Iterator[Finding]:
    """Every image does what its recipe and the contract promise, not as root, and without network."""
    for proven in proofs:
        failed: dict[Suite, list[str]] = {}
        for check in proven.checks:
            if not check.ok:
                failed.setdefault(check.suite, []).append(f"{check.name} ({check.reason})"[:200])
        for suite, found in failed.items():
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            message = f"'{proven.recipe}', {suite}: {'; '.join(found[:SHOWN])}{more}"
            hint = HINTS[suite].format(name=proven.recipe)
            yield finding(CODES[suite], message, f"recipes/{proven.recipe}/recipe.yaml", hint=hint)
