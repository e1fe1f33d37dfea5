"""A verdict as people and machines read it: text, JSON (schema 1), GitHub's workflow commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from openhands_recipes.model.gate import Demand, Finding, Verdict
from openhands_recipes.model.gate_proof import Proven
from openhands_recipes.publish.gate.rules import RULES, Code, rule_of

PAGE = "docs/errors/{code}.md"
WORDS = {"error": "error", "human": "needs a human", "warning": "warning", "note": "note"}
ANNOTATION = {"error": "error", "human": "warning", "warning": "warning", "note": "notice"}
SUMMARY = {"pass": "pass", "fail": "fail", "needs-human": "needs a human"}


def as_json(verdict: Verdict) -> str:
    """The verdict document, schema 1; docs/gate.md describes it."""
    return json.dumps(document_of(verdict), indent=2, ensure_ascii=False)


def document_of(verdict: Verdict) -> dict[str, Any]:
    """The same as a JSON value."""
    lane = verdict.lane
    return {
        "schema": 1,
        "verdict": verdict.outcome,
        "base": verdict.base,
        "head": verdict.head,
        "stages": {"run": list(verdict.stages), "not_run": [vars_of(n) for n in verdict.not_run]},
        "recipes": list(verdict.recipes),
        "dependants": {name: list(found) for name, found in verdict.dependants.items()},
        "findings": [_finding(f) for f in verdict.findings],
        "tolerated": [_finding(f) for f in verdict.tolerated],
        "skipped": [_finding(f) for f in verdict.skipped],
        "skips": [vars_of(skip) for skip in verdict.skips],
        "lane": None
        if lane is None
        else {
            "name": lane.name,
            "reason": lane.reason,
            "demands": [{**vars_of(d), "met": d.is_met} for d in lane.demands],
            "wait_until": lane.wait_until,
        },
        "may_approve": list(verdict.may_approve),
        "fixed": list(verdict.fixed),
        "proven": [asdict(proven) | {"same": proven.same} for proven in verdict.proven],
        "comment": verdict.comment or None,
    }


def vars_of(model: Any) -> dict[str, Any]:  # noqa: ANN401 - any of our models
    """A model as a JSON value."""
    value: dict[str, Any] = model.model_dump(mode="json")
    return value


def _finding(found: Finding) -> dict[str, Any]:
    rule = rule_of(found.code)
    return {
        **vars_of(found),
        "stage": rule.stage,
        "title": title_of(found.code),
        "page": PAGE.format(code=found.code),
    }


def title_of(code: str) -> str:
    """What a rule is about."""
    return RULES[Code(code)].title if code in RULES else "A fault of the recipe"


def as_text(verdict: Verdict) -> str:
    """The verdict for people: what stops it first, then what is missing, then the verdict."""
    parts = [_paragraph(found) for found in verdict.findings]
    quiet = [
        f"{len(found)} {word}: {', '.join(sorted({f.code for f in found}))}"
        for found, word in ((verdict.tolerated, "tolerated by the ratchet"), (verdict.skipped, "skipped"))
        if found
    ]
    parts += ["\n".join([*quiet, *_about(verdict)])]
    return "\n\n".join(parts)


def _paragraph(found: Finding) -> str:
    lines = [f"{WORDS[found.severity]}[{found.code}]: {found.message}"]
    if found.where:
        lines.append(f"  --> {found.where}")
    if found.hint:
        lines.append(f"  hint: {found.hint}")
    if found.severity in {"error", "human"}:
        lines.append(f"  page: {PAGE.format(code=found.code)}")
    return "\n".join(lines)


def _about(verdict: Verdict) -> Iterator[str]:
    for skip in verdict.skips:
        yield f"skip: {skip.rule} for '{skip.path}' until {skip.expires}, by {skip.by}: {skip.reason}"
    for name, found in verdict.dependants.items():
        shown = ", ".join(found[:8]) + (f" and {len(found) - 8:,} more" if len(found) > 8 else "")
        yield f"dependants of {name}: {shown}"
    if verdict.lane is not None:
        yield f"lane: {verdict.lane.name} ({verdict.lane.reason})"
        yield from (f"  {_demand(demand)}" for demand in verdict.lane.demands)
    yield from (_proven(proven) for proven in verdict.proven if proven.image is not None)
    yield from (
        f"not run: {left.stage} ({left.reason})" for left in verdict.not_run if left.stage != "D online"
    )
    if verdict.fixed:
        yield f"mended: {', '.join(verdict.fixed)}; judge again after committing"
    what = ", ".join(verdict.recipes) or "no recipe"
    errors = sum(found.severity == "error" for found in verdict.findings)
    count = f", {errors} error{'s' * (errors != 1)}" if errors else ""
    yield f"{SUMMARY[verdict.outcome]}: {what}, stages {''.join(verdict.stages)}{count}"


def _proven(proven: Proven) -> str:
    size = proven.image.size if proven.image else 0
    twice = "" if proven.same is None else f", {'twice the same' if proven.same else 'twice, not the same'}"
    held = (
        f", {sum(c.ok for c in proven.checks)} of {len(proven.checks)} checks hold" if proven.checks else ""
    )
    return f"proven: {proven.recipe} {proven.platform}, {size:,} bytes{twice}{held}"


def _demand(demand: Demand) -> str:
    state = "agreed" if demand.is_met else f"{len(demand.given)} of {demand.count}"
    given = f" ({', '.join(map(str, demand.given))})" if demand.given else ""
    return f"{demand.by}: {state}{given}"


def as_annotations(verdict: Verdict) -> str:
    """GitHub's workflow commands, one a finding, and the verdict as the last."""
    lines = [_annotation(found) for found in verdict.findings]
    lines.append(f"::notice title=gate::{SUMMARY[verdict.outcome]}")
    return "\n".join(lines)


def _annotation(found: Finding) -> str:
    place = [f"file={_property(found.file)}"] if found.file else []
    if found.line:
        place.append(f"line={found.line}")
    place.append(f"title={_property(f'{found.code} {title_of(found.code)}')}")
    message = found.message + (f"\nhint: {found.hint}" if found.hint else "")
    return f"::{ANNOTATION[found.severity]} {','.join(place)}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
