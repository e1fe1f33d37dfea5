"""Stage I, known vulnerabilities: which advisories (OSV) are about a lock, and which of them are new.

Old ones are tolerated as far as `recipes/ratchet.yaml` counts them; new ones never are. Knows no database and
no order of versions; both are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError
from packaging.utils import canonicalize_name

from openhands_recipes.model.advisory import Advisory, Affected, Event, Range, Severity
from openhands_recipes.model.gate import Finding
from openhands_recipes.model.gate import Severity as Weight
from openhands_recipes.model.gate_settings import Vulnerabilities
from openhands_recipes.model.lock import Lock
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.rules import Code, finding

Keys = Mapping[str, Callable[[str], Any]]
"""Ecosystem -> a key that orders its versions; raises ValueError or one of ours for what is none."""
DEBIAN = {"bookworm": "12", "trixie": "13", "forky": "14", "sid": ""}
"""How advisories call Debian's suites: `Debian:13`."""
VECTORS = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
WORDS = {"critical": 9.0, "high": 7.0, "moderate": 4.0, "medium": 4.0, "low": 0.1, "unimportant": 0.0}


@dataclass(frozen=True, order=True)
class Subject:
    """A package as advisories name it: of Debian the source package."""

    ecosystem: str
    """`Debian`, `PyPI` or `npm`."""
    release: str
    """Of Debian: `13`; else empty."""
    name: str
    version: str
    borrowed: bool = False
    """The version is that of a binary package with another name than its source."""


@dataclass(frozen=True)
class Hit:
    """A vulnerability of one package."""

    subject: Subject
    advisory: Advisory
    score: float | None
    fixed: str


def subjects_of(lock: Lock) -> frozenset[Subject]:
    """Everything of a lock that an advisory may be about."""
    suite = lock.debian.suites[0] if lock.debian.suites else ""
    release = DEBIAN.get(suite, "")
    found: set[Subject] = set()
    for inputs in lock.platforms.values():
        for deb in inputs.debs:
            source = deb.source or deb.name
            found.add(Subject("Debian", release, source, deb.version, source != deb.name))
        found |= {Subject("PyPI", "", canonicalize_name(w.name), w.version) for w in inputs.wheels}
        found |= {Subject("npm", "", tarball.name, tarball.version) for tarball in inputs.tarballs}
    return frozenset(found)


def hits(subjects: Iterable[Subject], advisories: Iterable[Advisory], keys: Keys) -> tuple[Hit, ...]:
    """Every vulnerability of some packages, sorted; one that goes by several names is told once."""
    by_name: dict[tuple[str, str], list[Subject]] = {}
    for subject in sorted(subjects):
        by_name.setdefault((subject.ecosystem, subject.name), []).append(subject)
    found: dict[tuple[str, str, str], Hit] = {}
    told: dict[tuple[str, str], set[str]] = {}
    for advisory in sorted(advisories, key=lambda a: a.id):
        for hit in _of_advisory(advisory, by_name, keys):
            place = (hit.subject.ecosystem, hit.subject.name)
            if not told.setdefault(place, set()) & advisory.names:
                found.setdefault((*place, advisory.id), hit)
        for place in {(key[0], key[1]) for key in found if key[2] == advisory.id}:
            told[place] |= advisory.names
    return tuple(found[key] for key in sorted(found))


def _of_advisory(
    advisory: Advisory, by_name: Mapping[tuple[str, str], list[Subject]], keys: Keys
) -> Iterator[Hit]:
    if advisory.withdrawn:
        return
    for affected in advisory.affected:
        if affected.package is None:
            continue
        ecosystem, _, release = affected.package.ecosystem.partition(":")
        name = affected.package.name
        name = canonicalize_name(name) if ecosystem == "PyPI" else name
        for subject in by_name.get((ecosystem, name), ()):
            if release in ("", subject.release) and is_affected(subject, affected, keys[ecosystem]):
                yield Hit(subject, advisory, score_of(advisory, affected), _fixed(affected))


def _fixed(affected: Affected) -> str:
    return next((e.fixed for r in affected.ranges for e in r.events if e.fixed), "")


def is_affected(subject: Subject, affected: Affected, key: Callable[[str], Any]) -> bool:
    """Whether a version is among those an advisory names (OSV 1.x, "evaluation").

    A version that cannot be ordered counts as affected: doubt must not hide anything.
    """
    if subject.version in affected.versions:
        return True
    return any(_in_range(subject, r, key) for r in affected.ranges if r.type in {"ECOSYSTEM", "SEMVER"})


