"""How much of a change something is, and which version may follow."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.parse import parse
from openhands_recipes.model.composed import Composed
from openhands_recipes.publish.gate.kinds import TABLE, Kind, differences
from openhands_recipes.publish.gate.versions import followers, raised
from tests.integration.gate.registry import TREE, recipe

BODY = """\
packages: [git, {name: gcc, version: ">=13"}]
python: {version: "3.13", packages: [numpy]}
environment: {EDITOR: vi}
files: {/etc/a: {text: a}}
user: {name: openhands, uid: 10001, gid: 10001}
workdir: /workspace
processes: {db: {command: [db]}}
ports: [{name: db, port: 5432}]
permissions: {network: {egress: [python-packages]}}
resources: {memory: 1Gi}
"""


def composed(body: str) -> Composed:
    parsed = parse(recipe("tool", body, extends="").encode(), file="recipes/tool/recipe.yaml")
    return compose("tool", {"tool": parsed})


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("", "", Kind.NONE),
        ("[git, {", "[git, jq, {", Kind.MINOR),
        ("[git, {", "[{", Kind.MAJOR),
        (">=13", ">=14", Kind.MINOR),
        ("[numpy]", "[numpy, pandas]", Kind.MINOR),
        ("[numpy]", "[]", Kind.MAJOR),
        ("[numpy]", '["numpy>=2"]', Kind.MINOR),
        ('"3.13"', '"3.12"', Kind.MAJOR),
        ("EDITOR: vi", "EDITOR: vim", Kind.MAJOR),
        ("EDITOR: vi", "EDITOR: vi, PAGER: less", Kind.MINOR),
        ("text: a}", "text: b}", Kind.MINOR),
        ("uid: 10001", "uid: 10002", Kind.MAJOR),
        ("/workspace", "/work", Kind.MAJOR),
        ("5432", "5433", Kind.MAJOR),
        ("[python-packages]", "[]", Kind.MAJOR),
        ("[python-packages]", "[python-packages, node-packages]", Kind.MAJOR),
        ("1Gi", "2Gi", Kind.MINOR),
        ("resources", "shell_hook: hello\nresources", Kind.PATCH),
        ("resources", "platforms: [linux/amd64]\nresources", Kind.MAJOR),
        ("resources", "unavailable: {nixpkgs: not yet}\nresources", Kind.PATCH),
    ],
)
def test_each_aspect_has_its_kind(old: str, new: str, kind: Kind) -> None:
    found = differences(composed(BODY), composed(BODY.replace(old, new, 1)))
    assert max((d.kind for d in found), default=Kind.NONE) is kind


def test_the_page_of_the_gate_names_every_aspect_that_is_judged() -> None:
    page = (TREE / "docs" / "gate.md").read_text().partition("## Versions")[2].partition("## Lanes")[0]
    words = {
        "packages",
        "files",
        "path",
        "processes",
        "platforms",
        "resources",
        "environment",
        "ports",
        "permissions",
    }
    assert words <= {aspect.name for aspect in TABLE}
    assert all(word in page for word in words)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.2.3", ("1.2.4", "1.3.0", "2.0.0")),
        ("0.0.1", ("0.0.2", "0.1.0", "1.0.0")),
        ("1.3.0-rc.1", ("1.3.0", "1.3.0", "1.3.0", "2.0.0")),
    ],
)
def test_three_versions_may_follow(version: str, expected: tuple[str, ...]) -> None:
    assert followers(version) == expected


def test_the_raised_number_is_told_by_the_first_that_differs() -> None:
    assert raised("1.2.3", "1.2.4") is Kind.PATCH
    assert raised("1.2.3", "1.3.0") is Kind.MINOR
    assert raised("1.2.3", "2.0.0") is Kind.MAJOR
    assert raised("1.2.3", "1.2.3") is Kind.NONE
    assert Kind.MAJOR.word == "major"
