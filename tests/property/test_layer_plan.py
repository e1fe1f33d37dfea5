"""Layers cover all parts, nothing twice; the plan depends on the parts alone; a small change stays small."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.pack.plan import MIB, Group, LayerRules, PartSize, plan
from openhands_recipes.model.digest import digest_of

RULES = LayerRules()
SIZES = st.one_of(
    st.integers(0, 200_000), st.integers(0, 4 * MIB), st.integers(0, 30 * MIB), st.integers(0, 300 * MIB)
)


def part(name: str, source: str, size: int) -> PartSize:
    return PartSize(digest_of(f"{name} {source} {size}".encode()), name, source, size)


NAMES = st.text("abcdefghij-", min_size=1, max_size=8)
PARTS = st.lists(
    st.builds(part, NAMES, st.sampled_from(["glibc", "gcc", "mesa", "perl", "x", "y"]) | NAMES, SIZES),
    max_size=150,
    unique_by=lambda p: p.name,
)


def size_of(group: Group, parts: list[PartSize]) -> int:
    sizes = {p.key: p.installed_size for p in parts}
    return sum(sizes[key] for key in group.keys)


@settings(deadline=None)
@given(PARTS)
def test_every_part_is_in_exactly_one_group(parts: list[PartSize]) -> None:
    groups = plan(parts)
    assert sorted(key for group in groups for key in group.keys) == sorted(p.key for p in parts)
    assert len({group.name for group in groups}) == len(groups) <= RULES.groups


@settings(deadline=None)
@given(PARTS, st.randoms())
def test_the_order_of_parts_means_nothing(parts: list[PartSize], random: object) -> None:
    shuffled = sorted(parts, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert plan(shuffled) == plan(parts)


@settings(deadline=None)
@given(PARTS)
def test_no_group_of_small_parts_is_below_the_floor_unless_it_is_all_there_is(parts: list[PartSize]) -> None:
    small = [group for group in plan(parts) if group.name.startswith("small/")]
    assert len(small) <= 1 or all(size_of(group, parts) >= RULES.floor for group in small)


@settings(deadline=None)
@given(PARTS)
def test_only_levels_that_would_need_too_many_groups_pass_the_ceiling(parts: list[PartSize]) -> None:
    total = sum(p.installed_size for p in parts)
    for group in plan(parts):
        if len(group.keys) > 1 and size_of(group, parts) > RULES.ceiling + RULES.alone:
            assert total > RULES.ceiling * 2


@settings(deadline=None)
@given(PARTS, NAMES, NAMES, st.integers(1, 4 * MIB))
def test_one_more_small_part_changes_few_groups(
    parts: list[PartSize], name: str, source: str, size: int
) -> None:
    added = part(f"new-{name}", source, size)
    before, after = plan(parts), plan([*parts, added])
    kept = set(before) & set(after)
    if same_scale(parts, added):
        assert len(set(before) - kept) <= 2
        assert len(set(after) - kept) <= 3


def same_scale(parts: list[PartSize], added: PartSize) -> bool:
    """Whether the level stays in its class of size; crossing into the next one may move everything."""
    total = sum(p.installed_size for p in parts if p.installed_size < RULES.alone)
    steps = [RULES.target << i for i in range(1, 3)]
    crowded = sum(p.installed_size >= RULES.alone for p in parts) > 2 or total > 4 * RULES.target
    return not crowded and all((total <= s) == (total + added.installed_size <= s) for s in steps)
