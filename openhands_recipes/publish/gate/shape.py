"""Stage A, shape: what a pull request may touch at all, before anything in it is understood."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from openhands_recipes.model.gate import ABSENT, EXECUTABLE, LINK, REGULAR, SUBMODULE, Finding
from openhands_recipes.publish.gate.case import LOCKED, Case, TouchedFile
from openhands_recipes.publish.gate.characters import hidden_in, line_of, mixed_words
from openhands_recipes.publish.gate.paths import character_problem, escape_problem, matches, named, shown
from openhands_recipes.publish.gate.rules import Code, finding
from openhands_recipes.publish.gate.texts import as_text, is_nfc

SIGN_OFF = re.compile(r"^Signed-off-by: .+ <(?P<email>[^<>]+)>\s*$", re.MULTILINE | re.IGNORECASE)


COMMON_FILES = frozenset({"recipes/registry.yaml", "recipes/gate.yaml", "recipes/ratchet.yaml"})


def something_changes(case: Case) -> Iterator[Finding]:
    """A pull request changes something."""
    if not case.files:
        yield finding(
            Code.NOTHING_CHANGED, "the two commits hold the same files", hint="compare with the right base"
        )


def one_recipe(case: Case) -> Iterator[Finding]:
    """One recipe changes; others may only be locked again, because they build on it."""
    changed = [recipe.name for recipe in case.recipes if not recipe.only_locked]
    if len(changed) > 1:
        message = f"{len(changed)} recipes are changed: {', '.join(shown(name) for name in sorted(changed))}"
        yield finding(Code.SEVERAL_RECIPES, message, hint="open one pull request a recipe")
    locked = [recipe for recipe in case.recipes if recipe.only_locked]
    heads = changed or [recipe.name for recipe in locked]
    strangers = [
        recipe.name
        for recipe in locked
        if recipe.name not in changed and not _builds_on_any(recipe.name, heads, case)
    ]
    if strangers and (changed or len(strangers) > 1):
        message = f"{', '.join(strangers)} builds on nothing that is changed here, and is locked again"
        hint = "lock only the recipes that build on the changed one"
        yield finding(Code.SEVERAL_RECIPES, message, f"recipes/{strangers[-1]}/recipe.lock.json", hint=hint)


def _builds_on_any(name: str, others: list[str], case: Case) -> bool:
    recipe = case.recipe(name)
    side = recipe.after if recipe else None
    return (
        side is not None
        and side.composed is not None
        and any(other in side.composed.lineage[:-1] for other in others)
    )


def one_tree(case: Case) -> Iterator[Finding]:
    """Whoever changes a recipe changes nothing else."""
    if not case.recipes:
        return
    for file in case.files:
        if file.change.recipe is None and not _is_ratchet(file.path):
            message = f"'{shown(file.path)}' is changed together with a recipe"
            yield finding(
                Code.OTHER_TREE, message, shown(file.path), hint="open a pull request of its own for it"
            )


def _is_ratchet(path: str) -> bool:
    return path == "recipes/ratchet.yaml"


def kinds_of_file(case: Case) -> Iterator[Finding]:
    """Only plain files: no links, no submodules, nothing executable in recipes."""
    for file in case.files:
        path, mode = shown(file.path), file.change.new_mode
        if mode == LINK:
            yield finding(Code.LINK, f"'{path}' is a symbolic link", path, hint="put the file itself there")
        elif mode == SUBMODULE:
            yield finding(Code.SUBMODULE, f"'{path}' is a submodule", path, hint="recipes stand on their own")
        elif mode == EXECUTABLE and file.change.recipe:
            hint = f"git update-index --chmod=-x {path}"
            yield finding(Code.EXECUTABLE, f"'{path}' is executable", path, hint=hint)
        elif mode not in {REGULAR, EXECUTABLE, ABSENT}:
            yield finding(Code.PATH_ESCAPE, f"'{path}' has the strange mode {mode:o}", path)


def paths(case: Case) -> Iterator[Finding]:
    """Paths are plain: they stay in their folder and are what they seem to be."""
    for file in case.files:
        path = shown(file.path)
        if problem := escape_problem(file.path):
            yield finding(
                Code.PATH_ESCAPE, f"'{path}' {problem}", path, hint="use letters, digits, dots and hyphens"
            )
        elif problem := character_problem(file.path):
            yield finding(
                Code.PATH_CHARACTER, f"'{path}' {problem}", path, hint="use letters, digits, dots and hyphens"
            )
    for path, times in Counter(file.path for file in case.files).items():
        if times > 1:
            yield finding(Code.PATH_ESCAPE, f"'{shown(path)}' is there {times} times", shown(path))


def collisions(case: Case) -> Iterator[Finding]:
    """No two paths differ only in case, and no tree names one path twice."""
    for recipe in case.recipes:
        seen: dict[str, str] = {}
        for path in recipe.listing:
            other = seen.setdefault(path.casefold(), path)
            if other is not path:
                message = f"'{shown(path)}' and '{shown(other)}' are one file on many systems"
                yield finding(Code.CASE_COLLISION, message, shown(path), hint="keep one of them")


def known_files(case: Case) -> Iterator[Finding]:
    """A recipe's folder holds the files recipes have, and not too many."""
    allowed = ", ".join(case.settings.files)
    known = {recipe.name for recipe in case.recipes}
    for file in case.files:
        stray = file.path.startswith("recipes/") and file.change.recipe not in known
        if stray and file.path not in COMMON_FILES and not file.change.is_removal:
            path = shown(file.path)
            hint = "recipes lie in recipes/<name>/, the name being letters, digits and hyphens"
            yield finding(Code.STRANGE_FILE, f"'{path}' belongs to no recipe", path, hint=hint)
    for recipe in case.recipes:
        for file in recipe.files:
            below = file.path.removeprefix(recipe.folder)
            if below not in case.settings.files and not file.change.is_removal:
                path = shown(file.path)
                yield finding(
                    Code.STRANGE_FILE, f"recipes have no '{shown(below)}'", path, hint=f"allowed: {allowed}"
                )
        if len(recipe.listing) > case.settings.limits.files:
            message = f"{len(recipe.listing)} files; at most {case.settings.limits.files} are allowed"
            yield finding(Code.TOO_LARGE, message, recipe.folder)


