"""Rules about a single recipe that a JSON Schema cannot state, each under its code.

A rule looks at one recipe alone; what needs other recipes is in `compose.py`, what needs the package
table in `packages.py`. `RULES` is the list the tests compare the schema with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import NamedTuple

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from openhands_recipes.compile.recipe.faults import Code
from openhands_recipes.compile.recipe.paths import path_problem
from openhands_recipes.compile.recipe.ranges import HINT, parse_range
from openhands_recipes.compile.recipe.requirements import node_problem, python_name, python_problem
from openhands_recipes.model.proof import OutputCheck
from openhands_recipes.model.recipe import EgressRule, FileSpec, PackageRequest, Recipe


class Breach(NamedTuple):
    """A rule that does not hold: at which value, in which words."""

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None
    fix: str | None = None


Rule = Callable[[Recipe], Iterator[Breach]]

RESERVED_ENVIRONMENT = frozenset(
    {"PATH", "PWD", "OLDPWD", "SHLVL", "IFS", "_", "UID", "EUID", "PPID", "HOSTNAME"}
)
RESERVED_APPLICATIONS = frozenset({"python", "node"})
# fmt: off
DEBIAN_ACCOUNTS = frozenset({
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy",
    "www-data", "backup", "list", "irc", "nobody", "adm", "tty", "disk", "kmem", "dialout", "fax", "voice",
    "cdrom", "floppy", "tape", "sudo", "audio", "dip", "operator", "src", "shadow", "utmp", "video", "sasl",
    "plugdev", "users", "nogroup",
})
# fmt: on
"""Accounts and groups of Debian's base-passwd."""
FIRST_USER_ID = 1000
"""Debian policy 9.2.2: lower ids belong to packages."""


def license_is_spdx(recipe: Recipe) -> Iterator[Breach]:
    """The licence is an SPDX expression in its canonical spelling."""
    canonical = _canonical_license(recipe.license)
    if canonical is None:
        message = f"'{recipe.license}' is not an SPDX licence expression"
        yield Breach(("license",), message, "for example MIT, Apache-2.0 or 'MIT OR Apache-2.0'")
    elif canonical != recipe.license:
        message = f"the licence '{recipe.license}' is spelled '{canonical}'"
        yield Breach(("license",), message, f"write {canonical}", canonical)


@cache
def _canonical_license(expression: str) -> str | None:
    try:
        return canonicalize_license_expression(expression)
    except InvalidLicenseExpression:
        return None


def files_are_one_thing(recipe: Recipe) -> Iterator[Breach]:
    """A file has text, is a link or is a folder; exactly one of the three."""
    for path, spec in recipe.files.items():
        given = [kind for kind in ("text", "link", "directory") if getattr(spec, kind) is not None]
        if len(given) != 1:
            said = " and ".join(given) if given else "none of text, link and directory"
            yield Breach(
                ("files", path), f"'{path}' has {said}", "give exactly one of text, link and directory"
            )
        elif spec.link is not None and spec.mode is not None:
            yield Breach(("files", path, "mode"), f"the link '{path}' cannot have a mode", "remove 'mode'")


def names_are_used_once(recipe: Recipe) -> Iterator[Breach]:
    """Lists whose members have names name each of them once."""
    packages = [p.name if isinstance(p, PackageRequest) else p for p in recipe.packages]
    yield from _twice(("packages",), "the package", packages)
    yield from _twice(("tests",), "the test", [t.name for t in recipe.tests])
    yield from _twice(("applications",), "the application", [a.name for a in recipe.applications])
    yield from _twice(("ports",), "the port", [p.name for p in recipe.ports])
    yield from _twice(("ports",), "the port", [f"{p.port}/{p.protocol}" for p in recipe.ports])
    yield from _twice(("tags",), "the tag", recipe.tags)
    yield from _twice(("platforms",), "the platform", recipe.platforms)
    yield from _twice(("path",), "the folder", recipe.path)
    yield from _twice(("extends",), "the base", [base_name(e) for e in recipe.extends])
    yield from _twice(("maintainers",), "the maintainer", [m.id for m in recipe.maintainers])
    egress = [e.host if isinstance(e, EgressRule) else e for e in recipe.permissions.network.egress]
    yield from _twice(("permissions", "network", "egress"), "the host or group", egress)
    for where, texts in _python_requirements(recipe):
        yield from _twice(where, "the requirement", [python_name(text) or text for text in texts])
    commands: dict[str, str] = {}
    for i, application in enumerate(recipe.applications):
        for command in application.commands:
            if command in commands and commands[command] != application.name:
                message = f"the command '{command}' belongs to the application '{commands[command]}' already"
                yield Breach(
                    ("applications", i, "commands", command), message, "name one of them differently"
                )
            commands.setdefault(command, application.name)


