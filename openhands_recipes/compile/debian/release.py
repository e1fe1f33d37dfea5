"""The text of a Release file, once its signature is known to be good, into a `Release`.

Format: wiki.debian.org/DebianRepository/Format, "Release files". Pure; whether the dates are
acceptable is decided where the clock is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.release import ListedFile, Release

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATE = re.compile(
    r"(?:[A-Z][a-z]{2}, +)?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:UTC|GMT|Z|\+0000)"
)
FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")
LISTED = re.compile(r"([0-9a-f]{64})[ \t]+(\d{1,15})[ \t]+(\S+)")


def parse_release(content: bytes, *, where: str) -> Release:
    """A Release file's text as a value.

    Raises:
        VerificationError: a field is missing, named twice or cannot be read; signed or not, such a file
            promises nothing.
    """
    fields = _fields(content, where)
    codename, suite = fields.get("codename", ""), fields.get("suite", "")
    if not codename and not suite:
        raise _broken("it has neither Codename nor Suite", where)
    if "sha256" not in fields:
        raise _broken("it has no SHA256 table", where)
    valid_until = fields.get("valid-until")
    architectures = tuple(fields.get("architectures", "").split())
    return Release(
        origin=fields.get("origin", ""),
        suite=suite,
        codename=codename,
        date=parse_date(fields.get("date", ""), where=where),
        valid_until=None if valid_until is None else parse_date(valid_until, where=where),
        by_hash=fields.get("acquire-by-hash", "").lower() == "yes",
        architectures=architectures,
        all_in_each="all" not in architectures
        or "Packages" in fields.get("no-support-for-architecture-all", "").split(),
        files=_table(fields["sha256"], where),
    )


def parse_date(text: str, *, where: str) -> datetime:
    """A date as Release files write it, `Sat, 21 Nov 2026 09:15:44 UTC`, whatever the locale.

    Raises:
        VerificationError: it is no such date.
    """
    match = DATE.fullmatch(text.strip())
    if match and match[2] in MONTHS:
        day, month, year, hour, minute, second = match.groups()
        numbers = (int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
        try:
            return datetime(*numbers, tzinfo=UTC)
        except ValueError:
            pass
    raise _broken(f"{text!r} is not a date", where)


def _fields(content: bytes, where: str) -> dict[str, str]:
    """Field name in lower case -> value, continuation lines joined by line breaks."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _broken("it is not UTF-8", where) from error
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.rstrip().split("\n"):
        if line.startswith((" ", "\t")) and current is not None:
            current.append(line.strip())
        elif match := FIELD.fullmatch(line.rstrip()):
            name = match[1].lower()
            if name in fields:
                raise _broken(f"the field {match[1]} stands there twice", where)
            current = fields[name] = [match[2]]
        else:
            raise _broken(f"it has a line that is no field: {line[:60]!r}", where)
    return {name: "\n".join(lines).strip() for name, lines in fields.items()}


def _table(text: str, where: str) -> dict[str, ListedFile]:
    """The SHA256 table: path -> file."""
    files: dict[str, ListedFile] = {}
    for line in text.split("\n"):
        match = LISTED.fullmatch(line.strip())
        if match is None:
            if not line.strip():
                continue
            raise _broken(f"its SHA256 table has a line that cannot be read: {line[:100]!r}", where)
        listed = ListedFile(path=match[3], size=int(match[2]), sha256=match[1])
        if listed.path.startswith("/") or ".." in listed.path.split("/"):
            raise _broken(f"its SHA256 table names a path outside the suite: {listed.path!r}", where)
        if files.setdefault(listed.path, listed) != listed:
            raise _broken(f"its SHA256 table names {listed.path} twice, with different hashes", where)
    return files


def _broken(what: str, where: str) -> VerificationError:
    return VerificationError(
        f"not a usable Release file: {what}", where=where, hint="the mirror is broken: use another one"
    )
