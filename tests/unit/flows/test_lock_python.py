from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.errors import OutsideError, ResolutionError
from openhands_recipes.flows.lock_python import Inherited, World, agreed, lock_wheels
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.lock import Wheel
from openhands_recipes.model.platform import Platform
from tests.local_index import LocalIndex, backend_wheel, buildable, sdist, wheel
from tests.unit.flows.python_bench import PYTHON, Shop, opened

BOTH: tuple[Platform, ...] = ("linux/amd64", "linux/arm64")
Locked = dict[Platform, tuple[Wheel, ...]]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    index = LocalIndex().add(
        backend_wheel(),
        wheel("pip", "26.0"),
        wheel("app", "1.0", requires=["lib>=1"]),
        wheel("app", "2.0", requires=["lib>=2"]),
        *(wheel("lib", version) for version in ("1.0", "2.0")),
        buildable("slow", "0.9"),
        buildable("slow", "1.0"),
        wheel("uses_slow", "1.0", requires=["slow"]),
    )
    with opened(tmp_path, index) as made:
        yield made


def world(into: str, *requirements: str, **fields: Any) -> World:
    return World(into, PYTHON, requirements, **fields)


def lock(shop: Shop, *worlds: World, platforms: tuple[Platform, ...] = ("linux/amd64",)) -> Locked:
    return lock_wheels(shop.bench, worlds, platforms)


def names(wheels: tuple[Wheel, ...]) -> list[str]:
    return [f"{w.into}:{w.name}=={w.version}" for w in wheels]


def parent(name: str, wheels: Locked) -> Inherited:
    return Inherited(name, wheels)


def test_environments_are_independent_worlds_sorted_by_name(shop: Shop) -> None:
    made = lock(shop, world("python", "app<2", "lib<2"), world("agent", "app"), platforms=BOTH)
    expected = ["agent:app==2.0", "agent:lib==2.0", "python:app==1.0", "python:lib==1.0", "python:pip==26.0"]
    assert {p: names(w) for p, w in made.items()} == dict.fromkeys(BOTH, expected)


def test_only_what_a_level_adds_is_locked(shop: Shop) -> None:
    below = lock(shop, world("python", "lib<2"))
    above = lock(shop, world("python", "app", parents=(parent("base", below),)))
    assert names(above["linux/amd64"]) == ["python:app==1.0"]  # 2.0 would need another lib


def test_what_parents_meet_needs_no_resolver(shop: Shop) -> None:
    below = lock(shop, world("python", "lib<2"))
    asked = len(shop.index.asked)
    assert lock(shop, world("python", "Lib>=1", parents=(parent("base", below),)))["linux/amd64"] == ()
    assert len(shop.index.asked) == asked


def test_extras_and_markers_are_left_to_the_resolver(shop: Shop) -> None:
    below = lock(shop, world("python", "lib<2"))
    asked = len(shop.index.asked)
    made = lock(
        shop, world("python", "lib[more]", "app; python_version < '3'", parents=(parent("base", below),))
    )
    assert made["linux/amd64"] == ()
    assert len(shop.index.asked) >= asked


def test_a_conflict_with_a_parent_names_the_parent_and_the_way_out(shop: Shop) -> None:
    below = lock(shop, world("python", "lib<2"))
    with pytest.raises(ResolutionError) as caught:
        lock(shop, world("python", "app>=2", parents=(parent("base", below),)))
    assert caught.value.message == (
        "'app>=2' in 'python' on linux/amd64 would need lib 2.0 where parent 'base' fixes 1.0"
    )
    assert caught.value.hint == "run `ohr lock --update base`, or ask for versions that fit"


def test_a_conflict_that_ends_at_sources_still_names_the_parent(shop: Shop) -> None:
    shop.index.add(sdist("app", "0.1", {}))
    below = lock(shop, world("x", "lib<2"))
    with pytest.raises(ResolutionError, match=r"would need lib 2\.0 where parent 'base' fixes 1.0"):
        lock(shop, world("x", "app!=1.0", parents=(parent("base", below),)))


def test_what_nobody_could_meet_is_not_blamed_on_parents(shop: Shop) -> None:
    below = lock(shop, world("python", "lib<2"))
    with pytest.raises(ResolutionError, match="'app>=9' cannot be met"):
        lock(shop, world("python", "app>=9", parents=(parent("base", below),)))


def test_parents_that_disagree_are_both_named(shop: Shop) -> None:
    one, two = lock(shop, world("python", "lib<2")), lock(shop, world("python", "lib"))
    with pytest.raises(ResolutionError) as caught:
        lock(shop, world("python", "app", parents=(parent("one", one), parent("two", two))))
    assert caught.value.message == (
        "parents 'one' and 'two' fix different versions of lib in 'python': 1.0 and 2.0"
    )
    assert caught.value.hint == "run `ohr lock --update one two`"
    other = world("agent", parents=(parent("one", one), parent("two", two)))
    assert agreed(other, "linux/amd64") == {}


