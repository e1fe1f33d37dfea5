"""The real uv against an index on loopback."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.http import Http, Patience
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.adapters.uv import UvIndex
from openhands_recipes.errors import DownloadError, NoWheelError, OutsideError, ResolutionError
from openhands_recipes.ports import PythonRequest
from tests.local_index import LocalIndex, sdist, serving, wheel

Make = Callable[..., UvIndex]


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with serving(LocalIndex()) as served:
        yield served


@pytest.fixture
def uv(index: LocalIndex, tmp_path: Path) -> Make:
    def make(url: str = "", *, attempts: int = 1, **environment: str) -> UvIndex:
        return UvIndex(
            settings=lambda: IndexSettings(url or index.url),
            http=Http(patience=Patience(attempts=1)),
            cache=tmp_path / "uv",
            patience=Patience(attempts=attempts, first=0.01, longest=0.02),
            environment={"HOME": str(tmp_path), **environment},
        )

    return make


def request(*requirements: str, **fields: Any) -> PythonRequest:
    return PythonRequest(requirements, **{"python_version": "3.13.5", "platform": "linux/amd64", **fields})


def versions(answer: bytes) -> dict[str, str]:
    return {p["name"]: p["version"] for p in tomllib.loads(answer.decode())["packages"]}


def wheels(answer: bytes) -> list[dict[str, Any]]:
    return [w for p in tomllib.loads(answer.decode())["packages"] for w in p["wheels"]]


def test_the_newest_versions_that_fit_are_chosen_with_hashes_and_sizes(index: LocalIndex, uv: Make) -> None:
    index.add(
        wheel("app", "1.0", requires=["lib<2"]), wheel("lib", "1.5"), wheel("lib", "1.4"), wheel("lib", "2.0")
    )
    answer = uv().compile(request("app"))
    assert versions(answer) == {"app": "1.0", "lib": "1.5"}
    assert all(len(w["hashes"]["sha256"]) == 64 and w["size"] > 0 for w in wheels(answer))
    assert answer == uv().compile(request("app"))


def test_markers_are_judged_for_the_target_not_for_this_machine(index: LocalIndex, uv: Make) -> None:
    marks = [
        "old; python_version < '3.13'", "exact; python_full_version >= '3.13.4'",
        "arm; platform_machine == 'aarch64'", "windows; sys_platform == 'win32'",
    ]  # fmt: skip
    index.add(
        wheel("app", "1.0", requires=marks), *(wheel(n, "1") for n in ("old", "exact", "arm", "windows"))
    )
    assert versions(uv().compile(request("app", platform="linux/arm64"))) == {
        "app": "1.0",
        "exact": "1",
        "arm": "1",
    }
    assert versions(uv().compile(request("app"))) == {"app": "1.0", "exact": "1"}


def test_constraints_hold_and_preferences_give_way(index: LocalIndex, uv: Make) -> None:
    index.add(wheel("app", "1.0", requires=["lib>=2"]), *(wheel("lib", v) for v in ("1", "2", "3")))
    assert versions(uv().compile(request("app", constraints=("lib==2",))))["lib"] == "2"
    assert versions(uv().compile(request("app", preferences=("lib==2", "gone==7"))))["lib"] == "2"
    assert versions(uv().compile(request("app", preferences=("lib==1",))))["lib"] == "3"
    with pytest.raises(ResolutionError, match="'app' cannot be met"):
        uv().compile(request("app", constraints=("lib==1",)))


def test_a_project_with_sources_only_is_named_and_a_wheel_of_ours_will_do(
    index: LocalIndex, uv: Make, tmp_path: Path
) -> None:
    index.add(
        wheel("app", "1.0", requires=["only-source>=1"]), sdist("only_source", "1.1", {"setup.py": "boom"})
    )
    with pytest.raises(NoWheelError) as caught:
        uv().compile(request("app"))
    assert (caught.value.project, caught.value.specifier) == ("only-source", "==1.1")
    name, content = wheel("only_source", "1.1")
    (tmp_path / "blob").write_bytes(content)
    answer = uv().compile(request("app", wheels={name: tmp_path / "blob"}))
    (own,) = [w for w in wheels(answer) if "only_source" in w["url"]]
    assert own["size"] == len(content)


def test_an_index_of_old_that_tells_no_sizes_is_asked_file_by_file(index: LocalIndex, uv: Make) -> None:
    name, content = wheel("six", "1.0")
    index.html = True
    index.add((name, content))
    assert wheels(uv().compile(request("six")))[0]["size"] == len(content)


def test_what_cannot_be_met_says_why(index: LocalIndex, uv: Make) -> None:
    index.add(wheel("six", "1.0"))
    with pytest.raises(
        ResolutionError, match=r"'six==9' cannot be met with Python 3\.13\.5 on linux/amd64"
    ) as no:
        uv().compile(request("six==9"))
    assert not isinstance(no.value, NoWheelError)
    with pytest.raises(ResolutionError, match="nothing-like-it was not found"):
        uv().compile(request("nothing-like-it"))


@pytest.mark.parametrize(
    "text", ["six @ file:///etc/passwd", "-r /etc/passwd", "--index-url x", "", "a\nb", "six six"]
)
def test_requirements_can_only_name_projects(uv: Make, text: str) -> None:
    with pytest.raises(ResolutionError, match="requirement"):
        uv().compile(request(text))


def test_an_index_that_fails_for_a_moment_is_asked_again(index: LocalIndex, uv: Make) -> None:
    index.add(wheel("six", "1.0"))
    index.failures = 2
    assert versions(uv(attempts=3, UV_HTTP_RETRIES="0").compile(request("six"))) == {"six": "1.0"}


def test_an_index_that_is_not_there_is_named_without_its_password(uv: Make) -> None:
    with pytest.raises(DownloadError) as caught:
        uv("http://me:secret@127.0.0.1:9/simple", UV_HTTP_RETRIES="0").compile(request("six"))
    assert caught.value.where == "http://127.0.0.1:9/simple"
    assert "secret" not in str(caught.value)


def test_credentials_in_the_index_url_are_used_and_wrong_ones_refused(index: LocalIndex, uv: Make) -> None:
    index.add(wheel("six", "1.0"))
    index.password = "s3cret"
    with pytest.raises(DownloadError, match="refuses to answer"):
        uv().compile(request("six"))
    good = index.url.replace("http://", "http://me:s3cret@")
    assert versions(uv(good).compile(request("six"))) == {"six": "1.0"}


def test_extra_indexes_are_asked_first(index: LocalIndex, tmp_path: Path) -> None:
    index.add(wheel("six", "2.0"), wheel("lib", "1"))
    with serving(LocalIndex().add(wheel("six", "1.0"))) as extra:
        both = UvIndex(
            settings=lambda: IndexSettings(index.url, (extra.url,)),
            http=Http(),
            cache=tmp_path,
            environment={},
        )
        assert versions(both.compile(request("six", "lib"))) == {"six": "1.0", "lib": "1"}


def test_neither_environment_nor_configuration_of_this_machine_reach_uv(
    index: LocalIndex, uv: Make, tmp_path: Path
) -> None:
    index.add(wheel("six", "1.0"))
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text('no-index = true\n[pip]\nprerelease = "nonsense"\n')
    chosen = uv(UV_NO_INDEX="1", UV_OFFLINE="1", PIP_NO_INDEX="1", UV_RESOLUTION="lowest")
    assert versions(chosen.compile(request("six"))) == {"six": "1.0"}


def test_a_uv_that_cannot_run_is_an_outside_error(uv: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uv.find_uv_bin", lambda: "/nowhere/uv")
    with pytest.raises(OutsideError, match="uv cannot be run"):
        uv().compile(request("six"))

    def gone() -> str:
        raise FileNotFoundError("no uv")

    monkeypatch.setattr("uv.find_uv_bin", gone)
    with pytest.raises(OutsideError, match="uv is not installed"):
        uv().compile(request("six"))


def test_a_uv_that_hangs_is_ended(uv: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(program))
    monkeypatch.setattr("openhands_recipes.adapters.uv.TIMEOUT", 0.2)
    with pytest.raises(DownloadError, match="does not answer: no answer within"):
        uv().compile(request("six"))


# --- sources ---------------------------------------------------------------------------------------------


def test_the_newest_source_within_the_specifier_is_found(index: LocalIndex, uv: Make) -> None:
    index.add(*(sdist("lib", v, {}) for v in ("1.0", "1.9", "1.10", "2.0rc1", "3.0")))
    index.yanked = {"lib-1.10.tar.gz"}
    source = uv().source("lib", "<3", python_version="3.13")
    assert (source.project, source.version, source.file) == ("lib", "1.9", "lib-1.9.tar.gz")
    assert source.size == len(index.files["lib-1.9.tar.gz"])
    assert not source.compiled
    assert uv().source("lib", "", python_version="3.13").version == "3.0"


def test_a_source_whose_version_also_has_machine_code_says_so(index: LocalIndex, uv: Make) -> None:
    index.add(sdist("lib", "1.0", {}), wheel("lib", "1.0", tag="cp312-cp312-win_amd64"))
    assert uv().source("lib", "", python_version="3.13").compiled


def test_an_index_of_old_has_sources_too(index: LocalIndex, uv: Make) -> None:
    index.html = True
    index.add(sdist("lib", "1.0", {}))
    assert uv().source("lib", "==1.0", python_version="3.13").size == len(index.files["lib-1.0.tar.gz"])


def test_without_a_source_there_is_nothing_to_build(index: LocalIndex, uv: Make) -> None:
    index.add(wheel("lib", "1.0"))
    with pytest.raises(ResolutionError, match=r"there is no source of lib==1\.0 to build"):
        uv().source("lib", "==1.0", python_version="3.13")
    with pytest.raises(ResolutionError, match="no Python package index knows 'absent'"):
        uv().source("absent", "", python_version="3.13")


def test_a_silent_index_has_no_sources(uv: Make) -> None:
    with pytest.raises(DownloadError, match="does not answer for lib"):
        uv("http://127.0.0.1:9/simple").source("lib", "", python_version="3.13")


def test_a_page_that_is_none_is_refused(index: LocalIndex, uv: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (200, "application/vnd.pypi.simple.v1+json", b'{"files": 3}')
    monkeypatch.setattr(index, "answer", lambda *_: answer)
    with pytest.raises(DownloadError, match="something that is no project page"):
        uv().source("lib", "", python_version="3.13")