def _twice(where: tuple[str | int, ...], kind: str, names: Iterable[Hashable]) -> Iterator[Breach]:
    seen = set()
    for i, name in enumerate(names):
        if name in seen:
            yield Breach((*where, i), f"{kind} '{name}' is listed twice", "remove one of the two")
        seen.add(name)


def _checks(recipe: Recipe) -> Iterator[tuple[tuple[str | int, ...], OutputCheck]]:
    for i, test in enumerate(recipe.tests):
        if test.stdout is not None:
            yield ("tests", i, "stdout"), test.stdout
        if test.stderr is not None:
            yield ("tests", i, "stderr"), test.stderr


def _python_requirements(recipe: Recipe) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
    if recipe.python is not None:
        yield ("python", "packages"), recipe.python.packages
    for i, application in enumerate(recipe.applications):
        yield ("applications", i, "python", "packages"), application.python.packages


def base_name(extends: str) -> str:
    """The base an entry of `extends` names, registry included, range left out."""
    return extends.partition("@")[0]


def ranges_parse(recipe: Recipe) -> Iterator[Breach]:
    """Every version range is one."""
    for i, package in enumerate(recipe.packages):
        if isinstance(package, PackageRequest) and package.version is not None:
            yield from _range(("packages", i, "version"), package.version)
    for i, base in enumerate(recipe.extends):
        _, at, text = base.partition("@")
        if at:
            yield from _range(("extends", i), text)


def _range(where: tuple[str | int, ...], text: str) -> Iterator[Breach]:
    try:
        parse_range(text)
    except ValueError:
        yield Breach(where, f"'{text}' is not a version range", HINT)


def expressions_compile(recipe: Recipe) -> Iterator[Breach]:
    """Every `matches` is a regular expression."""
    for where, check in _checks(recipe):
        if check.matches is None:
            continue
        try:
            re.compile(check.matches)
        except (re.error, RecursionError, OverflowError) as error:
            message = f"'{check.matches}' is not a regular expression: {error}"
            yield Breach((*where, "matches"), message, "the syntax is that of Python's re module")


def checks_check_something(recipe: Recipe) -> Iterator[Breach]:
    """An output check has at least one condition."""
    for where, check in _checks(recipe):
        if check.equals is None and check.contains is None and check.matches is None:
            yield Breach(where, "the check has no condition", "give equals, contains or matches")


def names_are_free(recipe: Recipe) -> Iterator[Breach]:
    """Names that belong to the sandbox are not used."""
    for name in recipe.environment.keys() & RESERVED_ENVIRONMENT:
        hint = "remove it; the sandbox sets it for each process"
        if name == "PATH":
            hint = "use the key 'path': a list of folders put in front of the standard PATH"
        yield Breach(("environment", name), f"the environment variable '{name}' is reserved", hint)
    for i, application in enumerate(recipe.applications):
        if application.name in RESERVED_APPLICATIONS:
            message = f"the application name '{application.name}' is reserved"
            yield Breach(("applications", i, "name"), message, "name it after the program")


def end_of_life_is_a_date(recipe: Recipe) -> Iterator[Breach]:
    """The end of life is a day of the calendar."""
    if recipe.end_of_life is not None:
        try:
            date.fromisoformat(recipe.end_of_life)
        except ValueError:
            yield Breach(("end_of_life",), f"'{recipe.end_of_life}' is not a date", "write it as YYYY-MM-DD")


