"""Stage J: what a reviewer wants to know, as a Markdown comment. Says what is; judges nothing.

Same verdict, same text. Every word of a recipe, lock or commit is quoted (`markdown.code`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from openhands_recipes.model.gate import Demand, Finding, Verdict
from openhands_recipes.model.gate_proof import ImageFacts, Proven
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.owners import Owners
from openhands_recipes.publish.gate.case import Case, TouchedRecipe
from openhands_recipes.publish.gate.kinds import differences
from openhands_recipes.publish.gate.lanes import REVIEWERS, owners_of
from openhands_recipes.publish.gate.markdown import Section, cell, code, fit
from openhands_recipes.publish.gate.permissions import rights_before
from openhands_recipes.publish.gate.reports import SUMMARY
from openhands_recipes.publish.gate.rights import Rights, rights_of, wider

MARK = "<!-- ohr gate -->"
"""First line of the comment, so that the next run finds and replaces it."""
SIGNS = {"error": "❌ error", "human": "👀 needs a human", "warning": "⚠️ warning", "note": "note"}
SHOWN = 30


def comment(verdict: Verdict, case: Case, names: Mapping[int, str]) -> str:
    """The whole comment, at most as long as GitHub takes. `names`: numeric id -> account."""
    what = ", ".join(code(name) for name in verdict.recipes[:SHOWN]) or "no recipe"
    opening = (
        f"{MARK}\n## Gate: {SUMMARY[verdict.outcome]}\n\n{what}; `{verdict.base[:12]}` to "
        f"`{verdict.head[:12]}`, stages {' '.join(verdict.stages)}"
    )
    proofs = {proven.recipe: proven for proven in verdict.proven}
    return fit(opening, _sections(verdict, case, names, proofs))


def _sections(
    verdict: Verdict, case: Case, names: Mapping[int, str], proofs: Mapping[str, Proven]
) -> Iterator[Section]:
    if verdict.lane is not None:
        yield Section("Who must agree", tuple(_people(verdict, names)))
    elif case.owners is not None and case.recipes:
        yield Section("Who may approve", tuple(_owners(case, case.owners, names)))
    if verdict.findings:
        yield Section("Findings", tuple(map(_finding, verdict.findings)))
    for recipe in case.recipes:
        yield from _recipe(recipe, proofs.get(recipe.name))
    if verdict.dependants:
        yield Section("Builds on it", tuple(_dependants(verdict)))
    if verdict.not_run:
        yield Section(
            "Not judged", tuple(f"- {code(left.stage)}: {code(left.reason)}" for left in verdict.not_run)
        )
    lifted = [("tolerated by the ratchet", verdict.tolerated), ("skipped", verdict.skipped)]
    lines = [f"- {code(f.code)} {word}: {code(f.message)}" for word, found in lifted for f in found]
    if lines:
        yield Section("Lifted", lines)


def _people(verdict: Verdict, names: Mapping[int, str]) -> Iterator[str]:
    lane = verdict.lane
    if lane is None:
        return
    yield f"- lane **{lane.name}**: {code(lane.reason)}"
    for demand in lane.demands:
        yield f"- {'✅' if demand.is_met else '⬜'} {code(demand.by)}: {_given(demand, names)}"
    if lane.wait_until:
        yield f"- stays open until `{lane.wait_until}`"
    if verdict.may_approve:
        yield f"- may approve: {_names(verdict.may_approve, names)}"
    elif not lane.demands:
        yield "- nobody has to"


def _owners(case: Case, owners: Owners, names: Mapping[int, str]) -> Iterator[str]:
    """Without the forge's event nobody knows what is missing, but who answers for a recipe."""
    for recipe in case.recipes:
        yield f"- {code(recipe.name)}: {_names(sorted(owners_of(recipe, owners)), names) or 'nobody yet'}"
    yield f"- reviewers: {_names(sorted(owners.members(REVIEWERS)), names) or 'nobody'}"


def _given(demand: Demand, names: Mapping[int, str]) -> str:
    agreed = f", agreed: {_names(demand.given, names)}" if demand.given else ""
    return f"{len(demand.given)} of {demand.count}{agreed}"


def _names(people: Iterable[int], names: Mapping[int, str]) -> str:
    return ", ".join(code(f"{names[p]} ({p})" if p in names else str(p)) for p in people)


def _finding(found: Finding) -> str:
    place = f" in {code(found.where)}" if found.where else ""
    hint = f"; {code(found.hint)}" if found.hint else ""
    return f"- {SIGNS[found.severity]} `{found.code}`{place}: {code(found.message)}{hint}"


def _dependants(verdict: Verdict) -> Iterator[str]:
    for name, found in sorted(verdict.dependants.items()):
        more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
        yield f"- {code(name)}: {', '.join(code(other) for other in found[:SHOWN])}{more}"


# --- one recipe --------------------------------------------------------------------------------------


