from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.cli.settings import (
    cache_folder,
    color_choice,
    find_root,
    settings_from,
    state_folder,
)


def test_the_root_is_the_nearest_folder_above_that_holds_recipes(tmp_path: Path) -> None:
    (tmp_path / "recipes" / "python").mkdir(parents=True)
    assert find_root(tmp_path / "recipes" / "python") == tmp_path
    (tmp_path / "empty").mkdir()
    assert find_root(tmp_path) == tmp_path


def test_a_folder_far_from_any_recipes_is_its_own_root(tmp_path: Path) -> None:
    assert find_root(tmp_path) == tmp_path


def test_our_own_variable_goes_before_the_desktops() -> None:
    both = {"OHR_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}
    assert cache_folder(both) == Path("/own")
    assert cache_folder({"XDG_CACHE_HOME": "/xdg"}) == Path("/xdg/openhands-recipes")
    assert state_folder({"OHR_STATE": "/own"}) == Path("/own")


def test_a_relative_xdg_folder_is_ignored() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "x"}) == Path.home() / ".cache" / "openhands-recipes"
    assert state_folder({}) == Path.home() / ".local/state/openhands-recipes"


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


def test_options_go_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHR_CACHE", "/elsewhere")
    settings = settings_from(
        root=tmp_path, cache=tmp_path / "cache", log_format="text", verbosity=0, color="auto"
    )
    assert (settings.root, settings.cache) == (tmp_path, tmp_path / "cache")
    assert settings.evidence.name == "evidence.jsonl"
    usual = settings_from(root=None, cache=None, log_format="text", verbosity=0, color="auto")
    assert usual.cache == Path("/elsewhere")
