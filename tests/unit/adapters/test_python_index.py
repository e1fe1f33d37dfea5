from __future__ import annotations

import sys
from pathlib import Path

import pytest

from openhands_recipes.adapters import python_index as module
from openhands_recipes.adapters.python_index import IndexSettings, python_index, usual_endpoint
from openhands_recipes.errors import UsageError


@pytest.fixture(autouse=True)
def no_files_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(module, "SYSTEM", tmp_path / "etc")


def settings(tmp_path: Path, **environment: str) -> IndexSettings:
    return python_index({"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "etc"), **environment})


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_without_settings_the_usual_index_is_taken_from_pypi_simple(tmp_path: Path) -> None:
    import pypi_simple  # noqa: PLC0415 - slow

    assert usual_endpoint() == pypi_simple.PYPI_SIMPLE_ENDPOINT
    assert settings(tmp_path) == IndexSettings(usual_endpoint(), (), "the usual index")


def test_a_machine_without_any_index_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="no Python package index") as caught:
        usual_endpoint()
    assert "PIP_INDEX_URL" in (caught.value.hint or "")


def test_uv_comes_before_pip(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        UV_DEFAULT_INDEX="http://uv.example/simple/",
        UV_INDEX="extra=http://x.example/simple http://y.example",
        PIP_INDEX_URL="http://pip.example",
        PIP_EXTRA_INDEX_URL="http://never.example",
    )
    assert found.url == "http://uv.example/simple/"
    assert found.where == "UV_DEFAULT_INDEX"
    assert found.urls == ("http://x.example/simple", "http://y.example", "http://uv.example/simple")


def test_extra_indexes_alone_leave_the_usual_one(tmp_path: Path) -> None:
    found = settings(tmp_path, UV_EXTRA_INDEX_URL="http://x.example")
    assert found.urls == ("http://x.example", usual_endpoint().rstrip("/"))


@pytest.mark.parametrize(
    "text",
    [
        (
            '[[index]]\nname = "i"\nurl = "http://uv.example"\ndefault = true\n[[index]]\nurl = "http://x.example"\n'
            '[[index]]\nurl = "http://explicit.example"\nexplicit = true\n'
        ),
        'index-url = "http://uv.example"\nextra-index-url = ["http://x.example"]\n',
        '[pip]\nindex-url = "http://uv.example"\nextra-index-url = ["http://x.example"]\n',
    ],
)
def test_uv_toml_of_the_user_is_read_in_all_its_spellings(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / ".config" / "uv" / "uv.toml", text)
    assert settings(tmp_path) == IndexSettings("http://uv.example", ("http://x.example",), str(file))


def test_the_users_uv_toml_comes_before_the_systems(tmp_path: Path) -> None:
    write(tmp_path / "etc" / "uv" / "uv.toml", 'index-url = "http://system.example"')
    assert settings(tmp_path).url == "http://system.example"
    write(tmp_path / "own" / "uv" / "uv.toml", 'index-url = "http://user.example"')
    assert settings(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "own")).url == "http://user.example"
    assert settings(tmp_path, UV_NO_CONFIG="1").url == usual_endpoint()
    chosen = write(tmp_path / "chosen.toml", 'index-url = "http://chosen.example"')
    assert settings(tmp_path, UV_CONFIG_FILE=str(chosen)).url == "http://chosen.example"


def test_pips_environment_comes_before_its_files(tmp_path: Path) -> None:
    write(tmp_path / ".config" / "pip" / "pip.conf", "[global]\nindex-url = http://file.example\n")
    found = settings(tmp_path, PIP_INDEX_URL="http://e.example", PIP_EXTRA_INDEX_URL="http://x.example")
    assert found == IndexSettings("http://e.example", ("http://x.example",), "PIP_INDEX_URL")


def test_pip_conf_is_read_with_its_sections_and_many_extra_indexes(tmp_path: Path) -> None:
    text = (
        "[global]\nindex-url = http://g.example\nextra-index-url =\n  http://x.example\n  http://y.example\n"
    )
    file = write(
        tmp_path / ".pip" / "pip.conf", text + "[install]\nindex-url = http://i.example\ncert = 100%\n"
    )
    found = settings(tmp_path)
    assert found == IndexSettings("http://i.example", ("http://x.example", "http://y.example"), str(file))


def test_pips_files_come_in_its_own_order(tmp_path: Path) -> None:
    def conf(name: str) -> str:
        return f"[global]\nindex-url = http://{name}.example\n"

    write(tmp_path / "etc" / "pip.conf", conf("system"))
    assert settings(tmp_path).url == "http://system.example"
    write(tmp_path / ".config" / "pip" / "pip.conf", conf("user"))
    assert settings(tmp_path).url == "http://user.example"
    write(tmp_path / "venv" / "pip.conf", conf("venv"))
    assert settings(tmp_path).url == "http://venv.example"
    chosen = write(tmp_path / "chosen.conf", conf("chosen"))
    assert settings(tmp_path, PIP_CONFIG_FILE=str(chosen)).url == "http://chosen.example"
    assert settings(tmp_path, PIP_CONFIG_FILE="/dev/null").url == usual_endpoint()


@pytest.mark.parametrize("name", ["uv/uv.toml", "pip/pip.conf"])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / ".config" / name, "= nonsense [")
    with pytest.raises(UsageError, match="cannot be read") as caught:
        settings(tmp_path)
    assert caught.value.where == str(file)
