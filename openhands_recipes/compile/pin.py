"""A recipe's lock as a value: what goes in, when it is stale, how it is written, what an update changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from openhands_recipes.errors import InvalidRecipeError, StaleLockError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.model.index import Pinned
from openhands_recipes.model.kept import Pin
from openhands_recipes.model.lock import Kept, Lock, Parent, Rules
from openhands_recipes.model.package import ResolvedPackage
from openhands_recipes.model.platform import Platform


@dataclass(frozen=True)
class LockedLevel:
    """One member of a lineage with its lock, checked to belong to its recipe and parents."""

    composed: Composed
    lock: Lock
    digest: Digest
    """Of the lock file's bytes."""
    pin: Pin | None = None
    """Which release of another registry it is, where a recipe of ours names it."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.composed.name


Chain = tuple[LockedLevel, ...]
"""A lineage, lowest ancestor first, the recipe itself last."""


def inputs_of(
    composed: Composed,
    packages: Iterable[ResolvedPackage],
    *,
    platforms: Sequence[Platform],
    suites: Sequence[str],
) -> dict[str, Any]:
    """Everything a lock depends on besides its parents and the outside world, as plain JSON."""
    inputs: dict[str, Any] = {
        "packages": {_stream_name(p): sorted(p.debian) for p in packages},
        "platforms": sorted(platforms),
        "suites": list(suites),
        "applications": {
            a.name: {"python": a.python.version, "packages": sorted(a.python.packages)}
            for a in composed.applications
        },
    }
    for language in ("python", "node"):
        value = getattr(composed, language)
        if value is not None:
            inputs[language] = {"version": value.version, "packages": sorted(value.packages)}
    return inputs


def _stream_name(package: ResolvedPackage) -> str:
    return f"{package.name}@{package.stream}" if package.stream else package.name


def read_lock(content: bytes, *, file: str) -> Lock:
    """A lock from its file.

    Raises:
        InvalidRecipeError: not a lock, or one of a schema this version does not know.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise InvalidRecipeError(
            f"not a lock: {error}", where=file, hint="run `ohr lock` to write it anew"
        ) from error
    if isinstance(value, dict) and value.get("schema") != 1:
        raise InvalidRecipeError(
            f"lock schema {value.get('schema')!r} is not known to this version", where=file,
            hint="a newer toolkit wrote it: upgrade, or run `ohr lock` to write it anew",
        )  # fmt: skip
    try:
        return Lock.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRecipeError(
            f"not a lock: {place}: {first['msg']}", where=file, hint="run `ohr lock` to write it anew"
        ) from error


def write_lock(lock: Lock) -> bytes:
    """The file: sorted keys, one value a line, so that reviews show what moved. Byte-stable."""
    value = lock.model_dump(mode="json", by_alias=True, exclude_none=True)
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


class LockHead(NamedTuple):
    """What a lock says of itself: enough to tell whether it is stale, and quick to read."""

    inputs: Mapping[str, Any]
    recipe_digest: str
    parents: Mapping[str, str]
    """Digest of its lock by parent, lowest first."""
    rules: Rules


def lock_head(content: bytes) -> LockHead | None:
    """The head of a lock, its parts unread; None for what is no lock this version knows."""
    try:
        value = json.loads(content)
        if value["schema"] != 1:
            return None
        parents = {parent["name"]: parent["lock"] for parent in value["parents"]}
        rules = Rules.model_validate(value["rules"])
        return LockHead(dict(value["inputs"]), value["recipe_digest"], parents, rules)
    except (ValueError, KeyError, TypeError):
        return None


def stale_reasons(
    lock: LockHead, *, inputs: Mapping[str, Any], parents: Mapping[str, str], rules: Rules
) -> list[str]:
    """Why a lock does not belong to its recipe, its parents' locks and these rules; nothing when it does."""
    reasons = (
        _changed_inputs(lock.inputs, inputs) if digest_of_json(dict(inputs)) != lock.recipe_digest else []
    )
    reasons += _changed_parents(lock.parents, parents)
    if lock.rules != rules:
        reasons.append(f"the rules of layers changed ({_rules_text(lock.rules)} -> {_rules_text(rules)})")
    return reasons


