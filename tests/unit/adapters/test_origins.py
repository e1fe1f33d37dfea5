from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.apt_sources import DebianSources, Mirror
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http, Patience
from openhands_recipes.adapters.npm_registry import NpmRegistry
from openhands_recipes.adapters.origins import Origins
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.adapters.transfer import MissingError, Place
from openhands_recipes.errors import DownloadError
from openhands_recipes.model.digest import digest_of, hex_of
from openhands_recipes.ports import Wanted
from tests.web import Reply, Web, dead_url, serving

WHEEL = b"wheel" * 100
FILE = "demo-1.0-py3-none-any.whl"
JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


def origins(web: Web, *indexes: str, http: Http | None = None) -> Origins:
    urls = indexes or (f"{web.url}/simple/",)
    return Origins(
        debian=lambda: DebianSources(
            (Mirror(f"{web.url}/debian", "archive", ""), Mirror(f"{web.url}/security", "security", "")),
            (Mirror(f"{web.url}/snapshot", "", ""),),
        ),
        python=lambda: IndexSettings(urls[-1], urls[:-1]),
        npm=lambda: NpmRegistry(f"{web.url}/npm"),
        http=http or Http(patience=Patience(attempts=2, first=0.01)),
    )


def wheel(file: str = FILE, content: bytes = WHEEL) -> Wanted:
    return Wanted(name=file, digest=digest_of(content), size=len(content), origin="pypi", path=f"demo/{file}")


def page(web: Web, path: str = "/simple/demo/", **fields: Any) -> None:
    entry = {"filename": FILE, "url": f"../../files/{FILE}", "hashes": {"sha256": hex_of(digest_of(WHEEL))}}
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": [entry | fields]})
    web.always(path, body.encode(), Reply(headers=JSON))


def urls(places: object) -> list[str]:
    assert isinstance(places, list)
    return [place.url for place in places]


# --- Debian and npm ------------------------------------------------------------------------------


def test_a_deb_is_at_its_suites_mirrors_and_last_at_the_snapshot(web: Web) -> None:
    item = Wanted("x", digest_of(b"x"), 1, "debian", "pool/main/x/x_1+b~2.deb", "trixie-security")
    assert origins(web).of(item) == [
        Place(f"{web.url}/security/pool/main/x/x_1+b~2.deb"),
        Place(f"{web.url}/snapshot/pool/main/x/x_1+b~2.deb", last_resort=True),
    ]


def test_an_npm_tarball_is_at_the_registry(web: Web) -> None:
    item = Wanted("x", digest_of(b"x"), 1, "npm", "@s/x/-/x-1.0.0.tgz")
    assert origins(web).of(item) == [Place(f"{web.url}/npm/@s/x/-/x-1.0.0.tgz")]


# --- Python --------------------------------------------------------------------------------------


def test_a_wheel_is_where_the_project_page_says(web: Web, tmp_path: Path) -> None:
    page(web)
    web.put(f"/files/{FILE}", WHEEL)
    http = Http()
    downloads = PooledDownloads(
        blobs=BlobStore(CacheDir(tmp_path)), places=origins(web, http=http), http=http
    )
    assert downloads.fetch([wheel()]) == len(WHEEL)
    assert "application/vnd.pypi.simple.v1+json" in web.requests[0][1]["accept"]


def test_a_project_page_is_read_once(web: Web) -> None:
    page(web)
    known = origins(web)
    for _ in range(3):
        assert urls(known.of(wheel())) == [f"{web.url}/files/{FILE}"]
    assert web.counts["/simple/demo/"] == 1


def test_an_old_index_answers_with_html(web: Web) -> None:
    digest = hex_of(digest_of(WHEEL))
    body = f'<!DOCTYPE html><a href="/files/{FILE}#sha256={digest}">{FILE}</a>'.encode()
    web.always("/simple/demo/", body, Reply(headers={"Content-Type": "text/html; charset=utf-8"}))
    assert urls(origins(web).of(wheel())) == [f"{web.url}/files/{FILE}"]


def test_all_indexes_are_asked_extra_ones_first(web: Web) -> None:
    page(web)
    page(web, "/extra/demo/", url="/own/file.whl")
    known = origins(web, f"{web.url}/none", f"{web.url}/extra", f"{web.url}/simple")
    assert urls(known.of(wheel())) == [f"{web.url}/own/file.whl", f"{web.url}/files/{FILE}"]


def test_an_index_that_is_down_does_not_matter_where_another_has_the_file(web: Web) -> None:
    page(web)
    assert urls(origins(web, dead_url(), f"{web.url}/simple").of(wheel())) == [f"{web.url}/files/{FILE}"]


def test_a_file_without_a_hash_in_the_index_is_tried(web: Web) -> None:
    page(web, hashes={})
    assert len(origins(web).of(wheel())) == 1


def test_a_file_with_another_hash_is_not_the_locked_one(web: Web) -> None:
    page(web, hashes={"sha256": "0" * 64})
    with pytest.raises(MissingError, match="no place has") as caught:
        origins(web).of(wheel())
    assert (caught.value.where or "").endswith("/simple/demo/ lists it with another hash")


@pytest.mark.parametrize("file", [FILE, "demo-2.0-py3-none-any.whl"])
def test_a_file_no_index_lists_is_missing(web: Web, file: str) -> None:
    if file != FILE:
        page(web)
    with pytest.raises(MissingError) as caught:
        origins(web).of(wheel(file))
    assert (caught.value.where or "") == f"{web.url}/simple/demo/ does not list it"
    assert "ohr lock --update" in (caught.value.hint or "")
    assert "SNAPSHOT" not in (caught.value.hint or "")


def test_no_index_answering_is_an_error_that_may_pass(web: Web) -> None:
    web.always("/simple/demo/", b"", Reply(500))
    with pytest.raises(DownloadError, match="does not answer for demo") as caught:
        origins(web).of(wheel())
    assert not isinstance(caught.value, MissingError)
    assert "answers 500" in (caught.value.where or "")


@pytest.mark.parametrize("body", [b"{}", b"nonsense", b'{"files": [{}]}', b'{"files": 1}', b"[]"])
def test_an_answer_that_is_no_project_page_is_an_error(web: Web, body: bytes) -> None:
    web.always("/simple/demo/", body, Reply(headers=JSON))
    with pytest.raises(DownloadError, match="no project page"):
        origins(web).of(wheel())


def test_an_answer_larger_than_any_project_page_is_an_error(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openhands_recipes.adapters.http.SMALL_DOCUMENT", 100)
    web.always("/simple/demo/", bytes(101), Reply(headers=JSON))
    with pytest.raises(DownloadError, match="does not answer") as caught:
        origins(web).of(wheel())
    assert "more than 100 bytes" in (caught.value.where or "")