def hosts_are_public_names(recipe: Recipe) -> Iterator[Breach]:
    """An egress host is a name with a domain; addresses and local names are the operator's to allow."""
    for i, rule in enumerate(recipe.permissions.network.egress):
        if isinstance(rule, EgressRule):
            labels = rule.host.removeprefix("*.").split(".")
            well_formed = all(
                0 < len(label) <= 63 and not label.startswith("-") and not label.endswith("-")
                for label in labels
            )
            if not well_formed or len(labels) < 2 or labels[-1].isdigit():
                message = f"'{rule.host}' is not a public host name"
                hint = "write a name like api.example.com; addresses and local names are the operator's"
                yield Breach(("permissions", "network", "egress", i, "host"), message, hint)


def requirements_parse(recipe: Recipe) -> Iterator[Breach]:
    """Requirements are in their registry's syntax and name no place to download from."""
    for where, texts in _python_requirements(recipe):
        for i, text in enumerate(texts):
            if problem := python_problem(text):
                yield Breach((*where, i), f"'{text}' {problem.message}", problem.hint)
    for i, text in enumerate(recipe.node.packages if recipe.node else ()):
        if problem := node_problem(text):
            yield Breach(("node", "packages", i), f"'{text}' {problem.message}", problem.hint)


def paths_are_writable(recipe: Recipe) -> Iterator[Breach]:
    """Paths are plain and lie where a recipe may write."""
    for path in recipe.files:
        if problem := path_problem(path, written=True):
            yield Breach(("files", path), f"'{path}' {problem.message}", problem.hint)
        if parent := file_above(path, recipe.files):
            yield Breach(("files", path), f"'{path}' lies below '{parent}', which is not a folder")
    for i, path in enumerate(recipe.path):
        if problem := path_problem(path, written=False):
            yield Breach(("path", i), f"'{path}' {problem.message}", problem.hint)
    if recipe.workdir and (problem := path_problem(recipe.workdir, written=False)):
        yield Breach(("workdir",), f"'{recipe.workdir}' {problem.message}", problem.hint)


def file_above(path: str, files: Mapping[str, FileSpec]) -> str | None:
    """The entry of `files` that a path lies below although it is no folder."""
    above = path
    while above := above.rpartition("/")[0]:
        if above in files and files[above].directory is None:
            return above
    return None


def urls_have_ports(recipe: Recipe) -> Iterator[Breach]:
    """The port in a readiness URL is one."""
    for name, process in recipe.processes.items():
        url = getattr(process.ready, "http", None)
        if url is not None and not 1 <= int(url[1:].partition("/")[0]) <= 65535:
            port = url[1:].partition("/")[0]
            yield Breach(
                ("processes", name, "ready", "http"), f"{port} is not a port", "ports are 1 to 65535"
            )


def user_is_nobody_elses(recipe: Recipe) -> Iterator[Breach]:
    """The sandbox account is none that Debian or its packages use."""
    user = recipe.user
    if user is None:
        return
    if user.name in DEBIAN_ACCOUNTS:
        yield Breach(("user", "name"), f"the account '{user.name}' belongs to Debian", "choose another name")
    for key in ("uid", "gid"):
        number = getattr(user, key)
        if number < FIRST_USER_ID:
            message = f"{key} {number} belongs to Debian's packages"
            yield Breach(("user", key), message, f"choose one from {FIRST_USER_ID} on")


RULES: dict[Code, Rule] = {
    Code.LICENSE: license_is_spdx,
    Code.FILE_SPEC: files_are_one_thing,
    Code.USED_TWICE: names_are_used_once,
    Code.VERSION_RANGE: ranges_parse,
    Code.REGULAR_EXPRESSION: expressions_compile,
    Code.RESERVED_NAME: names_are_free,
    Code.NOT_A_DATE: end_of_life_is_a_date,
    Code.HOST: hosts_are_public_names,
    Code.REQUIREMENT: requirements_parse,
    Code.PATH: paths_are_writable,
    Code.NOTHING_TO_CHECK: checks_check_something,
    Code.PORT: urls_have_ports,
    Code.ACCOUNT: user_is_nobody_elses,
}


def breaches(recipe: Recipe) -> Iterator[tuple[Code, Breach]]:
    """Every rule the recipe breaks."""
    for code, rule in RULES.items():
        for breach in rule(recipe):
            yield code, breach
