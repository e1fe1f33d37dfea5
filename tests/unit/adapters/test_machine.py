from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters import machine
from openhands_recipes.adapters.apt_sources import DebianSources, Mirror
from openhands_recipes.adapters.http import Http
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.errors import DownloadError


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path in {"/debian/dists/trixie/InRelease", "/simple/pip/"}
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture
def web() -> Iterator[Http]:
    with contextlib.closing(Http()) as client:
        yield client


def test_this_machine_has_a_python_a_size_and_git() -> None:
    abilities = [*machine.python(), *machine.size(), *machine.git()]
    assert [ability.name for ability in abilities] == ["python", "size", "git"]
    assert all(ability.ok for ability in abilities)


def test_a_machine_without_git_is_told_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (ability,) = machine.git()
    assert (ability.ok, ability.hint) == (False, "install git to contribute recipes")


def test_room_is_looked_for_where_the_cache_will_be(tmp_path: Path) -> None:
    (ability,) = machine.room(tmp_path / "not" / "yet" / "there")
    assert ability.ok
    assert "GiB free in" in ability.detail


@pytest.mark.parametrize(("free", "ok", "hinted"), [(1, False, True), (5, True, True), (50, True, False)])
def test_little_room_is_told(
    *, free: int, ok: bool, hinted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        def __init__(self) -> None:
            self.free = free * machine.GIB

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage())
    (ability,) = machine.room(tmp_path)
    assert (ability.ok, bool(ability.hint)) == (ok, hinted)


def test_a_folder_that_cannot_be_written_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    (ability,) = machine.room(tmp_path)
    assert not ability.ok
    assert "cannot be written" in ability.detail


def test_a_suite_is_there_when_some_mirror_has_it(server: str, web: Http) -> None:
    mirrors = (Mirror(f"{server}/empty", "", "test"), Mirror(f"{server}/debian", "", "test"))
    (ability,) = machine.debian(DebianSources(mirrors), web, ["trixie"])
    assert ability.ok
    assert ability.detail.endswith("/debian")


def test_a_suite_no_mirror_has_is_told_with_what_each_said(server: str, web: Http) -> None:
    sources = DebianSources((Mirror(f"{server}/debian", "", "test"),))
    (ability,) = machine.debian(sources, web, ["sid"])
    assert not ability.ok
    assert "404" in ability.detail
    assert "OHR_DEBIAN_MIRROR" in ability.hint


def test_without_any_mirror_the_reason_is_an_error(web: Http) -> None:
    with pytest.raises(DownloadError, match="no Debian mirror"):
        list(machine.debian(DebianSources(()), web, ["trixie"]))


def test_an_index_answers_or_is_told(server: str, web: Http) -> None:
    good, bad = IndexSettings(f"{server}/simple", where="test"), IndexSettings(f"{server}/gone", where="test")
    (answers,) = machine.python_packages(good, web)
    (silent,) = machine.python_packages(bad, web)
    assert (answers.ok, silent.ok) == (True, False)
    assert "PIP_INDEX_URL" in silent.hint


def test_no_docker_daemon_is_no_surprise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    (ability,) = machine.docker()
    assert (ability.ok, ability.detail) == (False, "no daemon answers")
