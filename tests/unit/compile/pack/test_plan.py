from __future__ import annotations

from openhands_recipes.compile.pack.plan import MIB, LayerRules, PartSize, plan
from openhands_recipes.model.digest import digest_of


def part(name: str, size: int, *, source: str = "") -> PartSize:
    return PartSize(digest_of(f"{name} {size}".encode()), name, source or name, size)


def many(count: int, size: int) -> list[PartSize]:
    return [part(f"p{index}", size) for index in range(count)]


def test_nothing_needs_no_layer() -> None:
    assert plan([]) == ()


def test_a_few_small_parts_are_one_layer() -> None:
    (group,) = plan(many(20, MIB // 4))
    assert group.name == "small/all"
    assert len(group.keys) == 20


def test_a_big_part_is_alone_and_has_its_name() -> None:
    groups = plan([part("gcc", 60 * MIB), *many(10, MIB)])
    assert [(group.name, len(group.keys)) for group in groups] == [("gcc", 1), ("small/all", 10)]


def test_parts_of_one_source_stay_together_while_they_fit() -> None:
    parts = [part(f"lib{i}", MIB, source="mesa" if i % 2 else f"s{i}") for i in range(120)]
    groups = plan(parts)
    mesa = {p.key for p in parts if p.source_name == "mesa"}
    assert len(groups) > 1
    assert sum(bool(mesa & set(group.keys)) for group in groups) == 1


def test_a_source_larger_than_the_ceiling_is_divided_by_names() -> None:
    parts = [part(f"doc{i}", 20 * MIB, source="texlive") for i in range(40)]
    sizes = [sum(p.installed_size for p in parts if p.key in group.keys) for group in plan(parts)]
    assert len(sizes) > 1
    assert max(sizes) <= 256 * MIB


def test_many_big_parts_share_layers_rather_than_pass_the_limit() -> None:
    parts = many(30, 40 * MIB)
    groups = plan(parts)
    assert len(groups) <= 6
    assert sorted(key for group in groups for key in group.keys) == sorted(p.key for p in parts)


def test_two_big_parts_of_one_name_get_two_names() -> None:
    names = [group.name for group in plan([part("same", 30 * MIB), part("same", 31 * MIB)])]
    assert len(set(names)) == 2
    assert all(name.startswith("same-") for name in names)


def test_a_tiny_bucket_joins_its_neighbour() -> None:
    groups = plan(
        [part(f"p{i}", 20 * MIB) for i in range(5)] + [part("tiny", 10)], LayerRules(floor=MIB, groups=20)
    )
    small = {group.name: len(group.keys) for group in groups}
    assert all(size >= 1 for size in small.values())
    assert not any(len(group.keys) == 1 and group.keys[0] == part("tiny", 10).key for group in groups)


def test_packed_order_is_by_name() -> None:
    parts = many(20, 1000)
    (group,) = plan(parts)
    names = {p.key: p.name for p in parts}
    assert [names[key] for key in group.keys] == sorted(names.values())