def _in_range(subject: Subject, line: Range, key: Callable[[str], Any]) -> bool:
    def place(version: str) -> Any:  # noqa: ANN401 - whatever the ecosystem orders by
        return () if version == "0" else (key(version),)

    def own(event: str) -> Any:  # noqa: ANN401 - the same
        return place(_aligned(subject, event))

    try:
        vulnerable = False
        for event in sorted(line.events, key=lambda e: (place(_at(e)), e.introduced is None)):
            at = _at(event)
            if event.introduced is not None and own(at) >= place(at):
                vulnerable = True
            elif (event.fixed is not None and own(at) >= place(at)) or (
                event.last_affected is not None and own(at) > place(at)
            ):
                vulnerable = False
        limits = [e.limit for e in line.events if e.limit and e.limit != "*"]
        return vulnerable and (not limits or any(own(limit) < place(limit) for limit in limits))
    except (ValueError, TypeError):
        return True


def _at(event: Event) -> str:
    return event.introduced or event.fixed or event.last_affected or event.limit or "0"


def _aligned(subject: Subject, other: str) -> str:
    """The version of a source package, as far as that of a binary one tells it.

    Binary packages may have an epoch of their own (`bsdutils` of `util-linux`), and end in `+b2` where
    they were only built again.
    """
    if subject.ecosystem != "Debian":
        return subject.version
    version, mark, rebuilt = subject.version.rpartition("+b")
    version = version if mark and rebuilt.isdigit() else subject.version
    if not subject.borrowed:
        return version
    epoch, colon, _ = other.partition(":")
    plain = version.partition(":")[2] or version
    return f"{epoch}:{plain}" if colon else plain


def score_of(advisory: Advisory, affected: Affected) -> float | None:
    """How bad it is, by CVSS base score; None if nobody says. Debian's "unimportant" counts more."""
    urgency = str(affected.ecosystem_specific.get("urgency", "")).lower()
    if urgency == "unimportant":
        return 0.0
    scores = [s for s in map(_score, (*affected.severity, *advisory.severity)) if s is not None]
    if scores:
        return max(scores)
    words = [affected.database_specific.get("severity"), advisory.database_specific.get("severity"), urgency]
    return next((WORDS[w] for w in (str(word).lower() for word in words) if w in WORDS), None)


def _score(severity: Severity) -> float | None:
    kind = VECTORS.get(severity.type)
    try:
        return max(float(s) for s in kind(severity.score).scores()[:1]) if kind else None
    except (CVSSError, ValueError):
        return None


def vulnerable(case: Case, advisories: Iterable[Advisory], keys: Keys) -> Iterator[Finding]:
    """No lock brings a vulnerability that was not there before; old ones are told."""
    known = tuple(advisories)
    limits = case.settings.vulnerabilities
    for recipe, side in case.present:
        if side.lock.lock is None:
            continue
        before = recipe.before.lock.lock if recipe.before else None
        old = hits(subjects_of(before), known, keys) if before else ()
        for hit in hits(subjects_of(side.lock.lock), known, keys):
            is_old = any(_same(hit, other) for other in old)
            yield _told(hit, recipe.name, recipe.lock_file, weigh(hit.score, limits), is_old=is_old)


def _same(hit: Hit, other: Hit) -> bool:
    place = (hit.subject.ecosystem, hit.subject.name)
    same_package = place == (other.subject.ecosystem, other.subject.name)
    return same_package and bool(hit.advisory.names & other.advisory.names)


def weigh(score: float | None, limits: Vulnerabilities) -> Weight:
    """What a new vulnerability of this score means; nobody knows how bad it is: a human must look."""
    if score is None:
        return "human"
    if score >= WORDS[limits.error]:
        return "error"
    if score >= WORDS[limits.human]:
        return "human"
    return "warning" if score > 0 else "note"


def _told(hit: Hit, recipe: str, file: str, weight: Weight, *, is_old: bool) -> Finding:
    subject, advisory = hit.subject, hit.advisory
    other = sorted(n for n in advisory.names - {advisory.id} if n.startswith("CVE-"))
    names = f"{advisory.id}{f' ({other[0]})' if other else ''}"
    score = "of unknown severity" if hit.score is None else f"CVSS {hit.score:.1f}"
    message = f"'{recipe}': {subject.name} {subject.version} ({subject.ecosystem}) has {names}, {score}"
    hint = f"fixed in {hit.fixed}: `ohr lock --update {recipe}`" if hit.fixed else "no version mends it yet"
    if is_old:
        weight = "human" if weight == "error" else weight
        return finding(Code.STILL_VULNERABLE, message, file, hint=hint, severity=weight)
    return finding(Code.VULNERABLE, message, file, hint=hint, severity=weight)
