"""The gate judges what extends another registry, by the index that the base trusts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.test_other_registries import (  # noqa: F401 - fixtures
    NETWORK,
    Exchange,
    _an_archive_of_no_packages,
    exchange,
)

SCHEMA_LINE = "# yaml-language-server: $schema=../../schema/recipe.schema.json"


def commit(exchange: Exchange, message: str) -> str:  # noqa: F811
    exchange.ours.git("add", "-A")
    exchange.ours.git("commit", "--quiet", "--signoff", "-m", message)
    return exchange.ours.git("rev-parse", "HEAD")


def judge(exchange: Exchange, base: str, *, exits: int) -> dict[str, Any]:  # noqa: F811
    done = exchange.ours.ohr("gate", "--base", base, "--format", "json", expect=exits)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def found(verdict: dict[str, Any]) -> dict[str, str]:
    return {finding["code"]: finding["message"] for finding in verdict["findings"]}


@pytest.fixture
def base(exchange: Exchange) -> str:  # noqa: F811 - the fixture
    """Our registry with a locked child of theirs."""
    exchange.ours.ohr("lock", "child")
    return commit(exchange, "a child")


def test_a_child_of_another_registrys_module_is_judged_by_its_index(exchange: Exchange, base: str) -> None:  # noqa: F811
    exchange.ours.write("child", extends='"acme/tools@^1"', version="1.0.1", more=NETWORK % "child")
    exchange.ours.ohr("lock", "child")
    commit(exchange, "a patch")
    codes = found(judge(exchange, base, exits=1))  # it has neither description nor tests
    assert not set(codes) & {"OHR031", "OHR070", "OHR225", "OHR307"}
    assert not any("acme" in message for message in codes.values())


def test_rights_that_come_from_a_newer_release_of_theirs_are_seen(exchange: Exchange, base: str) -> None:  # noqa: F811
    exchange.acme.write("tools", extends="floor@^1", version="1.1.0", more=NETWORK % "elsewhere")
    exchange.acme.release("tools", "1.1.0", day=3)
    exchange.ours.write("child", extends='"acme/tools@^1.1"', version="2.0.0", more=NETWORK % "child")
    exchange.ours.ohr("lock", "--update", "child")
    commit(exchange, "theirs are newer")
    assert "elsewhere.example.com" in found(judge(exchange, base, exits=1))["OHR280"]


def test_what_nobody_could_be_asked_about_is_not_judged(exchange: Exchange, base: str) -> None:  # noqa: F811
    exchange.ours.write("child", extends='"acme/tools@^1"', version="1.0.1", more=NETWORK % "child")
    file = exchange.ours.root / "recipes" / "child" / "recipe.yaml"
    file.write_text(f"{SCHEMA_LINE}\n{file.read_text()}")
    exchange.ours.ohr("lock", "child")
    commit(exchange, "a patch")
    exchange.ours.web.files = {}
    fresh = exchange.ours.ohr.with_cache(exchange.ours.folder / "empty-cache")
    verdict = fresh("gate", "--base", base, "--stage", "B", "--format", "json", expect=5).json
    assert verdict["verdict"] == "needs-human"
    assert "'child' was not judged" in found(verdict)["OHR307"]


def test_a_pull_request_does_not_choose_whom_it_is_believed_by(exchange: Exchange, base: str) -> None:  # noqa: F811
    settings = exchange.ours.root / "recipes" / "registry.yaml"
    settings.write_text(settings.read_text().replace("\n  acme: ", "\n  other: "))
    exchange.ours.write("child", extends='"other/tools@^1"', version="1.0.1", more=NETWORK % "child")
    commit(exchange, "trust me")
    messages = found(judge(exchange, base, exits=1)).values()
    assert any("registry.yaml knows no registry 'other'" in message for message in messages)
