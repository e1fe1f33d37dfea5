"""Which paths a glob means, and what may be wrong with one."""

from __future__ import annotations

import pytest

from openhands_recipes.publish.gate.paths import character_problem, escape_problem, matches, shown


@pytest.mark.parametrize(
    ("glob", "path", "means"),
    [
        ("OWNERS", "OWNERS", True),
        ("OWNERS", "docs/OWNERS", False),
        ("recipes/*.yaml", "recipes/gate.yaml", True),
        ("recipes/*.yaml", "recipes/a/recipe.yaml", False),
        ("recipes/tool/**", "recipes/tool/recipe.yaml", True),
        ("recipes/tool/**", "recipes/tools/recipe.yaml", False),
        ("**/x.md", "x.md", True),
        ("**/x.md", "a/b/x.md", True),
        ("**", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("**", "a\nb", True),
        ("*", "a\nb", True),
    ],
)
def test_a_glob_means_paths_as_its_page_says(glob: str, path: str, *, means: bool) -> None:
    assert matches(glob, path) is means


@pytest.mark.parametrize(
    "path",
    [
        "a/../b", "./a", "/a", "a//b", "a/", ".git/config", "a/.GIT/x", "a/.git./x", "a/git~1/x",
        "a/.gitmodules",
        "a\\b", "c:x", "a/con", "a/NUL.txt", "a/b ", "a/ b", "a/b.", "x" * 201, "a/\uff0egit/x",
    ],
)  # fmt: skip
def test_paths_that_could_lead_elsewhere_are_refused(path: str) -> None:
    assert escape_problem(path)


@pytest.mark.parametrize(
    "path", ["recipes/a/recipe.yaml", ".github/workflows/x.yml", ".gitignore", "a/console", "a b/c"]
)
def test_usual_paths_are_fine(path: str) -> None:
    assert escape_problem(path) is None
    assert character_problem(path) is None
    assert shown(path) == path


@pytest.mark.parametrize(
    "path", ["a\x1bb", "a\nb", "a\x7f", "a\u202eb", "a\u200bb", "\udcff", "caf\xe9", "cafe\u0301"]
)
def test_paths_with_tricks_are_refused_and_shown_without_them(path: str) -> None:
    assert character_problem(path)
    assert shown(path).isascii()
    assert shown(path).isprintable()
