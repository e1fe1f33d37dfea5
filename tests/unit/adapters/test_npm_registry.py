from __future__ import annotations

import stat
from pathlib import Path

import pytest

from openhands_recipes.adapters.npm_registry import NpmRegistry, npm_registry
from openhands_recipes.errors import DownloadError


def settings(tmp_path: Path, **environment: str) -> NpmRegistry:
    return npm_registry({"HOME": str(tmp_path), "PATH": str(tmp_path / "bin"), **environment})


def npm_that_says(tmp_path: Path, answer: str) -> None:
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_the_environment_comes_first_in_any_case(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("registry=http://file.example\n")
    assert settings(tmp_path, NPM_CONFIG_REGISTRY="http://e.example/").url == "http://e.example"


def test_npmrc_is_read_with_comments_quotes_variables_and_scopes(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(
        "# registry=http://never.example\n; registry=http://never.example\nfund=false\nno value\n"
        'registry = "http://${NPM_HOST}/root/"\n@own:registry=http://own.example/\n'
    )
    registry = settings(tmp_path, NPM_HOST="host.example")
    assert registry.url_of("typescript/-/typescript-5.0.0.tgz") == (
        "http://host.example/root/typescript/-/typescript-5.0.0.tgz"
    )
    assert registry.url_of("@own/x/-/x-1.0.0.tgz") == "http://own.example/@own/x/-/x-1.0.0.tgz"
    assert registry.url_of("@other/x/-/x-1.0.0.tgz").startswith("http://host.example/root/@other/")


def test_another_user_file_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("registry=http://named.example")
    assert settings(tmp_path, npm_config_userconfig=str(tmp_path / "rc")).url == "http://named.example"


def test_npm_itself_is_asked_last(tmp_path: Path) -> None:
    npm_that_says(tmp_path, "http://npm.example/")
    assert settings(tmp_path).url == "http://npm.example"


@pytest.mark.parametrize("answer", ["undefined", ""])
def test_no_registry_is_an_error_with_a_hint(tmp_path: Path, answer: str) -> None:
    with pytest.raises(DownloadError, match="no npm registry is configured") as caught:
        settings(tmp_path)
    assert "npm_config_registry" in (caught.value.hint or "")
    npm_that_says(tmp_path, answer)
    with pytest.raises(DownloadError):
        settings(tmp_path)