def check_fresh(
    lock: Lock, *, inputs: Mapping[str, Any], parents: Sequence[LockedLevel], rules: Rules, file: str
) -> None:
    """Make sure that a lock belongs to its recipe, its parents and these rules.

    Raises:
        StaleLockError: it does not; the message says what changed.
    """
    head = LockHead(lock.inputs, lock.recipe_digest, {p.name: p.lock for p in lock.parents}, lock.rules)
    digests = {parent.name: parent.digest for parent in parents}
    if reasons := stale_reasons(head, inputs=inputs, parents=digests, rules=rules):
        raise StaleLockError(
            f"the lock of '{lock.recipe}' is stale: {'; '.join(reasons)}",
            where=file, hint=f"run `ohr lock {lock.recipe}`",
        )  # fmt: skip


def _rules_text(rules: Rules) -> str:
    return f"layers {rules.layers}, configure {rules.configure}, {rules.codec.name} {rules.codec.library}"


def _changed_inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found = []
    for field in sorted(old.keys() | new.keys()):
        before, after = old.get(field), new.get(field)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            marks = [f"+{k}" for k in sorted(after.keys() - before.keys())]
            marks += [f"-{k}" for k in sorted(before.keys() - after.keys())]
            marks += [f"~{k}" for k in sorted(after.keys() & before.keys()) if after[k] != before[k]]
            found.append(f"{field} {' '.join(marks)}")
        else:
            found.append(f"{field} changed")
    return found or ["the recipe changed"]


def _changed_parents(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    found = []
    for name, digest in new.items():
        if name not in old:
            found.append(f"parent '{name}' is new")
        elif old[name] != digest:
            found.append(f"parent '{name}' was locked again")
    return found + [f"parent '{name}' is gone" for name in old if name not in new]


def parents_of(levels: Sequence[LockedLevel]) -> tuple[Parent, ...]:
    """Parents as a lock lists them, lowest first."""
    return tuple(_parent(level) for level in levels)


def _parent(level: LockedLevel) -> Parent:
    pinned = Parent(name=level.name, version=level.composed.version, lock=level.digest)
    if level.pin is None:
        return pinned
    kept = Kept(digest=level.pin.kept.digest, size=level.pin.kept.size)
    return pinned.model_copy(update={"revision": level.pin.revision, "kept": kept})


def pins_of(content: bytes) -> tuple[Pin, ...]:
    """The releases of other registries that a lock pins; none where it is no lock that can be read."""
    if b'"kept"' not in content:
        return ()
    try:
        parents = read_lock(content, file="").parents
    except InvalidRecipeError:
        return ()
    return tuple(
        Pin(p.name, p.version, p.revision, Digest(p.lock), Pinned(Digest(p.kept.digest), p.kept.size))
        for p in parents
        if p.kept is not None and p.revision is not None and p.name.count("/") == 1
    )


def digest_of_lock(content: bytes) -> Digest:
    """What children pin their parent by."""
    return digest_of(content)


@dataclass(frozen=True)
class LockChange:
    """One line of what an update changes, as a package manager says it."""

    platform: Platform
    source: str
    name: str
    before: str | None
    after: str | None


def changes(old: Lock | None, new: Lock) -> tuple[LockChange, ...]:
    """What differs between two locks of one recipe, sorted."""
    found: list[LockChange] = []
    for platform in sorted(new.platforms.keys() | (old.platforms.keys() if old else set())):
        before = _versions(old, platform) if old else {}
        after = _versions(new, platform)
        found += [
            LockChange(platform, source, name, before.get((source, name)), after.get((source, name)))
            for source, name in sorted(before.keys() | after.keys())
            if before.get((source, name)) != after.get((source, name))
        ]
    return tuple(found)


def _versions(lock: Lock, platform: Platform) -> dict[tuple[str, str], str]:
    inputs = lock.platforms.get(platform)
    if inputs is None:
        return {}
    versions = {("debian", deb.name): deb.version for deb in inputs.debs}
    versions |= {(f"pypi:{w.into}", w.name): w.version for w in inputs.wheels}
    versions |= {("npm", t.name): t.version for t in inputs.tarballs}
    return versions
