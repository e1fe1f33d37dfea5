"""Faults: everything that can be wrong with a recipe, each kind with a code that never changes.

Every code has a page, docs/errors/<code>.md. Codes are never reused or renumbered.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from openhands_recipes.errors import InvalidRecipeError, RecipesError


class Code(enum.StrEnum):
    """The stable code of each kind of fault."""

    TOO_LARGE = "OHR001"
    NOT_UTF8 = "OHR002"
    CHARACTER = "OHR003"
    SYNTAX = "OHR004"
    TOO_DEEP = "OHR005"
    TOO_MANY_VALUES = "OHR006"
    DUPLICATE_KEY = "OHR007"
    YAML_FEATURE = "OHR008"
    NOT_A_MAPPING = "OHR009"
    UNKNOWN_KEY = "OHR010"
    MISSING_KEY = "OHR011"
    WRONG_TYPE = "OHR012"
    QUOTE_IT = "OHR013"
    WRONG_FORM = "OHR014"
    NOT_A_CHOICE = "OHR015"
    OUT_OF_RANGE = "OHR016"
    SCHEMA_NUMBER = "OHR017"
    NAME_AND_FOLDER = "OHR020"
    LICENSE = "OHR021"
    FILE_SPEC = "OHR022"
    USED_TWICE = "OHR023"
    VERSION_RANGE = "OHR024"
    REGULAR_EXPRESSION = "OHR025"
    RESERVED_NAME = "OHR026"
    NOT_A_DATE = "OHR027"
    HOST = "OHR028"
    REQUIREMENT = "OHR029"
    PATH = "OHR030"
    NOTHING_TO_CHECK = "OHR031"
    PORT = "OHR032"
    ACCOUNT = "OHR033"
    UNKNOWN_BASE = "OHR040"
    CYCLE = "OHR041"
    BASE_VERSION = "OHR042"
    NO_ORDER = "OHR043"
    CONFLICT = "OHR044"
    RANGES_EXCLUDE = "OHR045"
    OTHER_REGISTRY = "OHR046"
    PLATFORM = "OHR047"
    BROKEN_BASE = "OHR048"
    UNKNOWN_PACKAGE = "OHR050"
    NO_STREAM = "OHR051"
    UNAVAILABLE = "OHR052"
    PACKAGE_TABLE = "OHR053"
    STALE_LOCK = "OHR060"
    UNREADABLE = "OHR070"
    NOT_FROM_SOURCE = "OHR100"
    NOT_IN_NIXPKGS = "OHR101"


TITLES: dict[Code, str] = {
    Code.TOO_LARGE: "The document is too large",
    Code.NOT_UTF8: "The document is not UTF-8",
    Code.CHARACTER: "A character that documents may not contain",
    Code.SYNTAX: "Not YAML",
    Code.TOO_DEEP: "Nested too deeply",
    Code.TOO_MANY_VALUES: "Too many values",
    Code.DUPLICATE_KEY: "A key is written twice",
    Code.YAML_FEATURE: "A part of YAML that documents may not use",
    Code.NOT_A_MAPPING: "The document is not a mapping",
    Code.UNKNOWN_KEY: "Unknown key",
    Code.MISSING_KEY: "A required key is missing",
    Code.WRONG_TYPE: "A value of the wrong type",
    Code.QUOTE_IT: "Text that YAML reads as something else",
    Code.WRONG_FORM: "Text of the wrong form",
    Code.NOT_A_CHOICE: "Not one of the allowed values",
    Code.OUT_OF_RANGE: "Too small or too large",
    Code.SCHEMA_NUMBER: "Another schema number",
    Code.NAME_AND_FOLDER: "The name is not the folder's",
    Code.LICENSE: "Not an SPDX licence expression",
    Code.FILE_SPEC: "A file needs exactly one of text, link and directory",
    Code.USED_TWICE: "Something is listed twice",
    Code.VERSION_RANGE: "Not a version range",
    Code.REGULAR_EXPRESSION: "Not a regular expression",
    Code.RESERVED_NAME: "The name is reserved",
    Code.NOT_A_DATE: "Not a date",
    Code.HOST: "Not a public host name",
    Code.REQUIREMENT: "Not a package requirement",
    Code.PATH: "A path that recipes may not write",
    Code.NOTHING_TO_CHECK: "A check that checks nothing",
    Code.PORT: "Not a port",
    Code.ACCOUNT: "An account that belongs to Debian",
    Code.UNKNOWN_BASE: "Unknown base",
    Code.CYCLE: "Recipes extend each other in a circle",
    Code.BASE_VERSION: "The base has another version",
    Code.NO_ORDER: "The bases cannot be put in order",
    Code.CONFLICT: "Bases disagree",
    Code.RANGES_EXCLUDE: "Version ranges exclude each other",
    Code.OTHER_REGISTRY: "A base from another registry",
    Code.PLATFORM: "A platform that a base does not support",
    Code.BROKEN_BASE: "A base is broken itself",
    Code.UNKNOWN_PACKAGE: "Unknown package",
    Code.NO_STREAM: "No version stream fits",
    Code.UNAVAILABLE: "The source does not have it",
    Code.PACKAGE_TABLE: "The package table is malformed",
    Code.STALE_LOCK: "The lock belongs to something else",
    Code.UNREADABLE: "The file cannot be read safely",
    Code.NOT_FROM_SOURCE: "The recipe cannot be had from this source",
    Code.NOT_IN_NIXPKGS: "nixpkgs lacks a package of a language",
}

WARNINGS = frozenset({Code.STALE_LOCK})
"""What does not make a recipe bad: it only has to be done before the next step."""

SHAPE_CODES = frozenset(
    {
        Code.NOT_A_MAPPING,
        Code.UNKNOWN_KEY,
        Code.MISSING_KEY,
        Code.WRONG_TYPE,
        Code.QUOTE_IT,
        Code.WRONG_FORM,
        Code.NOT_A_CHOICE,
        Code.OUT_OF_RANGE,
        Code.SCHEMA_NUMBER,
    }
)
"""Faults of shape: the JSON Schema finds exactly these. All others are beyond what it can say."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, where it is, and what to do about it.

    Lines and columns count from 1; 0 means the file as a whole. `path` names the value inside the
    document: `tests[0].stdout.matches`. `fix` is a replacement text where there is only one.
    """

    code: Code
    message: str
    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    hint: str | None = None
    fix: str | None = None

    @property
    def severity(self) -> Literal["error", "warning"]:
        """How bad it is; only errors make a recipe bad."""
        return "warning" if self.code in WARNINGS else "error"

    @property
    def where(self) -> str:
        """`file:line:column`, as far as known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        lines = [f"{self.severity}[{self.code}]: {self.message}", f"  --> {self.where}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


def in_reading_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Each fault once, as a reader meets them."""
    return tuple(sorted(dict.fromkeys(faults), key=lambda f: (f.file, f.line, f.column, f.code, f.message)))


def error_of(faults: Sequence[Fault], kind: type[RecipesError] = InvalidRecipeError) -> RecipesError:
    """One exception that carries all of the faults; with a single one it reads like that one."""
    first = faults[0]
    if len(faults) == 1:
        return kind(first.message, where=first.where, hint=first.hint, faults=faults)
    return kind(f"{len(faults)} faults in {first.file}", faults=in_reading_order(faults))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known word, if any is near."""
    near = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else None
