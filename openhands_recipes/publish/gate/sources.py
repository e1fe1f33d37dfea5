"""Stage D, sources: where bytes come from, and that nothing else can come instead.

What the sources themselves say about the locked files is asked by the flow (`--online`) and judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from openhands_recipes.model.gate import Finding
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.recipe import Recipe
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.rules import Code, finding

INSECURE = re.compile(
    r"\b(?:http|ftp|git|svn|telnet|rsync|ldap)://(?P<host>[^\s/'\"`:,)\]}>]+)", re.IGNORECASE
)
LOCAL = re.compile(r"(localhost|127\.[0-9.]+|\[?::1\]?|0\.0\.0\.0|.*\.localhost|\$.*|\{.*)", re.IGNORECASE)
NAMES = re.compile(r"(www\.w3\.org|schemas?\..*|xmlns\..*|json-schema\.org)", re.IGNORECASE)
"""Hosts in identifiers that are written like addresses and never fetched."""
PIPED = re.compile(r"\b(?:curl|wget)\b[^\n|;]*\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b")
FLOATING = re.compile(r"@(?P<tag>latest|next|canary|nightly|beta|alpha|main|master|HEAD|edge)\b")
IMAGE_TAG = re.compile(r"\b[a-z0-9.-]+(?:/[a-z0-9._-]+)+:(?P<tag>latest|edge|nightly|main|master)\b")
EMPTY = re.compile(r"^(.)\1{63}$")
EMPTY_FILE = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""sha256 of nothing."""
SHOWN = 5


def spoken_texts(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Every text of a recipe that a program will read, and the key it stands under."""
    yield from ((f"environment.{name}", value) for name, value in recipe.environment.items())
    yield from ((f"files.{path}", spec.text) for path, spec in recipe.files.items() if spec.text is not None)
    yield "entrypoint", " ".join(recipe.entrypoint or ())
    yield "command", " ".join(recipe.command or ())
    yield "shell_hook", recipe.shell_hook or ""
    yield from (
        (f"processes.{name}", " ".join(process.command)) for name, process in recipe.processes.items()
    )


def encrypted(case: Case) -> Iterator[Finding]:
    """Programs are told no address that anybody on the way could answer for."""
    for recipe, side in case.present:
        for key, text in spoken_texts(side.recipe) if side.recipe else ():
            for match in INSECURE.finditer(text):
                if not LOCAL.fullmatch(match["host"]) and not NAMES.fullmatch(match["host"]):
                    message = f"'{key}' names {match[0]}, which is not encrypted"
                    yield finding(Code.INSECURE_URL, message, recipe.file, hint="use https://")


def nothing_floats(case: Case) -> Iterator[Finding]:
    """Nothing is taken from where other bytes may lie tomorrow."""
    for recipe, side in case.present:
        own = side.recipe
        if own is None:
            continue
        for text in own.node.packages if own.node else ():
            if match := FLOATING.search(text):
                message = f"'{text}' follows the tag '{match['tag']}'"
                yield finding(
                    Code.FLOATING, message, recipe.file, hint="name a version or a range; the lock pins it"
                )
        for key, text in spoken_texts(own):
            if match := IMAGE_TAG.search(text):
                message = f"'{key}' names an image by the tag '{match['tag']}'"
                yield finding(Code.FLOATING, message, recipe.file, hint="name it by digest")
            if PIPED.search(text):
                message = f"'{key}' runs what it downloads"
                yield finding(
                    Code.FLOATING, message, recipe.file, hint="ask for a package instead: the lock pins it"
                )


def files_of(lock: Lock) -> dict[str, str]:
    """Every file a lock names, with its sha256; one that is named twice with different ones has both."""
    found: dict[str, dict[str, None]] = {}
    for inputs in lock.platforms.values():
        named = [(deb.path, deb.sha256) for deb in inputs.debs]
        named += [(tarball.file, tarball.sha256) for tarball in inputs.tarballs]
        for wheel in inputs.wheels:
            built = wheel.built_from
            named += [(built.file, built.sha256)] if built else [(wheel.file, wheel.sha256)]
            named += [(r.file, r.sha256) for r in built.requirements] if built else []
        for file, sha256 in named:
            found.setdefault(file, {})[sha256] = None
    return {file: " ".join(digests) for file, digests in found.items()}


def pinned(case: Case) -> Iterator[Finding]:
    """Every input is pinned by a digest that some file can have."""
    for recipe, side in case.present:
        for file, sha256 in files_of(side.lock.lock).items() if side.lock.lock else ():
            if any(EMPTY.match(one) or one == EMPTY_FILE for one in sha256.split()):
                message = f"the digest of '{file}' is no file's"
                yield finding(
                    Code.EMPTY_DIGEST, message, recipe.lock_file, hint=f"run `ohr lock {recipe.name}`"
                )


def one_digest(case: Case) -> Iterator[Finding]:
    """One file has one digest: in the lock, in the lock it replaces, and in those it builds on."""
    for recipe, side in case.present:
        lock = side.lock.lock
        if lock is None:
            continue
        known: dict[str, Mapping[str, str]] = {
            f"the lock of '{n}'": files_of(p) for n, p in side.lock.parents.items()
        }
        if recipe.before and recipe.before.lock.lock:
            known["the lock it replaces"] = files_of(recipe.before.lock.lock)
        for file, sha256 in files_of(lock).items():
            places = [place for place, files in known.items() if files.get(file, sha256) != sha256]
            if " " in sha256:
                places.append("the same lock, for another platform")
            if places:
                message = f"'{file}' has another digest in {places[0]}"
                hint = "a published file never changes: find out who changed it before anything else"
                yield finding(Code.DIGESTS_DISAGREE, message, recipe.lock_file, hint=hint)


def no_older_state(case: Case) -> Iterator[Finding]:
    """A lock is not solved against an older state of Debian than the one it replaces."""
    for recipe, side in case.present:
        new, old = side.lock.lock, recipe.before.lock.lock if recipe.before else None
        if new and old and new.debian.release_date < old.debian.release_date:
            message = f"Debian of {new.debian.release_date} is older than in the lock before"
            message += f" ({old.debian.release_date})"
            hint = "the mirror may be behind, or hold back fixes: lock again with another one"
            yield finding(Code.OLDER_STATE, message, recipe.lock_file, hint=hint)


def sources_agree(case: Case) -> Iterator[Finding]:
    """The sources have the files the lock names, with the same bytes (`--online`)."""
    for answer in case.online:
        recipe = case.recipe(answer.recipe)
        file = recipe.lock_file if recipe else ""
        if answer.verdict == "other":
            message = f"'{answer.file}' has other bytes at its source: {answer.detail}"
            hint = "do not build it before you know why"
            yield finding(Code.MIRROR_DISAGREES, message, file, hint=hint)
        elif answer.verdict == "missing":
            message = f"'{answer.file}' is not at its source: {answer.detail}"
            hint = f"a newer version may have taken its place: run `ohr lock --update {answer.recipe}`"
            yield finding(Code.NOT_ON_MIRROR, message, file, hint=hint)


SOURCES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    encrypted, nothing_floats, pinned, one_digest, no_older_state, sources_agree,
)  # fmt: skip
