"""The functions of nixlib, evaluated by real Nix: attribute sets are compared, nothing is built."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from semantic_version import NpmSpec
from semantic_version import Version as NpmVersion

from openhands_recipes.compile.nix.complaint import thrown
from openhands_recipes.errors import RecipesError
from openhands_recipes.ports import Nix
from tests.integration.nix.bench import SYSTEM, NixBench, write_flake
from tests.integration.nix.flakes import FROZEN, a_test, own_flake, packages
from tests.recipe_texts import TREE

Evaluate = Callable[[str], Any]
ORDERED = (
    *("0.9", "1.0.dev1", "1.0a1", "1.0a2.dev1", "1.0b1", "1.0rc1", "1.0rc2", "1.0", "1.0.post1", "1.0.1"),
    *("1.2", "1.2.3", "1.10", "2.0", "2.0.1", "2.1", "2.10.1", "3.13.5", "10.0", "2024.1.15", "1!0.1"),
)
PYTHON_RANGES = (
    *(">=1.0", ">1.0", "<=1.0", "<1.0", "==1.0", "!=1.0", "==1.*", "!=1.2.*", "~=1.2", "~=1.2.0", "~=2.0"),
    *(">=1,<2", ">= 1.0, <2.0, !=1.2", "===1.0", "<2.0rc1", ">1.0.post1", "==3.13.*", ">=1!0", ""),
)
NPM_VERSIONS = ("0.0.3", "0.2.3", "0.2.9", "0.3.0", "1.2.0", "1.2.3", "1.3.0", "2.0.0", "5.9.3", "10.1.0")
NPM_RANGES = (
    *("^1.2.3", "^0.2.3", "^0.0.3", "^5", "~1.2.3", "~1.2", "~1", "1.x", "1.2.x", "5", "1.2", "=1.2.3", "*"),
    *("<1.2", ">=1.2 <2", ">1.2.0", "<=1.2.3", "^1.3 || ^5.0.0", "1.x || >=5", "v1.2.3"),
)


@pytest.fixture(scope="module")
def evaluate(bench: NixBench, nix: Nix, tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """The value of an expression in which `nixlib`, `lib` and `pkgs` are known."""

    def value(expression: str) -> Any:
        folder = tmp_path_factory.mktemp("expression")
        flake = own_flake(bench, folder / "flake")
        text = """{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  outputs = { nixpkgs, ... }: let
    inherit (nixpkgs) lib;
    nixlib = import ./nixlib { inherit lib; };
    pkgs = nixpkgs.legacyPackages.SYSTEM;
  in { value = EXPRESSION; };
}
"""
        write_flake(flake, text.replace("SYSTEM", SYSTEM).replace("EXPRESSION", expression))
        return json.loads(nix.evaluate(flake, "value"))

    return value


def quoted(texts: tuple[str, ...]) -> str:
    return f"[ {' '.join(json.dumps(text, ensure_ascii=False) for text in texts)} ]"


def table(versions: tuple[str, ...], ranges: tuple[str, ...]) -> str:
    """Every version against every range."""
    return (
        f"map (range: map (version: nixlib.satisfies {{ inherit version range; }}) {quoted(versions)}) "
        f"{quoted(ranges)}"
    )


def test_ranges_of_python_packages_mean_what_python_says(evaluate: Evaluate) -> None:
    found = evaluate(table(ORDERED, PYTHON_RANGES))
    for text, row in zip(PYTHON_RANGES, found, strict=True):
        wanted = SpecifierSet(text, prereleases=True)
        assert [wanted.contains(Version(v)) for v in ORDERED] == row, text


def test_ranges_of_npm_packages_mean_what_npm_says(evaluate: Evaluate) -> None:
    found = evaluate(table(NPM_VERSIONS, NPM_RANGES))
    for text, row in zip(NPM_RANGES, found, strict=True):
        wanted = NpmSpec(text.replace("v1", "1"))
        assert [wanted.match(NpmVersion(v)) for v in NPM_VERSIONS] == row, text


def test_versions_have_the_order_of_python(evaluate: Evaluate) -> None:
    keys = evaluate(
        f"lib.concatMap (a: map (b: nixlib.versionKey a < nixlib.versionKey b) {quoted(ORDERED)}) "
        f"{quoted(ORDERED)}"
    )
    assert keys == [Version(a) < Version(b) for a in ORDERED for b in ORDERED]
    same = ("1", "1.0", "v1.0.0", "1.0+cpu", "1.0-unstable-2026-01-02")
    assert evaluate(f"lib.unique (map nixlib.versionKey {quoted(same)})") == evaluate(
        '[ (nixlib.versionKey "1") ]'
    )
    assert evaluate('nixlib.versionKey "unstable" < nixlib.versionKey "0"') is True


@pytest.mark.parametrize("text", ["=>1", "1 2 && 3", ">=", "latest"])
def test_what_is_no_range_is_refused_with_an_example(text: str, evaluate: Evaluate) -> None:
    with pytest.raises(RecipesError) as caught:
        evaluate(f'nixlib.satisfies {{ version = "1"; range = "{text}"; }}')
    assert f"'{text}' is not a version range" in str(vars(caught.value)) + caught.value.message


def test_names_of_tests_become_names_of_attributes(evaluate: Evaluate) -> None:
    sentences = (
        "Pandas reads a CSV",
        "pandas reads a csv!",
        "pandas reads a csv 2",
        "éß",
        "x" * 59 + " y",
        "a",
    )
    assert evaluate(f"nixlib.slugsOf {quoted(sentences)}") == [
        "pandas-reads-a-csv",
        "pandas-reads-a-csv-2",
        "pandas-reads-a-csv-2-2",
        "test",
        "x" * 59,
        "a",
    ]


def test_exports_quote_what_the_shell_would_read(evaluate: Evaluate) -> None:
    recipe = """{ path = [ "$HOME/go/bin" "/opt/my tools" ]; environment = { A = "it's"; B = "plain"; }; }"""
    assert evaluate(f'nixlib.exportsOf {{ recipe = {recipe}; environment = "/env"; }}').splitlines() == [
        "export PATH=\"$HOME\"/go/bin:'/opt/my tools':/env/bin${PATH:+:$PATH}",
        "export A='it'\\''s'",
        "export B=plain",
    ]


def test_names_alike_are_those_of_other_streams(evaluate: Evaluate) -> None:
    assert {"gcc", "gcc13", "gcc14"} <= set(evaluate('nixlib.nearNames pkgs "gcc99"'))
    assert evaluate('nixlib.nearNames { a = 1; } "_"') == []


def test_data_of_another_format_is_refused(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(bench, tmp_path / "flake", schema=2)
    with pytest.raises(RecipesError) as caught:
        nix.evaluate(flake, "lib.recipe")
    assert "has schema 2, this nixlib reads schema 1" in str(vars(caught.value)) + caught.value.message


def test_the_metadata_of_a_recipe_can_be_read(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(bench, tmp_path / "flake", tags=["a"])
    assert json.loads(nix.evaluate(flake, "lib.recipe")) == json.loads((flake / "recipe.json").read_text())


# --- what cannot be had --------------------------------------------------------------------------------

LIBRARY = {"name": "nunpy", "attribute": "nunpy", "range": "", "extras": []}
OLD = {"name": "pyyaml", "attribute": "pyyaml", "range": "<6", "extras": []}
EXTRA = {"name": "pyyaml", "attribute": "pyyaml", "range": "", "extras": ["nothing"]}


def python(attribute: str, *libraries: dict[str, Any]) -> dict[str, Any]:
    return {"attribute": attribute, "packages": libraries}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"packages": packages("gcc99")}, ("missing-attribute", "gcc99", "gcc99")),
        ({"packages": packages("lib.take")}, ("missing-attribute", "lib.take", "lib.take")),
        ({"python": python("python399")}, ("missing-attribute", "python", "python399")),
        ({"python": python("python313", LIBRARY)}, ("python-package", "nunpy", "python313.pkgs.nunpy")),
        ({"python": python("python313", OLD)}, ("version", "pyyaml", "python313.pkgs.pyyaml")),
        (
            {"python": python("python313", EXTRA)},
            ("python-package", "pyyaml", "python313.pkgs.pyyaml.optional-dependencies.nothing"),
        ),
        (
            {"node": {"attribute": "nodejs_22", "packages": [{"name": "tsx", "attribute": "tsx-x"}]}},
            ("node-package", "tsx", "tsx-x"),
        ),
    ],
)
def test_what_nixpkgs_lacks_is_said_for_people_and_for_programs(
    changes: dict[str, Any], expected: tuple[str, str, str], bench: NixBench, nix: Nix, tmp_path: Path
) -> None:
    flake = own_flake(bench, tmp_path / "flake", **changes)
    with pytest.raises(RecipesError) as caught:
        nix.evaluate(flake, f"packages.{SYSTEM}.default.drvPath")
    facts = thrown(vars(caught.value)["messages"])
    assert facts is not None
    assert (facts.fault, facts.package, facts.attribute) == expected
    said = "\n".join(vars(caught.value)["messages"])
    assert "recipe 'own': " in said
    assert expected[2].split(".")[-1] in said.partition("ohr: {")[0]
    if "gcc99" in expected:
        assert "gcc14" in facts.near


def test_a_package_nixpkgs_itself_refuses_is_named_beside_its_words(
    bench: NixBench, nix: Nix, tmp_path: Path
) -> None:
    flake = own_flake(bench, tmp_path / "flake", packages=packages("standIn.refused"))
    with pytest.raises(RecipesError) as caught:
        nix.evaluate(flake, f"packages.{SYSTEM}.default.drvPath")
    said = "\n".join(vars(caught.value)["messages"])
    assert "has an unfree license" in said
    assert "while taking 'standIn.refused' for recipe 'own'" in said


# --- the library itself --------------------------------------------------------------------------------


def test_every_function_has_a_file_of_its_name_and_nothing_else_lies_there() -> None:
    nixlib = TREE / "nixlib"
    listed = {
        line.split()[0]
        for line in (nixlib / "default.nix").read_text().splitlines()
        if " = import ./" in line
    }
    assert listed == {path.stem for path in nixlib.glob("*.nix")} - {"default", "flake"}
    assert "with lib" not in "".join(path.read_text() for path in nixlib.glob("*.nix"))


def test_the_library_is_a_flake_of_its_own(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(bench, tmp_path / "flake")
    lock = (flake / "flake.lock").read_bytes()
    shutil.rmtree(flake)
    shutil.copytree(TREE / "nixlib", flake)
    (flake / "flake.lock").write_bytes(lock)
    names = json.loads(
        nix.run(("eval", "--json", *FROZEN, "{flake}#lib", "--apply", "builtins.attrNames"), flake=flake)
    )
    assert {"recipeFlake", "satisfies"} <= set(names)


def test_tests_that_are_called_alike_are_all_checks(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(bench, tmp_path / "flake", tests=[a_test("Same", "true"), a_test("same!", "true")])
    shown = json.loads(nix.run(("flake", "show", "--json", *FROZEN, "{flake}"), flake=flake))
    assert set(shown["checks"][SYSTEM]) == {"same", "same-2"}


def test_the_readme_lists_all_that_is_used_of_the_library_of_nixpkgs(evaluate: Evaluate) -> None:
    text = (TREE / "nixlib" / "README.md").read_text().partition("Under `lib`:")[2].partition("##")[0]
    listed = set(re.findall(r"`([\w']+)`", text))
    assert set(evaluate("builtins.attrNames lib")) == listed
    code = "".join(path.read_text() for path in (TREE / "nixlib").glob("*.nix"))
    assert [name for name in listed if not re.search(rf"\b{re.escape(name)}(?![\w'])", code)] == []
