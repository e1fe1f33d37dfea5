"""Why a solve failed, told from the recipe that asked down to the relation nothing can meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openhands_recipes.compile.debian.candidates import Candidates
from openhands_recipes.compile.debian.relations import text_of
from openhands_recipes.compile.debian.requests import Fault, Request, lack, remedy
from openhands_recipes.compile.debian.search import DeadEnd, Exclusion, UnsolvableError
from openhands_recipes.compile.debian.selection import Clash, Pick
from openhands_recipes.errors import ResolutionError

ESSENTIAL = "the essential set"
_DEEPEST = 4
_MOST = 3


def refuse_requests(faults: Sequence[Fault]) -> ResolutionError:
    """One error for every wish that cannot be granted."""
    ordered = sorted(faults, key=lambda fault: fault.request)
    if len(ordered) == 1:
        fault = ordered[0]
        message = f"{fault.request.recipe}: {fault.message}"
        return ResolutionError(message, where=fault.request.where or None, hint=fault.hint)
    lines = [f"{len(ordered)} wanted packages cannot be had"]
    for fault in ordered:
        place = f" ({fault.request.where})" if fault.request.where else ""
        hint = f"; {fault.hint}" if fault.hint else ""
        lines.append(f"  {fault.request.recipe}: {fault.message}{place}{hint}")
    return ResolutionError("\n".join(lines))


def refuse_parents(clash: Clash, parents: Mapping[str, str]) -> ResolutionError:
    """The error for two parents whose packages exclude each other."""
    one, other = parents[clash.declared_by], parents[clash.other]
    provided = "" if clash.relation.name == clash.other else f", provided by {clash.other}"
    return ResolutionError(
        f"parents '{one}' and '{other}' cannot be combined: "
        f"{clash.declared_by} of '{one}' {clash.verb} {clash.relation}{provided} of '{other}'",
        hint="extend only one of them",
    )


@dataclass(frozen=True, slots=True)
class Explainer:
    """Words for one unsolvable question."""

    candidates: Candidates
    requests: Mapping[str, Request]
    """Root -> who asked for it first."""

    def refuse(self, error: UnsolvableError) -> ResolutionError:
        """The error people see."""
        request = self.requests.get(error.root)
        asker = request.recipe if request else ESSENTIAL
        where = (request.where or None) if request else None
        match error.exclusion.cause:
            case Clash() as clash:
                text = f"package '{error.root}' {self._clash(error.root, clash, error.exclusion.chain)}"
                return ResolutionError(f"{asker}: {text}", where=where, hint="only one of them can be had")
            case DeadEnd() as dead_end:
                way, last = _straight_way(dead_end)
                through = f" (through {' -> '.join(way)})" if way else ""
                need = f"package '{last.package}'{through} needs {text_of(last.group)}"
                message = f"{asker}: {need}, but {self._lack(last, 1)}"
                return ResolutionError(message, where=where, hint=self._hint(last))

    def _lack(self, dead_end: DeadEnd, depth: int) -> str:
        """Why nothing meets a group: every option's obstacle, or what there is instead of options."""
        reasons = [self._obstacle(option, exclusion, depth) for option, exclusion in dead_end.options[:_MOST]]
        if len(dead_end.options) > _MOST:
            reasons.append(f"and {len(dead_end.options) - _MOST} more cannot either")
        met = {option for option, _ in dead_end.options}
        reasons += [
            lack(relation, self.candidates)
            for relation in dead_end.group
            if not met.intersection(package.name for package in self.candidates.matching(relation))
        ]
        return "; ".join(reasons)

    def _obstacle(self, option: str, exclusion: Exclusion, depth: int) -> str:
        """Why one option will not do."""
        match exclusion.cause:
            case Clash() as clash:
                return f"{option} {self._clash(option, clash, exclusion.chain)}"
            case DeadEnd() as dead_end if dead_end.package == option:
                needs = f"{option} needs {text_of(dead_end.group)}"
                return needs if depth >= _DEEPEST else f"{needs}, but {self._lack(dead_end, depth + 1)}"
            case DeadEnd(options=((needed, Exclusion(cause=Clash() as clash)),)) as dead_end if option in (
                clash.declared_by,
                clash.other,
            ):
                chain = (*dead_end.chain, Pick(needed, dead_end.package, dead_end.group))
                return f"{option} {self._clash(option, clash, chain)}"
            case DeadEnd() as dead_end:
                lacks = f"with {option}, {dead_end.package} lacks {text_of(dead_end.group)}"
                asked = self._asked(dead_end.chain)
                return lacks if depth >= _DEEPEST else f"{lacks} ({asked}): {self._lack(dead_end, depth + 1)}"

    def _clash(self, name: str, clash: Clash, chain: tuple[Pick, ...]) -> str:
        """`conflicts with mta, provided by exim4, which base asks for (mail -> exim4)`."""
        other = chain[-1].package
        asked = self._asked(chain)
        if clash.declared_by != name:
            return f"is refused by {other} ({clash.verb} {clash.relation}), {asked}"
        provider = "" if clash.relation.name == other else f", provided by {other}"
        return f"{clash.verb} {clash.relation}{provider}, {asked}"

    def _asked(self, chain: tuple[Pick, ...]) -> str:
        root = chain[0].package
        if root in self.candidates.parents:
            return f"which parent '{self.candidates.parents[root]}' fixes"
        asker = self.requests[root].recipe if root in self.requests else ESSENTIAL
        way = f" ({' -> '.join(pick.package for pick in chain)})" if len(chain) > 1 else ""
        return f"which {asker} asks for{way}"

    def _hint(self, dead_end: DeadEnd) -> str | None:
        """The first remedy in a dead end or in those behind it."""
        waiting = [dead_end]
        for each in waiting:
            if own := remedy(each.group, self.candidates):
                return own
            behind = (exclusion.cause for _, exclusion in each.options)
            waiting += [
                cause
                for cause in behind
                if isinstance(cause, DeadEnd) and all(cause is not known for known in waiting)
            ]
        return None


def _straight_way(dead_end: DeadEnd) -> tuple[list[str], DeadEnd]:
    """Follow a dead end down while each step has one option that fails for its own needs."""
    way: list[str] = []
    while len(dead_end.options) == 1 and len(dead_end.group) == 1:
        option, exclusion = dead_end.options[0]
        cause = exclusion.cause
        if not isinstance(cause, DeadEnd) or cause.package != option:
            break
        way.append(dead_end.package)
        dead_end = cause
    return way, dead_end
