"""From bytes to a recipe, or to every fault at once."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.recipe.faults import Code
from openhands_recipes.compile.recipe.parse import examine, parse
from openhands_recipes.compile.recipe.settings import parse_settings
from openhands_recipes.errors import InvalidRecipeError
from openhands_recipes.model.composed import Origin
from tests.recipe_texts import TREE, parsed, recipe_text

FILE = "recipes/example/recipe.yaml"


def faults_in(body: str) -> list[str]:
    return [f"{f.code} {f.path}" for f in examine(recipe_text(body=body).encode(), file=FILE).faults]


def test_one_fault_makes_an_error_that_reads_like_it() -> None:
    with pytest.raises(InvalidRecipeError) as caught:
        parse(recipe_text(body="python: {version: 3.10}\n").encode(), file=FILE)
    assert str(caught.value) == (
        "'python.version' is text, but YAML reads 3.10 as a number\n"
        "  --> recipes/example/recipe.yaml:7:19\n"
        '  hint: quote it: "3.10"'
    )


def test_several_faults_make_an_error_that_carries_them_all() -> None:
    with pytest.raises(InvalidRecipeError) as caught:
        parse(recipe_text(body="license: mit\npakages: []\n").encode(), file=FILE)
    assert str(caught.value) == (
        "2 faults in recipes/example/recipe.yaml\n"
        "error[OHR021]: the licence 'mit' is spelled 'MIT'\n"
        "  --> recipes/example/recipe.yaml:6:10\n"
        "  hint: write MIT\n"
        "error[OHR010]: unknown key 'pakages'\n"
        "  --> recipes/example/recipe.yaml:7:1\n"
        "  hint: did you mean 'packages'?"
    )
    assert len(caught.value.faults) == 2


def test_a_text_that_is_not_yaml_has_only_that_fault() -> None:
    with pytest.raises(InvalidRecipeError, match="not YAML"):
        parse(b"a: b: c", file=FILE)


def test_rules_are_judged_beside_faults_of_shape() -> None:
    assert faults_in("license: mit\nnode: {version: 20}\ntests: [{name: t, run: x, stdout: {}}]\n") == [
        "OHR021 license",
        "OHR013 node.version",
        "OHR031 tests[0].stdout",
    ]


def test_a_missing_required_key_does_not_hide_other_faults() -> None:
    faults = examine(b"schema: 1\nlicense: mit\n", file=FILE).faults
    assert [f.path for f in faults] == ["maintainers", "name", "summary", "version", "license"]
    assert faults[-1].code == Code.LICENSE


def test_a_document_of_only_unknown_keys_is_not_judged_further() -> None:
    examined = examine(b"a: 1\n", file=FILE)
    assert examined.parsed is None
    assert {fault.code for fault in examined.faults} == {Code.UNKNOWN_KEY, Code.MISSING_KEY}


def test_the_folder_gives_the_name() -> None:
    assert [f.code for f in examine(recipe_text("other").encode(), file=FILE).faults] == [
        Code.NAME_AND_FOLDER
    ]
    assert examine(recipe_text("other").encode(), file="recipe.yaml").faults == ()


def test_union_members_are_judged_by_what_was_meant() -> None:
    assert faults_in("packages: [Git, {name: Gcc}, {version: '1'}, {}]\n") == [
        "OHR014 packages[0]",
        "OHR014 packages[1].name",
        "OHR011 packages[2].name",
        "OHR011 packages[3].name",
    ]
    ready = {"aa": "{tcp: 0}", "bb": "{http: x}", "cc": "[]"}
    body = "processes:\n" + "".join(f"  {n}: {{command: [x], ready: {r}}}\n" for n, r in ready.items())
    assert faults_in(body) == [
        "OHR016 processes.aa.ready.tcp",
        "OHR014 processes.bb.ready.http",
        "OHR012 processes.cc.ready",
    ]


def test_a_fix_is_offered_where_there_is_only_one() -> None:
    fixes = [
        f.fix
        for f in examine(recipe_text(body="license: mit\nresources: {cpu: 1}\n").encode(), file=FILE).faults
    ]
    assert fixes == ["MIT", '"1"']


def test_a_parsed_recipe_knows_where_its_values_stand() -> None:
    recipe = parsed(body="environment:\n  A: b\ntests:\n  - name: t\n    run: x\n")
    assert recipe.name == "example"
    assert recipe.origin("environment", "A") == Origin("example", FILE, 8, 3)
    assert recipe.origin("tests", 0) == Origin("example", FILE, 10, 5)
    assert recipe.origin("tests", 0, "stdout") == Origin("example", FILE, 10, 5)
    assert str(recipe.origin("name")) == "recipes/example/recipe.yaml:2"


def test_the_registrys_settings_are_right() -> None:
    settings = parse_settings((TREE / "recipes" / "registry.yaml").read_bytes(), file="recipes/registry.yaml")
    assert settings.pins.debian.suites == ("trixie", "trixie-updates", "trixie-security")
    assert settings.platforms == ("linux/amd64", "linux/arm64")
    assert settings.defaults.compression == "zstd"


def test_wrong_settings_are_refused_with_the_same_care() -> None:
    text = (
        (TREE / "recipes" / "registry.yaml").read_text().replace("contract: v1", "contract: 1\nplatform: []")
    )
    with pytest.raises(InvalidRecipeError) as caught:
        parse_settings(text.encode(), file="recipes/registry.yaml")
    messages = [str(fault).splitlines()[0] for fault in caught.value.faults]
    assert messages == [
        "error[OHR013]: 'contract' is text, but YAML reads 1 as a number",
        "error[OHR010]: unknown key 'platform'",
    ]


def test_long_and_odd_texts_are_shortened_in_messages() -> None:
    (fault,) = examine(recipe_text(body=f'workdir: "{"x" * 200}\\t"\n').encode(), file=FILE).faults
    assert fault.message == f"'workdir' cannot be '{'x' * 60}...'"
    (fault,) = examine(recipe_text(body='tags: ["a\\tb"]\n').encode(), file=FILE).faults
    assert fault.message == "'tags[0]' cannot be 'a\\tb'"
