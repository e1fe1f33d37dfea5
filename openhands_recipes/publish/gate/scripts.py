"""Stage I, scripts: what a recipe's own scripts do that somebody must have looked at.

A list of what attackers write into install scripts. It finds the careless and the lazy; who hides well must
be found by reviewers and by the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from openhands_recipes.model.gate import Finding
from openhands_recipes.model.recipe import Recipe
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.rules import Code, finding
from openhands_recipes.publish.gate.sources import spoken_texts

SHELL = r"(?:/\S*/)?(?:env\s+)?(?:ba|da|z|k|a|fi)?sh\b|(?:/\S*/)?(?:python[\d.]*|perl|ruby|node|php)\b"
PIPED = rf"[^\n;&]{{0,200}}\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:{SHELL})"


class Risk(NamedTuple):
    """A pattern, and what it does."""

    what: str
    pattern: re.Pattern[str]


def _risk(what: str, pattern: str) -> Risk:
    return Risk(what, re.compile(pattern, re.IGNORECASE))


RISKS = (
    _risk("runs what it downloads", rf"\b(?:curl|wget|fetch|http)\b{PIPED}"),
    _risk(
        "runs what it downloads",
        r"(?:\beval\b|\bsource\b|(?:^|\s)\.|\bsh\s+-c)\s*[\"']?[<$]\(\s*(?:curl|wget)",
    ),
    _risk("runs what it decodes", rf"\b(?:base64|base32|xxd|openssl\s+enc)\b{PIPED}"),
    _risk("runs what it decodes", r"\b(?:exec|eval)\s*\(.{0,80}(?:b64decode|fromhex|decompress|unhexlify)"),
    _risk(
        "gives a file the rights of its owner",
        r"\bchmod\b[^\n;&|]{0,200}\s(?:[ugoa]*\+[rwxt]*s|0?[2467]\d{3})\b",
    ),
    _risk("gives a program capabilities", r"\bsetcap\b"),
    _risk("opens a shell to somebody else", r"/dev/(?:tcp|udp)/(?!127\.0\.0\.1\b|localhost\b)"),
    _risk(
        "opens a shell to somebody else",
        r"\b(?:nc|ncat|netcat|socat)\b[^\n;|]{0,200}\s(?:-[a-z]*[ec]\b|exec:)",
    ),
    _risk(
        "asks the cloud for its credentials", r"169\.254\.169\.254|metadata\.google\.internal|fd00:ec2::254"
    ),
    _risk("reads the cluster's credentials", r"/var/run/secrets/|/run/secrets/kubernetes"),
    _risk("reads other processes' secrets", r"/proc/(?:1|self|\*|\$\w+)/(?:environ|mem)\b"),
    _risk("reads or plants keys", r"\.ssh/(?:id_|authorized_keys)|\.aws/credentials|\.docker/config\.json"),
    _risk(
        "trusts anybody",
        r"\bcurl\b[^\n;|]{0,200}\s(?:-[a-z]*k\b|--insecure)|--no-check-certificate|--trusted-host",
    ),
    _risk(
        "trusts anybody", r"NODE_TLS_REJECT_UNAUTHORIZED\W{1,4}0|GIT_SSL_NO_VERIFY|--allow-unauthenticated"
    ),
    _risk("is loaded into every program", r"\bLD_PRELOAD\b|/etc/ld\.so\.preload"),
    _risk("starts by itself later", r"\bcrontab\b|/etc/cron|systemctl\s+enable|/etc/rc\.local"),
    _risk("mines", r"\bxmrig\b|stratum\+(?:tcp|ssl)://|\bminerd\b"),
    _risk("changes the account's rights", r"NOPASSWD|/etc/sudoers|\busermod\b[^\n;|]{0,200}\bsudo\b"),
)


def script_texts(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Every text of a recipe that is run or read by a program, tests among them."""
    yield from spoken_texts(recipe)
    yield from ((f"tests.{test.name}", test.run) for test in recipe.tests)


def risks_of(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Key, what it does, and the words that do it."""
    for key, text in script_texts(recipe):
        joined = re.sub(r"\\\n\s*", " ", text)
        for what, pattern in RISKS:
            for match in pattern.finditer(joined):
                yield key, what, " ".join(match[0].split())[:80]


def risky_scripts(case: Case) -> Iterator[Finding]:
    """Whatever is risky and was not there before is looked at by somebody."""
    for recipe, side in case.present:
        if side.recipe is None:
            continue
        known = recipe.before.recipe if recipe.before else None
        old = {(what, words) for _, what, words in risks_of(known)} if known else set()
        for key, what, words in dict.fromkeys(risks_of(side.recipe)):
            if (what, words) not in old:
                message = f"'{key}' {what}: {words}"
                hint = "do without, or say in the pull request why it is safe"
                yield finding(Code.SCRIPT, message, recipe.file, hint=hint)
