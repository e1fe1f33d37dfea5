"""Secrets in texts, found by detect-secrets' detectors.

Detectors are called one by one: the library's own scan honours comments that switch it off for a line, which
is the last thing the author of a pull request should decide, and may ask services whether a secret is valid.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from openhands_recipes.ports.proving import SecretHit

PLUGINS = "detect_secrets.plugins."
# fmt: off
SURE = (
    ("artifactory", "ArtifactoryDetector"), ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"), ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"), ("gitlab_token", "GitLabTokenDetector"),
    ("mailchimp", "MailchimpDetector"), ("npm", "NpmDetector"), ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"), ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"), ("slack", "SlackDetector"), ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"), ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
"""What has the form some service gives its secrets."""
GUESSES = (("basic_auth", "BasicAuthDetector"), ("jwt", "JwtTokenDetector"), ("keyword", "KeywordDetector"))
"""What looks like one. Mere entropy does not count: every digest and checksum of a registry has it."""
# fmt: on
LONGEST_LINE = 20_000
"""Longer lines are looked at in pieces, which overlap by `OVERLAP`."""
OVERLAP = 500


def find_secrets(text: str, *, guess: bool) -> Iterator[SecretHit]:
    """Secrets of a text, by line, each kind once a line."""
    detectors = [(detector, True) for detector in _detectors(SURE)]
    detectors += [(detector, False) for detector in _detectors(GUESSES)] if guess else []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        told = set()
        for piece in _pieces(line):
            for detector, sure in detectors:
                for found in detector.analyze_line(filename="recipe.yaml", line=piece, line_number=number):
                    if found.type not in told:
                        told.add(found.type)
                        yield SecretHit(number, found.type, sure)


def _pieces(line: str) -> Iterator[str]:
    yield from (line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE - OVERLAP))


@lru_cache(maxsize=2)
def _detectors(named: tuple[tuple[str, str], ...]) -> tuple[Any, ...]:
    return tuple(getattr(importlib.import_module(PLUGINS + module), name)() for module, name in named)
