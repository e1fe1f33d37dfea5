"""Compiled flakes in the hands of real Nix: evaluated, built, entered, run, checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_recipes.errors import RecipesError
from openhands_recipes.ports import Nix
from tests.integration.nix.bench import SYSTEM, NixBench
from tests.integration.nix.flakes import FROZEN, a_test, own_flake, packages, recipe_flake
from tests.recipe_texts import TREE

RECIPES = sorted(path.parent.name for path in (TREE / "recipes").glob("*/flake.json"))
PYTHON = {
    "attribute": "python313",
    "packages": [
        {"name": "pyyaml", "attribute": "pyyaml", "range": ">=6,<7", "extras": []},
        {"name": "click", "attribute": "click", "range": "", "extras": []},
    ],
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_flake_of_every_recipe_evaluates_for_both_systems_with_the_lock_as_it_is(
    name: str, bench: NixBench, nix: Nix, tmp_path: Path
) -> None:
    flake = recipe_flake(bench, name, tmp_path / "flake")
    lock = (flake / "flake.lock").read_bytes()
    nix.run(("flake", "check", "--no-build", "--all-systems", *FROZEN, "{flake}"), flake=flake)
    assert (flake / "flake.lock").read_bytes() == lock
    shown = json.loads(nix.run(("flake", "show", "--json", "--all-systems", *FROZEN, "{flake}"), flake=flake))
    for output in ("packages", "devShells", "apps"):
        assert set(shown[output]) == {"x86_64-linux", "aarch64-linux"}
        assert all("default" in shown[output][system] for system in shown[output])


def test_the_repository_is_a_flake_with_every_recipe_by_name(bench: NixBench, nix: Nix) -> None:
    # The project of the bench has the repository's recipes and nixlib; the pin is the stand-in's.
    flake = recipe_flake(bench, "base", bench.root)
    (flake / "flake.nix").write_bytes((TREE / "flake.nix").read_bytes())
    nix.run(("flake", "check", "--no-build", "--all-systems", *FROZEN, "{flake}"), flake=flake)
    shown = json.loads(nix.run(("flake", "show", "--json", "--all-systems", *FROZEN, "{flake}"), flake=flake))
    for output in ("packages", "devShells", "apps"):
        assert set(shown[output]["aarch64-linux"]) == set(RECIPES)
    assert all(name.startswith(tuple(f"{r}-" for r in RECIPES)) for name in shown["checks"][SYSTEM])


def test_a_shell_has_the_tools_the_variables_and_the_hook(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(
        bench,
        tmp_path / "flake",
        packages=packages("jq", "ripgrep", "git", "coreutils"),
        python=PYTHON,
        environment={"QUOTED": 'it\'s $HOME "and" \\ more', "name": "not the derivation's"},
        path=["$HOME/go/bin", "/opt/some where"],
        shell_hook="export FROM_HOOK=hook\n",
    )
    script = """
        printf '%s|%s|%s|%s\n' "$QUOTED" "$name" "$FROM_HOOK" "${PATH%%:/nix*}"
        jq -n '6 * 7'
        echo needle | rg -c needle
        git --version
        python3 -c 'import yaml, click; print(yaml.safe_load("a: [1, 2]")["a"], click.style("x"))'
    """
    said = nix.run(("develop", *FROZEN, "{flake}", "--command", "bash", "-c", script), flake=flake)
    first, *others = said.splitlines()
    quoted, name, hook, path = first.split("|")
    assert (quoted, name, hook) == ('it\'s $HOME "and" \\ more', "not the derivation's", "hook")
    assert path.endswith("/go/bin:/opt/some where")
    assert others[:2] == ["42", "1"]
    assert others[2].startswith("git version 2.")
    assert others[3].startswith("[1, 2] x")


def test_run_starts_a_command_in_the_environment(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(bench, tmp_path / "flake", packages=packages("jq"), environment={"ONE": "1"})
    asked = ("run", *FROZEN, "{flake}", "--", "jq", "-nc", "[env.ONE, $ARGS.positional]", "--args", "a b")
    assert json.loads(nix.run(asked, flake=flake)) == ["1", ["a b"]]


def test_gcc_of_a_flake_makes_programs_that_run(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    hello = "printf '#include <stdio.h>\\nint main(void) { puts(\"hello\"); }\\n' > h.c; gcc h.c -o h; ./h"
    cpp = "printf '#include <iostream>\\nint main() { std::cout << 42; }\\n' > h.cc; g++ h.cc -o h; ./h"
    flake = own_flake(
        bench,
        tmp_path / "flake",
        packages=packages("gcc14", "gnumake"),
        tests=[
            a_test("c", hello, stdout={"equals": "hello"}),
            a_test("c++", cpp, stdout={"equals": "42"}),
            a_test("make", "make --version", stdout={"matches": "^GNU Make 4"}),
        ],
    )
    nix.run(("flake", "check", *FROZEN, "{flake}"), flake=flake)


@pytest.mark.parametrize("name", ["base", "python"])
def test_the_tests_of_a_recipe_pass_as_checks_of_its_flake(
    name: str, bench: NixBench, nix: Nix, tmp_path: Path
) -> None:
    flake = recipe_flake(bench, name, tmp_path / "flake")
    nix.run(("flake", "check", *FROZEN, "{flake}"), flake=flake)
    assert json.loads((flake / "recipe.json").read_text())["tests"], "nothing was tested"


def test_a_test_that_fails_fails_the_check_and_says_why(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    flake = own_flake(
        bench,
        tmp_path / "flake",
        packages=packages("coreutils"),
        tests=[
            a_test("says something else", "echo other; echo loud >&2; exit 3", stdout={"matches": "^one$"})
        ],
    )
    with pytest.raises(RecipesError) as caught:
        nix.run(("flake", "check", *FROZEN, "{flake}"), flake=flake)
    said = f"{caught.value.message}\n{vars(caught.value)}"
    assert "exit code 3, not 0; stdout does not match '^one$'" in said


def test_the_data_of_an_image_names_what_python_has_to_know(
    bench: NixBench, nix: Nix, tmp_path: Path
) -> None:
    flake = own_flake(
        bench, tmp_path / "flake", packages=packages("jq"), python=PYTHON, environment={"A": "1"}
    )
    file = nix.build(flake, f"packages.{SYSTEM}.image")
    environment = nix.build(flake, f"packages.{SYSTEM}.default")
    data = json.loads(nix.folder(file).read_text())
    assert (data["schema"], data["name"], data["system"]) == (1, "own", SYSTEM)
    assert (data["environment"], data["variables"], data["path"]) == (environment, {"A": "1"}, [])
    closure = {known.path for known in nix.closure(file)}
    assert {package["path"] for package in data["packages"]} <= closure
    assert {known.path for known in nix.closure(environment)} <= closure


def test_of_two_packages_with_one_file_the_first_wins(bench: NixBench, nix: Nix, tmp_path: Path) -> None:
    for order in (("gcc14", "binutils"), ("binutils", "gcc14")):
        flake = own_flake(bench, tmp_path / order[0], packages=packages(*order))
        linker = nix.folder(nix.build(flake, f"packages.{SYSTEM}.default")) / "bin" / "ld"
        assert ("gcc" in str(linker.readlink())) == (order[0] == "gcc14")
