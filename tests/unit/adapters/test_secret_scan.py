"""Secrets are found by the form services give them, and nobody can switch that off."""

from __future__ import annotations

import pytest

from openhands_recipes.adapters.secret_scan import LONGEST_LINE, find_secrets

GITHUB = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ012345"
AWS = "AKIA" + "QYLPMN5HFIQR7XYA"


@pytest.mark.parametrize(
    "line",
    [
        f"  TOKEN: {GITHUB}",
        f"curl -H 'Authorization: {GITHUB}' # pragma: allowlist secret",
        f"aws configure set aws_access_key_id {AWS}",
        "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
        "x" * (LONGEST_LINE - 20) + f" {GITHUB} " + "y" * LONGEST_LINE,
    ],
)
def test_what_has_the_form_of_a_secret_is_one(line: str) -> None:
    hits = list(find_secrets(f"one\n{line}\n", guess=False))
    assert [(hit.line, hit.sure) for hit in hits] == [(2, True)]


def test_what_only_looks_like_one_is_a_guess() -> None:
    text = 'password: "hunter22hunter"\n'
    assert [(hit.line, hit.sure) for hit in find_secrets(text, guess=True)] == [(1, False)]
    assert list(find_secrets(text, guess=False)) == []


def test_digests_and_ordinary_text_are_none() -> None:
    text = (
        f"sha256: {'0a1b' * 16}\ndescription: a token of the network's password manager\nrun: echo $TOKEN\n"
    )
    assert list(find_secrets(text, guess=True)) == []
