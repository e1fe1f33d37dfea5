"""A recipe's closure as a value: what it was made from, when it is stale, how it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from openhands_recipes.compile.pin import LockChange
from openhands_recipes.errors import InvalidRecipeError, StaleLockError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.model.flake import FlakeData, FlakeLanguage
from openhands_recipes.model.nix import ClosureLock, ClosurePlatform, StorePath
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.settings import NixpkgsPin

LOCK = "flake.lock"
_MOST_SHOWN = 10
_AGAIN = "run `ohr lock --from nixpkgs {name}` to write it anew"


def closure_inputs(data: FlakeData) -> dict[str, Any]:
    """What of a recipe decides its closure, as plain JSON."""
    inputs: dict[str, Any] = {"version": data.version, "packages": {}}
    for package in data.packages:
        inputs["packages"].setdefault(package.name, []).append(package.attribute)
    for language in ("python", "node"):
        chosen: FlakeLanguage | None = getattr(data, language)
        if chosen is not None:
            libraries = {p.name: [p.attribute, p.range, *p.extras] for p in chosen.packages}
            inputs[language] = {"attribute": chosen.attribute, "packages": libraries}
    return inputs


def flake_digest(files: Mapping[str, bytes]) -> Digest:
    """The digest of a flake's files; its lock is left out, being told apart as the pin."""
    return digest_of_json({path: digest_of(content) for path, content in files.items() if path != LOCK})


def read_closure(content: bytes, *, file: str) -> ClosureLock:
    """A closure from its file.

    Raises:
        InvalidRecipeError: not a closure, or one of a schema this version does not know.
    """
    hint = _AGAIN.format(name="NAME")
    try:
        value = json.loads(content)
    except ValueError as error:
        raise InvalidRecipeError(f"not a closure: {error}", where=file, hint=hint) from error
    if isinstance(value, dict) and value.get("schema") != 1:
        raise InvalidRecipeError(
            f"closure schema {value.get('schema')!r} is not known to this version",
            where=file,
            hint="a newer toolkit wrote it: upgrade, or " + hint,
        )
    try:
        return ClosureLock.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRecipeError(f"not a closure: {place}: {first['msg']}", where=file, hint=hint) from error


def write_closure(closure: ClosureLock) -> bytes:
    """The file: sorted keys, one value a line, so that reviews show what moved. Byte-stable."""
    value = closure.model_dump(mode="json", by_alias=True)
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def check_fresh_closure(closure: ClosureLock, data: FlakeData, pin: NixpkgsPin, *, file: str) -> None:
    """Make sure that a closure belongs to its recipe and to the pinned nixpkgs.

    Raises:
        StaleLockError: it does not; the message says what changed.
    """
    reasons = _changed_inputs(closure.inputs, closure_inputs(data))
    if closure.nixpkgs != pin:
        reasons.append(f"nixpkgs {_short(closure.nixpkgs)} -> {_short(pin)}")
    if reasons:
        raise StaleLockError(
            f"the closure of '{closure.recipe}' is stale: {'; '.join(reasons)}",
            where=file, hint=_AGAIN.format(name=closure.recipe),
        )  # fmt: skip


def check_closure(locked: ClosureLock, got: ClosurePlatform, platform: Platform, *, flake: Digest) -> None:
    """Make sure that what was built is what the lock promises; `flake` is the digest of its flake.

    Raises:
        VerificationError: the same flake came to something else.
        StaleLockError: another flake did, or the platform is not locked.
    """
    promised = locked.platforms.get(platform)
    again = _AGAIN.format(name=locked.recipe)
    if promised is None:
        raise StaleLockError(f"the closure of '{locked.recipe}' is not locked for {platform}", hint=again)
    if promised == got:
        return
    differing = _differing(promised.paths, got.paths)
    if locked.flake != flake:
        raise StaleLockError(
            f"the closure of '{locked.recipe}' is stale: its flake changed, and with it\n{differing}",
            hint=again,
        )
    raise VerificationError(
        f"the closure of '{locked.recipe}' for {platform} is not what its lock promises:\n{differing}",
        hint="a store was altered, or a package does not build the same twice",
    )


def closure_changes(old: ClosureLock | None, new: ClosureLock) -> tuple[LockChange, ...]:
    """What differs between two closures of one recipe by package names and versions, sorted."""
    found: list[LockChange] = []
    for platform in sorted(new.platforms.keys() | (old.platforms.keys() if old else set())):
        before = _versions(old.platforms.get(platform)) if old else {}
        after = _versions(new.platforms.get(platform))
        found += [
            LockChange(platform, "nixpkgs", name, before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
    return tuple(found)


def name_and_version(store_name: str) -> tuple[str, str]:
    """`jq-1.8.1-bin` is `jq` and `1.8.1-bin`: a version begins after the first dash before no letter."""
    found = re.match(r"(.+?)-([^A-Za-z].*)$", store_name)
    return (found[1], found[2]) if found else (store_name, "")


def _versions(platform: ClosurePlatform | None) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for path in platform.paths if platform else ():
        name, version = name_and_version(path.name)
        versions.setdefault(name, set()).add(version)
    return {name: " ".join(sorted(known)).strip() for name, known in versions.items()}


def _changed_inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found = []
    for field in sorted(old.keys() | new.keys()):
        before, after = old.get(field), new.get(field)
        if before == after:
            continue
        both = before is not None and after is not None
        marks = _marks(_names(before), _names(after)) if both else ""
        found.append(f"{field} {marks}" if marks else f"{field} changed")
    return found


def _names(value: object) -> dict[str, Any]:
    """The packages of an input, whichever it is."""
    if not isinstance(value, dict):
        return {}
    packages = value.get("packages")
    return packages if isinstance(packages, dict) else value


def _marks(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    marks = [f"+{name}" for name in sorted(after.keys() - before.keys())]
    marks += [f"-{name}" for name in sorted(before.keys() - after.keys())]
    marks += [f"~{name}" for name in sorted(after.keys() & before.keys()) if after[name] != before[name]]
    return " ".join(marks)


def _short(pin: NixpkgsPin) -> str:
    return f"{pin.ref} {pin.rev[:12]} ({pin.nar_hash[:15]}...)"


def _differing(promised: Iterable[StorePath], got: Iterable[StorePath]) -> str:
    before, after = ({path.path: path for path in side} for side in (promised, got))
    lines = [f"  missing    {path}" for path in sorted(before.keys() - after.keys())]
    lines += [f"  unexpected {path}" for path in sorted(after.keys() - before.keys())]
    lines += [
        f"  different  {path}: {before[path].nar_hash} promised, {after[path].nar_hash} found"
        for path in sorted(before.keys() & after.keys())
        if before[path] != after[path]
    ]
    if len(lines) > _MOST_SHOWN:
        lines[_MOST_SHOWN:] = [f"  ... and {len(lines) - _MOST_SHOWN} more"]
    return "\n".join(lines or ["  the root is another path"])
