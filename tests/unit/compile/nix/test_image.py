"""What an image over a closure is made of."""

from __future__ import annotations

from openhands_recipes.compile.nix.image import (
    closure_groups,
    contract_levels,
    created,
    nix_settings,
    roots_of,
)
from openhands_recipes.compile.pack.store import store_key
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.nix import ClosurePlatform, StorePath

HEAD = (
    "schema: 1\nname: {name}\nversion: 1.0.0\nsummary: s\nlicense: MIT\nmaintainers: [{{github: a, id: 1}}]\n"
)
TEST = 'tests: [{name: t, run: "true"}]\n'


def composed(**texts: str) -> Composed:
    known: dict[str, ParsedRecipe] = {}
    for name, text in texts.items():
        known[name] = parse((HEAD.format(name=name) + text + TEST).encode(), file=f"{name}/recipe.yaml")
    return compose(name, known)


def path(name: str, *needs: str, size: int = 1000) -> StorePath:
    full = {n: f"/nix/store/{n[0] * 32}-{n}" for n in (name, *needs)}
    return StorePath(
        path=full[name],
        narHash=f"sha256-{name[0] * 43}=",
        narSize=size,
        references=tuple(sorted(full[n] for n in needs)),
    )


def closure(*paths: StorePath) -> ClosurePlatform:
    return ClosurePlatform(root=paths[0].path, paths=tuple(sorted(paths, key=lambda p: p.path)))


USER = "user: {name: openhands, uid: 10001, gid: 10001, sudo: true}\n"


def test_the_contract_ends_with_the_last_level_that_makes_the_account() -> None:
    assert contract_levels(composed(ground=USER, tools="extends: [ground]\n")) == 1
    assert contract_levels(composed(ground=USER)) == 1
    assert contract_levels(composed(alone="packages: [jq]\n")) == 0


def test_roots_are_the_environment_and_small_paths_that_need_nearly_everything() -> None:
    links = path("links", "app", "bib", "cib")
    big = path("sdk", "app", "bib", "cib", size=50 << 20)
    paths = (path("world", "links", "sdk"), links, big, path("app", "bib"), path("bib", "cib"), path("cib"))
    assert roots_of(closure(*paths)) == {paths[0].path, links.path}


def test_paths_of_an_ancestor_are_grouped_as_the_ancestor_groups_them() -> None:
    shared = [path("bib"), path("cib")]
    parent = closure(path("parent", "bib", "cib"), *shared)
    child = closure(path("zenv", "bib", "cib", "mine"), *shared, path("mine"))
    alone = closure_groups([("ground", parent)], own=parent)
    both = closure_groups([("ground", parent), ("tools", child)], own=child)
    assert both[0] == alone[0]
    (mine,) = both[1][1]
    assert mine.keys == (store_key(path("mine").path, path("mine").nar_hash),)


def test_settings_tell_the_source_and_keep_the_recipes_path_in_front() -> None:
    recipe = composed(ground=USER + "path: [/opt/x/bin]\n")
    settings = nix_settings(recipe, last_modified=1784007870, closure=digest_of(b""), shape="hybrid")
    assert settings.environment["PATH"].startswith("/opt/x/bin:/usr/local/sbin:/usr/local/bin:")
    assert settings.environment["PATH"].endswith(":/nix/var/nix/profiles/default/bin")
    assert settings.created == created(1784007870) == "2026-07-14T05:44:30Z"
    assert "nixpkgs" in settings.labels.values()
