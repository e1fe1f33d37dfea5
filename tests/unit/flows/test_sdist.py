from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.errors import OutsideError, ResolutionError, VerificationError
from openhands_recipes.flows.sdist import BuiltWheel, build_sdist, locked, rebuild, requirements_for
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.lock import Built, Wheel
from openhands_recipes.ports import SourceArchive
from tests.local_index import backend_wheel, buildable, sdist, wheel
from tests.unit.flows.python_bench import PYTHON, Shop, opened


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with opened(tmp_path) as made:
        yield made


def source(shop: Shop, project: str) -> SourceArchive:
    return shop.bench.index.source(project, "", python_version=PYTHON)


def built(shop: Shop, *file: tuple[str, bytes]) -> BuiltWheel:
    shop.index.add(*file)
    return build_sdist(shop.bench, source(shop, file[0][0].split("-")[0]))


def entry(wheel: BuiltWheel) -> Wheel:
    return locked(wheel, "python", wheel.built.requirements)


def forget(shop: Shop, digest: Digest) -> None:
    path = shop.blobs.path(digest)
    assert path is not None
    path.unlink()


def test_a_source_becomes_a_wheel_whose_making_is_pinned(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2"))
    assert (made.file, made.pure) == ("demo-1.2-py3-none-any.whl", True)
    listed = entry(made)
    assert listed.built_from is not None
    assert listed.built_from.file == "demo-1.2.tar.gz"
    assert [r.file for r in listed.built_from.requirements] == [backend_wheel()[0]]
    path = shop.blobs.path(made.digest)
    assert path is not None
    with zipfile.ZipFile(path) as read:
        assert read.testzip() is None
        assert "demo-1.2.dist-info/RECORD" in read.namelist()


def test_the_same_source_is_always_the_same_wheel(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2"))
    forget(shop, made.digest)
    assert build_sdist(shop.bench, source(shop, "demo")).digest == made.digest
    forget(shop, made.digest)
    assert rebuild(shop.bench, entry(made)) == made.digest


def test_a_wheel_still_in_the_cache_is_not_built_again(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2"))
    commands = len(shop.engine.commands)
    assert rebuild(shop.bench, entry(made)) == made.digest
    assert len(shop.engine.commands) == commands


def test_builds_have_no_network_no_rights_and_no_time(shop: Shop) -> None:
    built(shop, buildable("demo", "1.2"))
    ((trees, options),) = shop.engine.opened
    assert trees == ("root",)
    assert not options.network
    command = shop.engine.commands[0]
    assert (command.uid, command.gid, command.keep_capabilities) == (65534, 65534, False)
    assert command.environment["SOURCE_DATE_EPOCH"] == "315532800"
    assert command.environment["PYTHONHASHSEED"] == "0"


def test_what_a_backend_wants_besides_is_resolved_and_pinned(shop: Shop) -> None:
    shop.index.add(wheel("extra_tool", "3.0"))
    made = built(shop, buildable("demo", "1.2", requires=["extra-tool>=2"], imports=["extra_tool"]))
    assert [r.name for r in made.built.requirements] == ["extra-tool", "tinybackend"]
    forget(shop, made.digest)
    assert rebuild(shop.bench, entry(made)) == made.digest


def test_a_backend_that_fails_is_quoted(shop: Shop) -> None:
    with pytest.raises(ResolutionError) as caught:
        built(shop, buildable("demo", "1.2", fails="gcc is missing"))
    assert caught.value.message == "building a wheel from its source failed: RuntimeError: gcc is missing"
    assert "Traceback" in (caught.value.where or "")


def test_a_build_that_needs_what_only_has_sources_is_refused(shop: Shop) -> None:
    shop.index.add(buildable("sourcetool", "1"))
    with pytest.raises(
        ResolutionError, match="demo cannot be built: sourcetool, which its build needs, has no wheel"
    ):
        built(shop, buildable("demo", "1.2", requires=["sourcetool"]))
    with pytest.raises(ResolutionError, match="other cannot be built: 'absent' cannot be met"):
        built(shop, buildable("other", "1.2", requires=["absent"]))


def test_a_build_that_makes_another_project_is_refused(shop: Shop) -> None:
    _, content = buildable("else", "1.2")
    with pytest.raises(
        ResolutionError, match=r"building demo 1\.2 made something else: 'else-1\.2-py3-none-any\.whl'"
    ):
        built(shop, ("demo-1.2.tar.gz", content))
    _, content = buildable("other", "1.2", tag="no-tag")
    with pytest.raises(ResolutionError, match="made something else"):
        built(shop, ("other-1.2.tar.gz", content))


def test_a_build_that_never_repeats_is_found_out(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2", random=True))
    forget(shop, made.digest)
    with pytest.raises(VerificationError, match="is not the wheel that was locked"):
        rebuild(shop.bench, entry(made))


def test_what_a_backend_wants_elsewhere_only_does_not_hold_it_up(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2", requires=["tomli; python_version < '3'"]))
    assert [r.name for r in made.built.requirements] == ["tinybackend"]


def test_a_lock_without_the_tools_of_a_build_cannot_be_built(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2"))
    forget(shop, made.digest)
    with pytest.raises(ResolutionError, match="No module named 'tinybackend'"):
        rebuild(shop.bench, locked(made, "python", ()))


def test_tools_for_another_machine_do_not_run_here_but_those_of_this_platform_do(shop: Shop) -> None:
    shop.index.add(
        wheel("native", "1", tag="py3-none-manylinux_2_17_x86_64"),
        wheel("native", "1", tag="py3-none-manylinux_2_17_aarch64"),
    )
    made = built(shop, buildable("demo", "1.2", requires=["native"]))
    there = requirements_for(shop.bench, made, "linux/arm64")
    assert [r.file for r in there] == ["native-1-py3-none-manylinux_2_17_aarch64.whl", backend_wheel()[0]]
    assert requirements_for(shop.bench, made, "linux/amd64") == made.built.requirements
    forget(shop, made.digest)
    foreign = locked(made, "python", there)
    with pytest.raises(
        ResolutionError, match="cannot be built on linux/amd64: what its build needs is locked for"
    ):
        rebuild(shop.bench, foreign)
    assert rebuild(shop.bench, foreign, [entry(made)]) == made.digest


def test_tools_that_run_everywhere_are_the_same_on_every_platform(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2"))
    asked = len(shop.index.asked)
    assert requirements_for(shop.bench, made, "linux/arm64") == made.built.requirements
    assert len(shop.index.asked) == asked


def test_a_cache_that_changed_underneath_is_noticed(shop: Shop) -> None:
    made = built(shop, buildable("demo", "1.2"))
    forget(shop, made.digest)
    tool = made.built.requirements[0]
    path = shop.blobs.path(Digest(f"sha256:{tool.sha256}"))
    assert path is not None
    path.write_bytes(b"x" * tool.size)
    with pytest.raises(VerificationError, match="a file in the cache has changed"):
        rebuild(shop.bench, entry(made))


def test_a_cache_that_loses_files_is_an_outside_error(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.index.add(buildable("demo", "1.2"))
    wanted = source(shop, "demo")
    monkeypatch.setattr(type(shop.blobs), "path", lambda *_, **__: None)
    with pytest.raises(OutsideError, match="gone from the cache"):
        build_sdist(shop.bench, wanted)


def test_an_answer_that_is_none_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openhands_recipes.flows.sdist.program", lambda _: "print('hello')")
    with pytest.raises(VerificationError, match="answered with something unknown"):
        built(shop, buildable("demo", "1.2"))


def test_sources_without_a_build_system_get_setuptools(shop: Shop) -> None:
    fake = 'class __legacy__:\n    def build_wheel(self, *_):\n        raise SystemExit("legacy was asked")\n'
    body = {
        "setuptools/__init__.py": "",
        "setuptools/build_meta.py": fake.replace("class __legacy__:", "class L:"),
    }
    body["setuptools/build_meta.py"] += "__legacy__ = L()\n"
    shop.index.add(wheel("setuptools", "80.0", files=body))
    with pytest.raises(ResolutionError, match="legacy was asked"):
        built(shop, sdist("demo", "1.2", {"setup.py": ""}))


def test_a_backend_inside_the_sdist_is_found(shop: Shop) -> None:
    text = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    own = 'def build_wheel(*_):\n    raise SystemExit("own was asked")\n'
    with pytest.raises(ResolutionError, match="own was asked"):
        built(shop, sdist("demo", "1.2", {"pyproject.toml": text, "own.py": own}))


def test_the_lock_entry_carries_three_hashes(shop: Shop) -> None:
    made = entry(built(shop, buildable("demo", "1.2")))
    assert isinstance(made.built_from, Built)
    hashes = {made.sha256, made.built_from.sha256, *(r.sha256 for r in made.built_from.requirements)}
    assert len(hashes) == 3
    assert io.StringIO(made.model_dump_json()).read().count("http") == 0
