"""`ohr check` on locks: stale ones are warned of, without network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_recipes.adapters.recipe_store import FolderStore
from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import digest_of_lock, inputs_of
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.check import check, render
from openhands_recipes.model.digest import digest_of_json
from tests.recipe_texts import project, recipe_text


def write_lock(store: FolderStore, root: Path, name: str) -> Path:
    """A lock without parts that belongs to the recipes as they stand."""
    library = Library.of(store)
    composed = library.composed(name)
    inputs = inputs_of(
        composed,
        library.packages(composed),
        platforms=library.platforms(composed),
        suites=library.settings.pins.debian.suites,
    )
    parents = []
    for parent in composed.lineage[:-1]:
        stored = store.lock(parent)
        assert stored is not None
        parents.append({"name": parent, "version": "1.0.0", "lock": digest_of_lock(stored.content)})
    lock = {
        "schema": 1,
        "recipe": name,
        "inputs": inputs,
        "recipe_digest": digest_of_json(inputs),
        "parents": parents,
        "rules": current_rules().model_dump(mode="json"),
    }
    path = root / "recipes" / name / "recipe.lock.json"
    path.write_text(json.dumps(lock))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(root: Path) -> FolderStore:
    texts = {"base": recipe_text("base", "packages: [git]\n")}
    texts["child"] = recipe_text("child", "extends: [base]\npackages: [jq]\n")
    store = project(root, texts)
    for name in ("base", "child"):
        write_lock(store, root, name)
    return store


def warnings(root: Path) -> list[str]:
    report = check(FolderStore(root, here=root))
    assert report.is_good
    return [f"{fault.code} {fault.message}" for fault in report.faults]


def test_fresh_locks_and_recipes_never_locked_are_fine(store: FolderStore, root: Path) -> None:
    assert store.lock("child") is not None
    (root / "recipes" / "third").mkdir()
    (root / "recipes" / "third" / "recipe.yaml").write_text(recipe_text("third", "extends: [child]\n"))
    assert warnings(root) == []


@pytest.mark.usefixtures("store")
def test_a_recipe_that_changed_after_it_was_locked_is_warned_of(root: Path) -> None:
    text = recipe_text("child", "extends: [base]\npackages: [jq, curl]\n")
    (root / "recipes" / "child" / "recipe.yaml").write_text(text)
    assert warnings(root) == ["OHR060 the lock of 'child' is stale: packages +curl"]
    (fault,) = check(FolderStore(root, here=root)).faults
    assert str(fault) == (
        "warning[OHR060]: the lock of 'child' is stale: packages +curl\n"
        "  --> recipes/child/recipe.lock.json\n"
        "  hint: run `ohr lock child`"
    )


@pytest.mark.usefixtures("store")
def test_a_parent_that_was_locked_again_makes_its_children_stale(root: Path) -> None:
    path = root / "recipes" / "base" / "recipe.lock.json"
    path.write_text(path.read_text() + "\n")
    assert warnings(root) == ["OHR060 the lock of 'child' is stale: parent 'base' was locked again"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 2}', '{"schema": 1, "parents": 3}'])
def test_what_is_no_lock_is_told(root: Path, content: str) -> None:
    (root / "recipes" / "child" / "recipe.lock.json").write_text(content)
    assert warnings(root) == ["OHR060 the lock of 'child' is stale: it is no lock this version knows"]


@pytest.mark.usefixtures("store")
def test_warnings_leave_a_library_good_and_are_told_in_every_format(root: Path) -> None:
    (root / "recipes" / "child" / "recipe.lock.json").write_text("{}")
    report = check(FolderStore(root, here=root))
    assert render(report, "text").endswith("2 recipes checked, no fault, 1 warning")
    assert render(report, "github").startswith("::warning file=recipes/child/recipe.lock.json,")
    document = json.loads(render(report, "json"))
    assert (document["good"], document["faults"][0]["severity"]) == (True, "warning")


@pytest.mark.usefixtures("store")
def test_a_faulty_recipe_is_not_judged_by_its_lock(root: Path) -> None:
    text = recipe_text("child", "extends: [base]\npackages: [jqq]\n")
    (root / "recipes" / "child" / "recipe.yaml").write_text(text)
    assert [str(f.code) for f in check(FolderStore(root, here=root)).faults] == ["OHR050"]