def sizes(case: Case) -> Iterator[Finding]:
    """No file is too large."""
    limits = case.settings.limits
    for file in case.files:
        limit = limits.lock_bytes if file.name in LOCKED else limits.file_bytes
        if file.change.recipe and file.size > limit:
            message = f"'{shown(file.path)}' has {file.size:,} bytes; at most {limit:,} are allowed"
            yield finding(
                Code.TOO_LARGE,
                message,
                shown(file.path),
                hint="recipes name what they need, they do not carry it",
            )


def texts(case: Case) -> Iterator[Finding]:
    """Files of recipes are text that shows all it says."""
    for file in case.files:
        if file.change.recipe and file.content is not None:
            yield from _text(file, file.content)


def _text(file: TouchedFile, content: bytes) -> Iterator[Finding]:
    path, text = shown(file.path), as_text(content)
    if text is None:
        yield finding(Code.BINARY, f"'{path}' is not UTF-8 text", path, hint="recipes hold text only")
        return
    if b"\r" in content:
        line = line_of(text, "\r")
        yield finding(
            Code.CRLF, "lines end with a carriage return", path, line=line, hint="`ohr gate --fix` mends it"
        )
    if char := hidden_in(text):
        line = line_of(text, char)
        yield finding(
            Code.HIDDEN_CHARACTER,
            f"the text has the character {named(char)}",
            path,
            line=line,
            hint="remove it",
        )
    if not is_nfc(text):
        yield finding(
            Code.NOT_NFC, "the text is not in Unicode's composed form", path, hint="`ohr gate --fix` mends it"
        )
    for word in mixed_words(text):
        spelled = word.encode("ascii", "backslashreplace").decode()
        message = f"the word '{word}' has letters from several scripts: {spelled}"
        yield finding(
            Code.MIXED_SCRIPTS,
            message,
            path,
            line=line_of(text, word),
            hint="write it with letters of one script",
        )
    if content and not content.endswith(b"\n"):
        hint = "`ohr gate --fix` mends it"
        yield finding(
            Code.FINAL_NEWLINE, "the last line has no end", path, line=text.count("\n") + 1, hint=hint
        )


def published_stay(case: Case) -> Iterator[Finding]:
    """What was published under a version stays what it was."""
    for recipe in case.recipes:
        if recipe.sides is None:
            continue
        before, after = recipe.sides
        if before.version == after.version and before != after:
            changed = sorted(
                key for key in type(before).model_fields if getattr(before, key) != getattr(after, key)
            )
            message = f"{recipe.name} {before.version} is published, and {', '.join(changed)} of it changes"
            hint = "raise 'version'; what was published under a version never changes"
            yield finding(Code.PUBLISHED_CHANGED, message, recipe.file, hint=hint)


def published_once(case: Case) -> Iterator[Finding]:
    """A version that was ever published is not used again, not even after its recipe was removed."""
    for recipe, side in case.present:
        version = side.recipe.version if side.recipe else ""
        same = recipe.sides is not None and recipe.sides[0].version == version
        if version in case.published.get(recipe.name, ()) and not same:
            message = f"{recipe.name} {version} was published before"
            hint = "take a version that never was; what was published stays what it is"
            yield finding(Code.PUBLISHED_CHANGED, message, recipe.file, hint=hint)


def signed_off(case: Case) -> Iterator[Finding]:
    """Every commit carries its author's sign-off (Developer Certificate of Origin)."""
    bots = case.owners.bot_ids if case.owners else frozenset()
    if case.submission is not None and case.submission.author in bots:
        return
    for commit in case.commits:
        signers = {match["email"].lower() for match in SIGN_OFF.finditer(commit.message)}
        if commit.parents < 2 and commit.email.lower() not in signers:
            message = f"commit {commit.id[:10]} is not signed off by its author"
            hint = "git rebase --signoff, then push again: it says that you may contribute this"
            yield finding(Code.NO_SIGN_OFF, message, hint=hint)


def up_to_date(case: Case) -> Iterator[Finding]:
    """What the pull request changes, the base has not changed meanwhile."""
    for file in case.files:
        if file.path in case.changed_on_base:
            message = f"'{shown(file.path)}' changed on the base as well since the pull request was made"
            yield finding(Code.BOTH_CHANGED, message, shown(file.path), hint="rebase, then push again")


SHAPE: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    something_changes, one_recipe, one_tree, kinds_of_file, paths, collisions, known_files, sizes, texts,
    published_stay, published_once, signed_off, up_to_date,
)  # fmt: skip


def policy_paths(case: Case) -> tuple[str, ...]:
    """The changed paths that decide what the gate does."""
    return tuple(
        sorted(f.path for f in case.files if any(matches(glob, f.path) for glob in case.settings.policy))
    )