def test_earlier_versions_are_kept_until_an_update(shop: Shop) -> None:
    earlier = lock(shop, world("agent", "app<2"))
    shop.index.add(wheel("lib", "1.5"))
    kept = lock(shop, world("agent", "app<2", earlier=earlier))
    assert kept == earlier
    assert names(lock(shop, world("agent", "app", earlier=earlier))["linux/amd64"]) == names(
        earlier["linux/amd64"]
    )
    assert names(lock(shop, world("agent", "app"))["linux/amd64"]) == ["agent:app==2.0", "agent:lib==2.0"]


def test_what_has_no_wheel_is_built_once_for_all(shop: Shop) -> None:
    made = lock(shop, world("agent", "uses-slow"), world("python", "slow>=1"), platforms=BOTH)
    assert names(made["linux/arm64"]) == [
        "agent:slow==1.0", "agent:uses-slow==1.0", "python:pip==26.0", "python:slow==1.0"
    ]  # fmt: skip
    slow = [w for wheels in made.values() for w in wheels if w.name == "slow"]
    assert len({w.sha256 for w in slow}) == 1
    assert all(w.built_from for w in slow)
    assert len(shop.engine.commands) == 1


def test_the_version_asked_for_is_built(shop: Shop) -> None:
    assert names(lock(shop, world("agent", "slow<1"))["linux/amd64"]) == ["agent:slow==0.9"]


def test_nothing_is_furnished_when_nothing_is_built(shop: Shop) -> None:
    lock(shop, world("agent", "app"))
    assert not shop.furnished


def test_a_built_wheel_of_the_last_lock_is_made_from_the_same_tools_again(shop: Shop) -> None:
    earlier = lock(shop, world("agent", "uses-slow"), platforms=BOTH)
    name, content = backend_wheel()
    shop.index.add((name.replace("-1.0-", "-2.0-"), content))  # a newer backend must not matter
    slow = next(w for w in earlier["linux/amd64"] if w.name == "slow")
    path = shop.blobs.path(Digest(f"sha256:{slow.sha256}"))
    assert path is not None
    path.unlink()
    assert lock(shop, world("agent", "uses-slow", earlier=earlier), platforms=BOTH) == earlier
    assert path.exists()


def test_a_wheel_a_parent_had_built_is_made_again_for_its_children(shop: Shop) -> None:
    below = lock(shop, world("agent", "slow<1"))
    above = lock(shop, world("agent", "uses-slow", parents=(parent("base", below),)))
    assert names(above["linux/amd64"]) == ["agent:uses-slow==1.0"]


def test_machine_code_is_only_built_for_this_machine(shop: Shop) -> None:
    shop.index.add(
        buildable("native", "1", tag=f"cp3{PYTHON.split('.')[1]}-cp3{PYTHON.split('.')[1]}-linux_x86_64")
    )
    assert names(lock(shop, world("x", "native"))["linux/amd64"]) == ["x:native==1"]
    with pytest.raises(ResolutionError) as caught:
        lock(shop, world("x", "native"), platforms=BOTH)
    assert caught.value.message.startswith("native 1 has no wheel for linux/arm64 and holds machine code")
    assert "leave linux/arm64 out of `platforms`" in (caught.value.hint or "")


def test_a_source_known_to_hold_machine_code_is_not_even_tried_for_others(shop: Shop) -> None:
    shop.index.add(buildable("native", "1"), wheel("native", "1", tag="cp38-cp38-win_amd64"))
    with pytest.raises(ResolutionError, match="holds machine code"):
        lock(shop, world("x", "native"), platforms=("linux/arm64",))
    assert not shop.furnished


def test_a_wheel_the_resolver_will_not_have_ends_the_search(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(shop.bench.index).compile

    def forgetful(index: Any, request: Any) -> bytes:
        return real(index, type(request)(request.requirements, request.python_version, request.platform))

    monkeypatch.setattr(type(shop.bench.index), "compile", forgetful)
    with pytest.raises(ResolutionError, match="no usable wheels"):
        lock(shop, world("x", "slow"))


def test_too_many_builds_are_a_mistake(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openhands_recipes.flows.lock_python.MOST_BUILDS", 1)
    with pytest.raises(ResolutionError, match="more than 1 projects of 'x' have no wheels"):
        lock(shop, world("x", "slow"))


def test_a_built_wheel_lost_from_the_cache_is_an_outside_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = lock(shop, world("x", "slow"))
    monkeypatch.setattr(
        "openhands_recipes.flows.lock_python.rebuild", lambda *_: Digest("sha256:" + "0" * 64)
    )
    with pytest.raises(OutsideError, match="gone from the cache"):
        lock(shop, world("x", "slow", earlier=earlier))