def _recipe(recipe: TouchedRecipe, proven: Proven | None) -> Iterator[Section]:
    name = code(recipe.name)
    if recipe.after is None:
        yield Section(f"{name} is removed", ())
        return
    old = recipe.before.recipe.version if recipe.before and recipe.before.recipe else ""
    new = recipe.after.recipe.version if recipe.after.recipe else "?"
    arrow = f"{code(old)} → {code(new)}" if old and old != new else code(new) + ("" if old else " (new)")
    yield Section(f"{name} {arrow}", [*_semantic(recipe), *_rights(recipe), *_image(proven)])
    changes = package_changes(_lock(recipe, before=True), _lock(recipe, before=False))
    if changes:
        rows = [
            f"| {c.kind} | {cell(c.name)} | {_cell(c.old)} | {_cell(c.new)} | {c.size:+,} |" for c in changes
        ]
        head = ("| | package | before | after | bytes |", "|---|---|---|---|---:|")
        total = sum(change.size for change in changes)
        yield Section(f"Packages of {name}: {len(changes)} changed, {total:+,} bytes", rows, head)


def _cell(text: str) -> str:
    return cell(text) if text else ""


def _lock(recipe: TouchedRecipe, *, before: bool) -> Lock | None:
    side = recipe.before if before else recipe.after
    return side.lock.lock if side else None


def _semantic(recipe: TouchedRecipe) -> Iterator[str]:
    before = recipe.before.composed if recipe.before else None
    after = recipe.after.composed if recipe.after else None
    if after is None:
        yield "- it cannot be composed; the findings say why"
    elif before is None:
        yield f"- extends {', '.join(map(code, after.recipe.extends)) or 'nothing'}"
    else:
        found = differences(before, after)
        yield from (f"- {difference.kind.word}: {code(difference.text)}" for difference in found)
        if not found:
            yield "- composed as before"


def _rights(recipe: TouchedRecipe) -> Iterator[str]:
    after = recipe.after.composed if recipe.after else None
    if after is None:
        return
    old, new = rights_before(recipe), rights_of(after)
    yield from (f"- **wider**: {code(more.text)}" for more in wider(old, new))
    yield from (f"- less: no longer {code(less.text)}" for less in wider(_amountless(new, old), old))


def _amountless(new: Rights, old: Rights) -> Rights:
    """The new rights with the old amounts: that it asks for less of them is no right gone."""
    return Rights(
        egress=new.egress, devices=new.devices, privileges=new.privileges, ports=new.ports,
        accounts=new.accounts, resources=old.resources, secrets=new.secrets, setuid=new.setuid,
    )  # fmt: skip


def _image(proven: Proven | None) -> Iterator[str]:
    if proven is None or proven.image is None:
        return
    image = proven.image
    yield f"- image for {code(proven.platform)}: `{image.digest}`, {_growth(proven.before, image)}"
    known = {digest for digest, _ in proven.before.layers} if proven.before else set()
    shared = [size for digest, size in image.layers if digest in known]
    own = [size for digest, size in image.layers if digest not in known]
    yield f"- layers: {len(own)} new ({sum(own):,} bytes), {len(shared)} shared ({sum(shared):,} bytes)"
    if proven.same is not None:
        yield f"- built twice: {'the same bytes' if proven.same else '**different bytes**'}"
    if proven.checks:
        yield f"- {sum(check.ok for check in proven.checks)} of {len(proven.checks)} checks hold"


def _growth(before: ImageFacts | None, image: ImageFacts) -> str:
    if before is None:
        return f"{image.size:,} bytes"
    grown = image.size - before.size
    percent = f", {100 * grown / before.size:+.1f} %" if before.size else ""
    return f"{before.size:,} → {image.size:,} bytes ({grown:+,}{percent})"


# --- packages ----------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class PackageChange:
    """One package that came, went or has another version."""

    kind: str
    name: str
    """With its source: `debian/curl`."""
    old: str
    new: str
    size: int
    """Bytes to download more than before."""


def package_changes(before: Lock | None, after: Lock | None) -> tuple[PackageChange, ...]:
    """What two locks of one recipe have other packages in, over all platforms; sorted."""
    old, new = _packages(before), _packages(after)
    return tuple(sorted(_changed(name, old.get(name), new.get(name)) for name in old.keys() | new.keys()
                        if old.get(name, ("", 0))[0] != new.get(name, ("", 0))[0]))  # fmt: skip


def _changed(name: str, old: tuple[str, int] | None, new: tuple[str, int] | None) -> PackageChange:
    kind = "added" if old is None else "removed" if new is None else "changed"
    (was, small), (is_, large) = old or ("", 0), new or ("", 0)
    return PackageChange(kind, name, was, is_, large - small)


def _packages(lock: Lock | None) -> dict[str, tuple[str, int]]:
    """`source/name` -> versions and bytes; of platforms that agree, once."""
    versions: dict[str, dict[str, int]] = {}
    for inputs in lock.platforms.values() if lock else ():
        every = [("debian", d.name, d.version, d.size) for d in inputs.debs]
        every += [("pypi", w.name, w.version, w.size) for w in inputs.wheels]
        every += [("npm", t.name, t.version, t.size) for t in inputs.tarballs]
        for source, name, version, size in every:
            known = versions.setdefault(f"{source}/{name}", {})
            known[version] = max(size, known.get(version, 0))
    return {name: (", ".join(sorted(found)), max(found.values())) for name, found in versions.items()}
