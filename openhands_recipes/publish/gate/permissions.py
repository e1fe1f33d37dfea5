"""Stage E, permissions: what the composed recipe may do now and could not do before; widening needs people.

The composed recipe counts, so a right that comes in through a module's new version is found like one
that is written down, and recipes that build on the changed one are judged as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.gate import Finding
from openhands_recipes.model.recipe import EgressRule
from openhands_recipes.publish.gate.case import Case, TouchedRecipe
from openhands_recipes.publish.gate.paths import matches
from openhands_recipes.publish.gate.rights import Rights, Wider, rights_of, together, wider
from openhands_recipes.publish.gate.rules import RULES, Code, finding
from openhands_recipes.publish.gate.sources import spoken_texts

TOLD = 20
"""Dependants told one by one; of more, the number."""
SOCKET = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
HINT = "ask for the least, and say in the pull request why it is needed; two people must agree"
PUBLIC_SUFFIX_PARTS = 2
"""`*.example.com` is one organisation's; `*.com` and `*.co.uk` are everybody's."""
# fmt: off
SHARED = frozenset({
    "amazonaws.com", "azurewebsites.net", "appspot.com", "cloudfront.net", "github.io",
    "githubusercontent.com", "herokuapp.com", "netlify.app", "pages.dev", "vercel.app", "web.app",
    "workers.dev", "windows.net",
})
# fmt: on
"""Domains below which anybody may have a name."""


def rights_before(recipe: TouchedRecipe) -> Rights:
    """What was allowed so far; for a new recipe, what the recipes it extends may do."""
    if recipe.before is not None:
        return rights_of(recipe.before.composed) if recipe.before.composed else Rights()
    return together(rights_of(base) for base in recipe.bases)


def not_wider(case: Case) -> Iterator[Finding]:
    """A touched recipe may do no more than before, or people agree that it may."""
    for recipe, side in case.present:
        if side.composed is None:
            continue
        for more in wider(rights_before(recipe), rights_of(side.composed)):
            via = _source(side.composed, more)
            code = Code.DEPENDANT_WIDENS if recipe.only_locked else more.code
            message = f"'{recipe.name}' {more.text}{f' through its module {via!r}' if via else ''}"
            yield finding(code, message, recipe.file, hint=HINT)


def _source(composed: Composed, more: Wider) -> str:
    """The module that brings a right in, if the recipe itself does not say it."""
    place = more.text.split()[-1]
    for level in reversed(composed.levels):
        allowed = level.recipe.permissions
        said = {e if not isinstance(e, EgressRule) else e.host for e in allowed.network.egress}
        said |= {*allowed.devices, *allowed.privileges, *level.recipe.environment, *level.recipe.files}
        said |= {f"{port.port}/{port.protocol}" for port in level.recipe.ports}
        if place in said or place.partition(":")[0] in said:
            return "" if level.name == composed.name else level.name
    return ""


def dependants_not_wider(case: Case) -> Iterator[Finding]:
    """What builds on a touched recipe may do no more than before either."""
    told: Counter[str] = Counter()
    for dependant in case.dependants:
        if dependant.before is None or dependant.after is None:
            continue
        found = wider(rights_of(dependant.before), rights_of(dependant.after))
        told[dependant.via] += bool(found)
        if found and told[dependant.via] <= TOLD:
            texts = "; ".join(more.text for more in found)
            message = f"'{dependant.name}' changes with '{dependant.via}': it {texts}"
            yield finding(Code.DEPENDANT_WIDENS, message, f"recipes/{dependant.via}/recipe.yaml", hint=HINT)
    for via, count in told.items():
        if count > TOLD:
            message = f"{count - TOLD:,} more dependants of '{via}' may do more as well"
            yield finding(Code.DEPENDANT_WIDENS, message, f"recipes/{via}/recipe.yaml", hint=HINT)


def forbidden(case: Case) -> Iterator[Finding]:
    """Some rights no recipe has: they would end the sandbox."""
    for recipe, side in case.present:
        if side.composed is None:
            continue
        allowed = side.composed.permissions
        for privilege in sorted(set(allowed.privileges) & set(case.settings.forbidden_privileges)):
            message = f"'{recipe.name}' asks for the privilege '{privilege}', which no recipe may have"
            yield finding(
                Code.FORBIDDEN, message, recipe.file, hint="work without it; a sandbox that has it is none"
            )
        for device in allowed.devices:
            if any(matches(glob, device) for glob in case.settings.forbidden_devices):
                message = f"'{recipe.name}' asks for the device {device}, which no recipe may have"
                yield finding(Code.FORBIDDEN, message, recipe.file, hint="work without it")
        if side.recipe is not None:
            places = [*side.recipe.files, *(spec.link or "" for spec in side.recipe.files.values())]
            places += [text for _, text in spoken_texts(side.recipe)]
            if socket := next((name for name in SOCKET for place in places if name in place), None):
                message = f"'{recipe.name}' uses the host's {socket}, which is root on the host"
                hint = "run containers inside the sandbox (privilege 'nested-containers')"
                yield finding(Code.FORBIDDEN, message, recipe.file, hint=hint)


def not_root(case: Case) -> Iterator[Finding]:
    """Agents work as somebody who is not root."""
    for recipe, side in case.present:
        if side.composed is not None and side.composed.user is None:
            message = f"'{recipe.name}' says no 'user', so everything in it runs as root"
            hint = "extend 'base', or give 'user'; what must be root needs a named skip with the reason"
            yield finding(Code.RUNS_AS_ROOT, message, recipe.file, hint=hint)


def no_wide_wildcards(case: Case) -> Iterator[Finding]:
    """A wildcard covers names of one organisation."""
    for recipe, side in case.present:
        if side.composed is None:
            continue
        for entry in side.composed.permissions.network.egress:
            if isinstance(entry, EgressRule) and entry.host.startswith("*.") and _is_wide(entry.host[2:]):
                message = f"'{recipe.name}' may connect to {entry.host}, where anybody may have a name"
                yield finding(Code.WILDCARD, message, recipe.file, hint="name the hosts")


def _is_wide(domain: str) -> bool:
    parts = domain.split(".")
    country = len(parts) == PUBLIC_SUFFIX_PARTS and len(parts[1]) == 2 and len(parts[0]) <= 3  # co.uk, com.au
    return len(parts) < PUBLIC_SUFFIX_PARTS or country or domain in SHARED


def widens(findings: tuple[Finding, ...]) -> bool:
    """Whether something among the findings is a wider permission."""
    return any(f.code in RULES and RULES[Code(f.code)].demand == "widening" for f in findings)


PERMISSIONS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    not_wider, dependants_not_wider, forbidden, not_root, no_wide_wildcards,
)  # fmt: skip
