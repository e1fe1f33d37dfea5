"""Layers of closures: all covered, nothing twice, no order, few enough; and a small change stays small."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.pack.plan import MIB, Group, PartSize
from openhands_recipes.compile.pack.plan_closure import ClosureRules, plan_closure, plan_levels
from openhands_recipes.compile.pack.store import package_name, part_of
from openhands_recipes.model.digest import Digest

RULES = ClosureRules()
SIZES = st.one_of(
    st.integers(0, 200_000), st.integers(0, 4 * MIB), st.integers(0, 30 * MIB), st.integers(0, 400 * MIB)
)
NAMES = st.builds(
    "{}-{}{}".format,
    st.text("abcdefgh", min_size=1, max_size=6),
    st.sampled_from(["1.0", "2.39-52"]),
    st.sampled_from(["", "-dev", "-lib"]),
)


def part(name: str, size: int, salt: str = "") -> PartSize:
    return part_of(f"/nix/store/{'0' * 32}-{name}", f"sha256-{name}{size}{salt}", size)


PARTS = st.lists(st.builds(part, NAMES, SIZES), max_size=200, unique_by=lambda p: p.name)


def keys(groups: tuple[Group, ...]) -> list[Digest]:
    return [key for group in groups for key in group.keys]


@settings(deadline=None)
@given(PARTS, st.integers(1, 60))
def test_every_path_is_in_exactly_one_group_and_there_are_few_enough(
    parts: list[PartSize], most: int
) -> None:
    groups = plan_closure(parts, RULES._replace(groups=most))
    assert sorted(keys(groups)) == sorted(p.key for p in parts)
    assert len({group.name for group in groups}) == len(groups) <= most


@settings(deadline=None)
@given(PARTS, st.randoms())
def test_the_order_of_paths_means_nothing(parts: list[PartSize], random: object) -> None:
    shuffled = sorted(parts, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert plan_closure(shuffled) == plan_closure(parts)


@settings(deadline=None)
@given(PARTS.filter(bool), st.data())
def test_a_path_that_changes_but_not_its_size_changes_one_group(
    parts: list[PartSize], data: st.DataObject
) -> None:
    changed = data.draw(st.sampled_from(parts))
    after = [part(p.name, p.installed_size, "new") if p == changed else p for p in parts]
    before, now = plan_closure(parts), plan_closure(after)
    assert len(set(now) - set(before)) == 1
    assert len(set(before) - set(now)) == 1


@settings(deadline=None)
@given(PARTS.filter(lambda p: len(p) > 1), st.data())
def test_a_path_that_goes_or_grows_moves_few_groups(parts: list[PartSize], data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(parts))
    other = part(changed.name, data.draw(SIZES), "new")
    for after in ([p for p in parts if p != changed], [p if p != changed else other for p in parts]):
        new = set(plan_closure(after)) - set(plan_closure(parts))
        assert len(new) <= MOST_MOVED


MOST_MOVED = 6
"""Its bucket, one that may be split again or joined, and paths that begin or cease to travel alone."""


@settings(deadline=None)
@given(PARTS)
def test_buckets_are_above_the_floor_unless_one_holds_all(parts: list[PartSize]) -> None:
    sizes = {p.key: p.installed_size for p in parts}
    small = [g for g in plan_closure(parts) if g.name.startswith("small/")]
    assert len(small) <= 1 or all(sum(map(sizes.__getitem__, g.keys)) >= RULES.floor for g in small)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=6))
def test_children_change_nothing_about_the_layers_of_their_ancestors(levels: list[list[PartSize]]) -> None:
    plans = plan_levels(levels)
    for height in range(len(levels)):
        assert plan_levels(levels[:height]) == plans[:height]
    assert sum(map(len, plans)) <= RULES.groups + len(levels)


def test_outputs_and_versions_of_a_package_are_one_source() -> None:
    assert {package_name(n) for n in ("openssl-3.0.13-bin", "openssl-3.1", "openssl")} == {"openssl"}
    assert package_name("python3.13-requests-2.32.3") == "python3.13-requests"
    assert package_name("x-2b-1") == "x"


def test_a_closure_of_two_gigabytes_has_small_buckets() -> None:
    big = [part(f"big{n}-1", (400 - 20 * n) * MIB) for n in range(12)]
    small = [part(f"p{n}-1", (n % 40) * 60_000) for n in range(500)]
    sizes = {p.key: p.installed_size for p in big + small}
    groups = plan_closure(big + small, RULES._replace(groups=28))
    buckets = [g for g in groups if g.name.startswith("small/")]
    assert len(groups) == 28
    assert max(sum(map(sizes.__getitem__, g.keys)) for g in buckets) < 70 * MIB
