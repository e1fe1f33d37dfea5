"""Rules: every code the gate has, its stage, severity and duties. Codes are never reused or renumbered.

Every code has a page, docs/errors/<code>.md. Findings of `ohr check` (OHR001 to OHR099) keep their own
codes and count as errors of stage B.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from openhands_recipes.model.gate import Finding, Severity, Stage


class Code(enum.StrEnum):
    """The stable code of each rule."""

    SEVERAL_RECIPES = "OHR200"
    OTHER_TREE = "OHR201"
    LINK = "OHR202"
    SUBMODULE = "OHR203"
    PATH_ESCAPE = "OHR204"
    PATH_CHARACTER = "OHR205"
    HIDDEN_CHARACTER = "OHR206"
    BINARY = "OHR207"
    TOO_LARGE = "OHR208"
    CRLF = "OHR209"
    EXECUTABLE = "OHR210"
    CASE_COLLISION = "OHR211"
    STRANGE_FILE = "OHR212"
    PUBLISHED_CHANGED = "OHR213"
    NO_SIGN_OFF = "OHR214"
    BOTH_CHANGED = "OHR215"
    FINAL_NEWLINE = "OHR216"
    NOTHING_CHANGED = "OHR217"
    MIXED_SCRIPTS = "OHR218"
    NOT_NFC = "OHR219"
    NOT_CANONICAL = "OHR220"
    SCHEMA_LINE = "OHR221"
    RESERVED = "OHR222"
    SAME_FOLDED = "OHR223"
    NEAR_NAME = "OHR224"
    LOOKS_LIKE = "OHR225"
    VERSION_ORDER = "OHR226"
    CHANGE_KIND = "OHR227"
    NO_LOCK = "OHR228"
    STALE_LOCK = "OHR229"
    LOCK_BY_HAND = "OHR230"
    FIRST_VERSION = "OHR231"
    STALE_FLAKE = "OHR232"
    NO_DESCRIPTION = "OHR240"
    LICENCE_CHANGED = "OHR241"
    NO_CONSENT = "OHR242"
    NO_TESTS = "OHR243"
    VERSION_TESTS = "OHR244"
    PAST_END = "OHR245"
    NO_CHANGELOG = "OHR246"
    MAINTAINER_LEFT = "OHR247"
    FAR_END = "OHR248"
    INSECURE_URL = "OHR260"
    FLOATING = "OHR261"
    EMPTY_DIGEST = "OHR262"
    DIGESTS_DISAGREE = "OHR263"
    MIRROR_DISAGREES = "OHR264"
    NOT_ON_MIRROR = "OHR265"
    OLDER_STATE = "OHR266"
    EGRESS = "OHR280"
    DEVICE = "OHR281"
    PRIVILEGE = "OHR282"
    ROOT_RIGHTS = "OHR283"
    PORT = "OHR284"
    RESOURCES = "OHR285"
    SECRET = "OHR286"  # noqa: S105 - a code
    DEPENDANT_WIDENS = "OHR287"
    FORBIDDEN = "OHR288"
    RUNS_AS_ROOT = "OHR289"
    WILDCARD = "OHR290"
    SETUID = "OHR291"
    DEPENDANT_BREAKS = "OHR300"
    DEPENDANT_STALE = "OHR301"
    USED_REMOVED = "OHR302"
    REMOVED = "OHR303"
    YANKED_BASE = "OHR304"
    BLOCKED_BASE = "OHR305"
    DEPRECATED_BASE = "OHR306"
    NOT_ASKED = "OHR307"
    TWO_RESULTS = "OHR310"
    NOT_BUILT = "OHR311"
    GROWS = "OHR312"
    ELSEWHERE = "OHR313"
    TEST_FAILS = "OHR320"
    CONTRACT = "OHR321"
    NO_COMMAND = "OHR322"
    ROOT_INSIDE = "OHR323"
    NETWORK_OPEN = "OHR324"
    BILL = "OHR330"
    SECRET_FOUND = "OHR331"  # noqa: S105 - a code
    SECRET_LIKE = "OHR332"  # noqa: S105 - a code
    VULNERABLE = "OHR333"
    STILL_VULNERABLE = "OHR334"
    SCRIPT = "OHR335"
    LESS_EVIDENCE = "OHR336"
    ADVISORY_FILE = "OHR337"
    NOT_JUDGED = "OHR370"
    OTHER_HEAD = "OHR371"
    APPROVALS = "OHR372"
    WAITS = "OHR373"
    POLICY = "OHR374"
    CHANGES_REQUESTED = "OHR375"
    OLD_APPROVAL = "OHR376"
    SKIP_EXPIRED = "OHR377"
    RATCHET_GREW = "OHR378"
    RATCHET_LOOSE = "OHR379"
    NO_OWNERS = "OHR380"
    SETTINGS_FILE = "OHR381"


class Rule(NamedTuple):
    """What is known of a rule without looking at anything."""

    stage: Stage | None
    """None: governance, judged beside the stages."""
    severity: Severity
    title: str
    fixable: bool = False
    skippable: bool = True
    """Whether a named skip may lift it."""
    demand: str = ""
    """Of a `human` rule: which demand of the lane answers it."""
    tolerable: bool = True
    """Whether the ratchet may tolerate old ones."""


def _a(severity: Severity, title: str, *, fixable: bool = False, skippable: bool = True) -> Rule:
    return Rule("A", severity, title, fixable, skippable)


def _wider(title: str) -> Rule:
    return Rule("E", "human", title, demand="widening")


RULES: dict[Code, Rule] = {
    Code.SEVERAL_RECIPES: _a("error", "Several recipes in one pull request"),
    Code.OTHER_TREE: _a("error", "A recipe and something else in one pull request"),
    Code.LINK: _a("error", "A symbolic link", skippable=False),
    Code.SUBMODULE: _a("error", "A submodule", skippable=False),
    Code.PATH_ESCAPE: _a("error", "A path that leads out of its folder", skippable=False),
    Code.PATH_CHARACTER: _a("error", "A path with characters that hide something", skippable=False),
    Code.HIDDEN_CHARACTER: _a("error", "Text with characters that hide something"),
    Code.BINARY: _a("error", "A binary file"),
    Code.TOO_LARGE: _a("error", "Too large, or too many files"),
    Code.CRLF: _a("error", "Windows line ends", fixable=True),
    Code.EXECUTABLE: _a("error", "An executable file", fixable=True),
    Code.CASE_COLLISION: _a("error", "Paths that differ only in case", skippable=False),
    Code.STRANGE_FILE: _a("error", "A file that recipes do not have"),
    Code.PUBLISHED_CHANGED: _a("error", "A published version is changed", skippable=False),
    Code.NO_SIGN_OFF: _a("error", "A commit is not signed off"),
    Code.BOTH_CHANGED: _a("error", "The base changed the same file"),
    Code.FINAL_NEWLINE: _a("error", "The last line has no end", fixable=True),
    Code.NOTHING_CHANGED: _a("error", "Nothing is changed"),
    Code.MIXED_SCRIPTS: _a("human", "A word of letters from several scripts"),
    Code.NOT_NFC: _a("error", "Text that is not in Unicode's composed form", fixable=True),
    Code.NOT_CANONICAL: Rule("B", "error", "Not in canonical form", fixable=True),
    Code.SCHEMA_LINE: Rule("B", "error", "The schema line is missing", fixable=True),
    Code.RESERVED: Rule("B", "error", "A reserved name", skippable=False),
    Code.SAME_FOLDED: Rule("B", "error", "The same name but for case, hyphens and underscores"),
    Code.NEAR_NAME: Rule("B", "human", "A name that is nearly another one"),
    Code.LOOKS_LIKE: Rule("B", "error", "A name that looks like another one"),
    Code.VERSION_ORDER: Rule("B", "error", "Not the next version"),
    Code.CHANGE_KIND: Rule("B", "error", "The version promises less change than there is"),
    Code.NO_LOCK: Rule("B", "error", "No lock"),
    Code.STALE_LOCK: Rule("B", "error", "The lock is stale"),
    Code.LOCK_BY_HAND: Rule("B", "error", "The lock is not what `ohr lock` writes"),
    Code.FIRST_VERSION: Rule("B", "error", "A strange first version"),
    Code.STALE_FLAKE: Rule("B", "error", "The flake's data is stale"),
    Code.NO_DESCRIPTION: Rule("C", "error", "No description"),
    Code.LICENCE_CHANGED: Rule("C", "human", "The licence changes"),
    Code.NO_CONSENT: Rule("C", "human", "A new maintainer has not agreed", demand="consent"),
    Code.NO_TESTS: Rule("C", "error", "No tests"),
    Code.VERSION_TESTS: Rule("C", "warning", "Tests that only print versions"),
    Code.PAST_END: Rule("C", "error", "The end of life has passed"),
    Code.NO_CHANGELOG: Rule("C", "error", "A breaking change without a changelog entry"),
    Code.MAINTAINER_LEFT: Rule("C", "human", "A maintainer is taken off"),
    Code.FAR_END: Rule("C", "warning", "The end of life is very far away"),
    Code.INSECURE_URL: Rule("D", "error", "An address without encryption"),
    Code.FLOATING: Rule("D", "error", "Something that changes by itself"),
    Code.EMPTY_DIGEST: Rule("D", "error", "A digest that pins nothing", skippable=False),
    Code.DIGESTS_DISAGREE: Rule("D", "error", "One file, two digests", skippable=False),
    Code.MIRROR_DISAGREES: Rule("D", "error", "The source has other bytes", skippable=False),
    Code.NOT_ON_MIRROR: Rule("D", "human", "The source does not have it"),
    Code.OLDER_STATE: Rule("D", "error", "An older state of Debian"),
    Code.EGRESS: _wider("May reach more of the network"),
    Code.DEVICE: _wider("May use another device"),
    Code.PRIVILEGE: _wider("Has another privilege"),
    Code.ROOT_RIGHTS: _wider("Another account, or root rights"),
    Code.PORT: _wider("Listens on another port"),
    Code.RESOURCES: _wider("Asks for more resources"),
    Code.SECRET: _wider("Wants a secret"),
    Code.DEPENDANT_WIDENS: _wider("A dependant's permissions widen"),
    Code.FORBIDDEN: Rule("E", "error", "A right no recipe may have", skippable=False),
    Code.RUNS_AS_ROOT: Rule("E", "error", "Runs as root"),
    Code.WILDCARD: Rule("E", "error", "A wildcard over half the network"),
    Code.SETUID: _wider("A file that changes the user"),
    Code.DEPENDANT_BREAKS: Rule("F", "error", "A dependant breaks"),
    Code.DEPENDANT_STALE: Rule("F", "error", "A dependant's lock becomes stale"),
    Code.USED_REMOVED: Rule("F", "error", "A used module is removed", skippable=False),
    Code.REMOVED: Rule("F", "human", "A recipe is removed", demand="removal"),
    Code.YANKED_BASE: Rule("F", "error", "Builds on a yanked release"),
    Code.BLOCKED_BASE: Rule("F", "error", "Builds on a blocked release", skippable=False),
    Code.DEPRECATED_BASE: Rule("F", "warning", "Builds on a deprecated release"),
    Code.NOT_ASKED: Rule(
        "F", "human", "Another registry could not be asked", skippable=False, tolerable=False
    ),
    Code.TWO_RESULTS: Rule("G", "error", "Built twice, two results", skippable=False),
    Code.NOT_BUILT: Rule("G", "error", "It cannot be built"),
    Code.GROWS: Rule("G", "human", "The image grows a lot"),
    Code.ELSEWHERE: Rule("G", "note", "Not proven for another platform"),
    Code.TEST_FAILS: Rule("H", "error", "A test fails"),
    Code.CONTRACT: Rule("H", "error", "The contract is broken"),
    Code.NO_COMMAND: Rule("H", "error", "A declared command is not there"),
    Code.ROOT_INSIDE: Rule("H", "error", "Processes run as root"),
    Code.NETWORK_OPEN: Rule("H", "error", "The network is not closed", skippable=False),
    Code.BILL: Rule("I", "error", "No valid bill of materials", skippable=False),
    Code.SECRET_FOUND: Rule("I", "error", "A secret"),
    Code.SECRET_LIKE: Rule("I", "human", "Something like a secret"),
    Code.VULNERABLE: Rule("I", "error", "A new known vulnerability", tolerable=False),
    Code.STILL_VULNERABLE: Rule("I", "human", "An old known vulnerability"),
    Code.SCRIPT: Rule("I", "human", "A script that does something risky"),
    Code.LESS_EVIDENCE: Rule("I", "error", "Releases would come with less evidence"),
    Code.ADVISORY_FILE: Rule("I", "warning", "An advisory cannot be read"),
    Code.NOT_JUDGED: Rule(None, "human", "Not judged without the forge's event", skippable=False),
    Code.OTHER_HEAD: Rule(None, "error", "The event is about another commit", skippable=False),
    Code.APPROVALS: Rule(None, "human", "Approvals are missing", skippable=False),
    Code.WAITS: Rule(None, "human", "Open for too short a time", skippable=False),
    Code.POLICY: Rule(None, "human", "What decides the gate is changed", skippable=False, demand="policy"),
    Code.CHANGES_REQUESTED: Rule(None, "human", "A reviewer asks for changes", skippable=False),
    Code.OLD_APPROVAL: Rule(None, "note", "An approval of another commit", skippable=False),
    Code.SKIP_EXPIRED: Rule(None, "error", "A skip has expired", skippable=False),
    Code.RATCHET_GREW: Rule(None, "error", "The ratchet may only shrink", skippable=False),
    Code.RATCHET_LOOSE: Rule(None, "note", "The ratchet can shrink", skippable=False),
    Code.NO_OWNERS: Rule(None, "human", "Nobody is named as owner", skippable=False),
    Code.SETTINGS_FILE: Rule(None, "error", "A settings file of the gate is wrong", skippable=False),
}


def finding(  # noqa: PLR0913 - a finding has a place and words
    code: Code,
    message: str,
    file: str = "",
    *,
    line: int = 0,
    hint: str | None = None,
    severity: Severity | None = None,
) -> Finding:
    """A finding of a rule, with the rule's severity unless another is given."""
    rule = RULES[code]
    return Finding(
        code=code,
        severity=severity or rule.severity,
        message=message,
        file=file,
        line=line,
        hint=hint,
        fixable=rule.fixable,
    )


def rule_of(code: str) -> Rule:
    """What is known of a code, also of those of `ohr check`."""
    return RULES[Code(code)] if code in RULES else Rule("B", "error", "A fault of the recipe")
