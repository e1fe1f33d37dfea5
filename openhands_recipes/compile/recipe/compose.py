"""A recipe and everything it extends -> one Composed, each value with its origin.

How each key combines is said by its line in `compose`: words of higher levels replace those of lower
ones (`single`, `table`, `listed`), or everything adds up (`unions.py`). Which levels there are, and in
which order, is `lineage.py`'s business. Whether the packages exist is `packages.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from openhands_recipes.compile.recipe.faults import Code, did_you_mean, error_of
from openhands_recipes.compile.recipe.lineage import lineage_of
from openhands_recipes.compile.recipe.merging import Merge, Word
from openhands_recipes.compile.recipe.parse import ParsedRecipe
from openhands_recipes.compile.recipe.rules import file_above
from openhands_recipes.compile.recipe.unions import (
    largest_resources,
    union_node,
    union_packages,
    union_permissions,
    union_python,
)
from openhands_recipes.errors import ResolutionError, UsageError
from openhands_recipes.model.composed import Composed, Level, Origin
from openhands_recipes.model.platform import PLATFORMS, Platform
from openhands_recipes.model.recipe import Application, FileSpec, LanguagePackages, Recipe, Source

Streams = dict[str, dict[str, tuple[Origin, ...]]]


def compose(name: str, recipes: Mapping[str, ParsedRecipe]) -> Composed:
    """The recipe as it is with everything it extends.

    `recipes` may make recipes as they are asked for; only the recipe and its ancestors are.

    Raises:
        UsageError: there is no recipe of that name.
        ResolutionError: bases are missing or do not fit together; carries every fault.
    """
    if name not in recipes:
        raise UsageError(
            f"there is no recipe '{name}'", hint=did_you_mean(name, recipes) or "see `ohr check`"
        )
    lineage = lineage_of(name, recipes)
    levels = tuple(recipes[member] for member in lineage)
    merge = Merge(levels, _ancestors(levels))
    streams: Streams = {}
    python = _language(merge, "python", lambda r: r.python, streams)
    node = _language(merge, "node", lambda r: r.node, streams)
    applications = _applications(merge, streams)
    composed = Composed(
        recipe=levels[-1].recipe,
        lineage=lineage,
        levels=tuple(Level(level.recipe, level.file) for level in levels),
        platforms=_platforms(merge),
        packages=union_packages(merge, streams),
        python=python,
        node=node,
        applications=applications,
        environment=merge.table("environment", lambda r: r.environment),
        path=_path(merge),
        files=_files(merge),
        user=merge.single(lambda r: r.user, "user"),
        workdir=merge.single(lambda r: r.workdir, "workdir"),
        entrypoint=merge.single(lambda r: r.entrypoint, "entrypoint"),
        command=merge.single(lambda r: r.command, "command"),
        processes=merge.table("processes", lambda r: r.processes),
        shell_hook=merge.single(lambda r: r.shell_hook, "shell_hook"),
        ports=tuple(p for _, p in sorted(merge.listed("ports", lambda r: r.ports, lambda p: p.name).items())),
        permissions=union_permissions(merge),
        resources=largest_resources(merge),
        unavailable=_unavailable(merge),
        tests=tuple(merge.listed("tests", lambda r: r.tests, lambda t: t.name).values()),
        origins=merge.origins,
    )
    if merge.faults:
        raise error_of(merge.faults, ResolutionError)
    return composed


def _ancestors(levels: tuple[ParsedRecipe, ...]) -> dict[str, frozenset[str]]:
    """Everything each member of a lineage extends, directly or not."""
    known: dict[str, frozenset[str]] = {}
    for level in levels:
        bases = [entry.partition("@")[0] for entry in level.recipe.extends]
        known[level.name] = frozenset(bases).union(*(known[base] for base in bases))
    return known


def _language(
    merge: Merge, key: str, read: Callable[[Recipe], LanguagePackages | None], streams: Streams
) -> LanguagePackages | None:
    """The user's language section: one version, all requirements."""
    version = merge.single(lambda r: section.version if (section := read(r)) else None, key, "version")
    if version is None:
        return None
    words = []
    for level in merge.levels:
        section = read(level.recipe)
        for i, text in enumerate(section.packages if section else ()):
            words.append(Word(level, text, (key, "packages", i)))
            merge.add_origin((key, "packages", text), level.origin(key, "packages", i))
    streams.setdefault(key, {})[version] = merge.origins[key, "version"]
    union = union_python if key == "python" else union_node
    return LanguagePackages(version=version, packages=union(merge, words))


