from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.cli.settings import color_choice, find_root, settings_from, state_folder


def test_the_root_is_the_nearest_folder_above_that_holds_recipes(tmp_path: Path) -> None:
    (tmp_path / "recipes" / "python").mkdir(parents=True)
    assert find_root(tmp_path / "recipes" / "python") == tmp_path
    (tmp_path / "empty").mkdir()
    assert find_root(tmp_path) == tmp_path


def test_a_folder_far_from_any_recipes_is_its_own_root(tmp_path: Path) -> None:
    assert find_root(tmp_path) == tmp_path


def test_our_own_variable_goes_before_the_desktops() -> None:
    assert state_folder({"OHR_STATE": "/own", "XDG_STATE_HOME": "/xdg"}) == Path("/own")
    assert state_folder({"XDG_STATE_HOME": "/xdg"}) == Path("/xdg/openhands-recipes")


@pytest.mark.parametrize("environment", [{}, {"XDG_STATE_HOME": "relative"}])
def test_a_relative_xdg_folder_is_ignored(environment: dict[str, str]) -> None:
    assert state_folder(environment) == Path.home() / ".local/state/openhands-recipes"


@pytest.mark.parametrize(
    ("choice", "environment", "answer"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {}, False),
    ],
)
def test_an_option_goes_before_no_color(choice: str, environment: dict[str, str], answer: object) -> None:
    assert color_choice(choice, environment) is answer  # type: ignore[arg-type]  # parametrized


def test_an_option_goes_before_what_is_usual(tmp_path: Path) -> None:
    settings = settings_from(
        root=tmp_path, cache=tmp_path / "cache", log_format="text", verbosity=0, color="auto"
    )
    assert (settings.root, settings.cache) == (tmp_path, tmp_path / "cache")
    assert settings.evidence.name == "evidence.jsonl"
    usual = settings_from(root=None, cache=None, log_format="text", verbosity=0, color="auto")
    assert usual.cache is None