def _applications(merge: Merge, streams: Streams) -> tuple[Application, ...]:
    """Applications by name; what several levels say about one is combined like a language section."""
    said: dict[str, list[tuple[ParsedRecipe, int, Application]]] = {}
    for level in merge.levels:
        for i, application in enumerate(level.recipe.applications):
            said.setdefault(application.name, []).append((level, i, application))
    merged = []
    for name, parts in sorted(said.items()):
        key = ("applications", name)
        merge.origins[key] = tuple(level.origin("applications", i) for level, i, _ in parts)
        versions = [
            Word(level, application.python.version, ("applications", i, "python", "version"))
            for level, i, application in parts
        ]
        version = merge.agree((*key, "python", "version"), versions)
        if version is None:
            continue
        requirements = [
            Word(level, text, ("applications", i, "python", "packages", n))
            for level, i, application in parts
            for n, text in enumerate(application.python.packages)
        ]
        wanted = streams.setdefault("python", {})
        wanted[version] = wanted.get(version, ()) + merge.origins[(*key, "python", "version")]
        packages = union_python(merge, requirements)
        commands = _commands(merge, key, parts)
        python = LanguagePackages(version=version, packages=packages)
        merged.append(Application(name=name, python=python, commands=commands))
    _check_commands(merge, merged)
    return tuple(merged)


def _check_commands(merge: Merge, applications: list[Application]) -> None:
    """Every command in /usr/local/bin belongs to one application."""
    owners: dict[str, str] = {}
    for application in applications:
        for command in application.commands:
            owner = owners.setdefault(command, application.name)
            if owner != application.name:
                places = [
                    f"'{name}' ({merge.origins['applications', name, 'commands', command][0]})"
                    for name in (owner, application.name)
                ]
                message = f"the applications {places[0]} and {places[1]} both provide the command '{command}'"
                fault = merge.top.fault(
                    Code.CONFLICT, message, "extends", hint="name one of them differently"
                )
                merge.faults.append(fault)


def _commands(
    merge: Merge, key: tuple[str, ...], parts: list[tuple[ParsedRecipe, int, Application]]
) -> dict[str, str]:
    words: dict[str, list[Word[str]]] = {}
    for level, i, application in parts:
        for command, script in application.commands.items():
            words.setdefault(command, []).append(
                Word(level, script, ("applications", i, "commands", command))
            )
    agreed = {
        command: merge.agree((*key, "commands", command), said) for command, said in sorted(words.items())
    }
    return {command: script for command, script in agreed.items() if script is not None}


def _files(merge: Merge) -> dict[str, FileSpec]:
    """Files by path; what one level makes a file cannot be another one's folder."""
    files = merge.table("files", lambda r: r.files)
    for path in files:
        if above := file_above(path, files):
            places = merge.origins["files", path][0], merge.origins["files", above][0]
            if places[0].recipe != places[1].recipe:  # within one recipe a rule has said so
                message = f"'{path}' ({places[0]}) lies below '{above}' ({places[1]}), which is not a folder"
                hint = f"make '{above}' a folder in '{merge.top.name}', or choose another path"
                merge.faults.append(merge.top.fault(Code.CONFLICT, message, "extends", hint=hint))
    return files


def _path(merge: Merge) -> tuple[str, ...]:
    """The folders in front of PATH, those of the nearest level first."""
    folders: dict[str, None] = {}
    for level in reversed(merge.levels):
        for i, folder in enumerate(level.recipe.path):
            folders[folder] = None
            merge.add_origin(("path", folder), level.origin("path", i))
    return tuple(folders)


def _unavailable(merge: Merge) -> dict[Source, str]:
    """Sources some level cannot use; the reasons add up."""
    reasons: dict[Source, dict[str, None]] = {}
    for level in merge.levels:
        for source, reason in level.recipe.unavailable.items():
            reasons.setdefault(source, {})[reason] = None
            merge.add_origin(("unavailable", source), level.origin("unavailable", source))
    return {source: "; ".join(sorted(said)) for source, said in sorted(reasons.items())}


def _platforms(merge: Merge) -> tuple[Platform, ...]:
    """Platforms that every level supports which says so; empty when none does."""
    speaking = [level for level in merge.levels if level.recipe.platforms]
    for level in speaking:
        merge.add_origin(("platforms",), level.origin("platforms"))
        for base in speaking:
            missing = sorted(set(level.recipe.platforms) - set(base.recipe.platforms))
            if missing and base.name in merge.ancestors[level.name]:
                _excluded(merge, missing[0], level, base)
    if not speaking:
        return ()
    left = set(PLATFORMS).intersection(*(level.recipe.platforms for level in speaking))
    if not left and not merge.faults:
        _excluded(merge, speaking[-1].recipe.platforms[0], speaking[-1], speaking[0])
    return tuple(sorted(left))


def _excluded(merge: Merge, platform: str, level: ParsedRecipe, base: ParsedRecipe) -> None:
    message = (
        f"'{level.name}' is for {platform} ({level.origin('platforms')}), "
        f"but '{base.name}' is not ({base.origin('platforms')})"
    )
    hint = f"take {platform} out of 'platforms', or add it to '{base.name}'"
    where = "platforms" if level is merge.top else "extends"
    merge.faults.append(merge.top.fault(Code.PLATFORM, message, where, hint=hint))
