"""Where recipes, locks and settings are found, and what is never read or written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openhands_recipes.adapters.recipe_store import MAX_BYTES, FolderStore, built_in_library
from openhands_recipes.errors import InvalidRecipeError, OutsideError, UsageError
from openhands_recipes.ports import RecipeStore, StoredText


def add(root: Path, name: str, text: str = "name: x\n", lock: str = "") -> Path:
    home = root / "recipes" / name
    home.mkdir(parents=True)
    (home / "recipe.yaml").write_text(text)
    if lock:
        (home / "recipe.lock.json").write_text(lock)
    return home


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    add(root, "mine", "mine\n", lock="{}")
    add(root, "both", "project's\n")
    return root


@pytest.fixture
def library(tmp_path: Path) -> Path:
    library = tmp_path / "library"
    add(library, "both", "library's\n", lock="library's lock\n")
    add(library, "base", "base\n", lock="library's lock\n")
    (library / "nixlib").mkdir()
    (library / "nixlib" / "packages.toml").write_text("library's table\n")
    (library / "recipes" / "registry.yaml").write_text("library's settings\n")
    return library


@pytest.fixture
def store(root: Path, library: Path) -> FolderStore:
    return FolderStore(root, library=library, here=root)


def test_the_projects_recipes_hide_those_of_the_library(store: FolderStore) -> None:
    port: RecipeStore = store
    assert port.names() == ("base", "both", "mine")
    assert port.own_names() == ("both", "mine")
    assert port.recipe("both") == StoredText("recipes/both/recipe.yaml", b"project's\n")
    base = port.recipe("base")
    assert base is not None
    assert base.content == b"base\n"
    assert base.file.endswith("library/recipes/base/recipe.yaml")
    assert port.recipe("none") is None


@pytest.mark.parametrize("name", ["", ".", "..", ".library", "../library/recipes/base", "mine/", "a\0b"])
def test_names_that_are_paths_name_no_recipe(store: FolderStore, name: str) -> None:
    assert store.recipe(name) is None
    assert store.lock(name) is None


def test_a_project_without_recipes_has_the_library(tmp_path: Path, library: Path) -> None:
    store = FolderStore(tmp_path / "empty", library=library)
    assert store.own_names() == ()
    assert store.names() == ("base", "both")


def test_locks_belong_to_the_recipe_that_is_used(store: FolderStore) -> None:
    assert store.lock("mine") == StoredText("recipes/mine/recipe.lock.json", b"{}")
    assert store.lock("both") is None
    assert store.lock("none") is None
    base = store.lock("base")
    assert base is not None
    assert base.content == b"library's lock\n"


def test_a_lock_made_here_for_a_library_recipe_wins(store: FolderStore, root: Path, library: Path) -> None:
    assert store.write_lock("base", b"ours\n") == "recipes/.library/base/recipe.lock.json"
    assert store.lock("base") == StoredText("recipes/.library/base/recipe.lock.json", b"ours\n")
    assert (library / "recipes" / "base" / "recipe.lock.json").read_text() == "library's lock\n"
    assert store.own_names() == ("both", "mine")
    assert [path.name for path in (root / "recipes" / ".library" / "base").iterdir()] == ["recipe.lock.json"]


def test_a_projects_lock_lies_beside_its_recipe(store: FolderStore, root: Path) -> None:
    assert store.write_lock("mine", b"new\n") == "recipes/mine/recipe.lock.json"
    assert (root / "recipes" / "mine" / "recipe.lock.json").read_bytes() == b"new\n"
    with pytest.raises(UsageError, match="there is no recipe 'none'"):
        store.write_lock("none", b"")


def test_settings_and_packages_are_the_projects_where_it_has_them(store: FolderStore, root: Path) -> None:
    assert store.settings().content == b"library's settings\n"
    assert store.package_table().content == b"library's table\n"
    (root / "recipes" / "registry.yaml").write_text("own\n")
    (root / "nixlib").mkdir()
    (root / "nixlib" / "packages.toml").write_text("own\n")
    assert store.settings() == StoredText("recipes/registry.yaml", b"own\n")
    assert store.package_table() == StoredText("nixlib/packages.toml", b"own\n")


def test_an_installation_without_its_data_says_so(root: Path, tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="is missing from the installation"):
        FolderStore(root, library=tmp_path / "nowhere").package_table()


@pytest.mark.parametrize(
    "place",
    ["mine", "recipes/mine", "recipes/mine/", "recipes/mine/recipe.yaml", "./recipes/mine/recipe.lock.json"],
)
def test_a_recipe_is_meant_by_name_folder_or_file(store: FolderStore, place: str) -> None:
    assert store.name_of(place) == "mine"


def test_paths_are_read_from_where_one_stands(root: Path, library: Path) -> None:
    store = FolderStore(root, library=library, here=root / "recipes" / "mine")
    assert store.name_of("recipe.yaml") == "mine"
    assert store.name_of("../both") == "both"
    assert store.name_of(str(root / "recipes" / "both")) == "both"
    both = store.recipe("both")
    assert both is not None
    assert both.file == "../both/recipe.yaml"


def test_what_is_no_recipe_is_told_with_a_guess(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        store.name_of("mien")
    assert str(caught.value) == "there is no recipe 'mien'\n  hint: did you mean 'mine'?"
    with pytest.raises(UsageError) as caught:
        store.name_of("zebra")
    assert caught.value.hint == "`ohr new zebra` starts one"
    with pytest.raises(UsageError) as caught:
        store.name_of(str(tmp_path))
    assert caught.value.message == f"'{tmp_path}' is not a recipe of this project"
    assert caught.value.hint == "recipes lie in recipes/<name>/recipe.yaml; name another project with --root"


def test_a_new_recipe_comes_with_the_schema(store: FolderStore, root: Path) -> None:
    assert store.create("fresh", b"text\n", schema=b"{}\n") == "recipes/fresh/recipe.yaml"
    assert (root / "recipes" / "fresh" / "recipe.yaml").read_bytes() == b"text\n"
    assert (root / "schema" / "recipe.schema.json").read_bytes() == b"{}\n"
    store.create("more", b"text\n", schema=b"other\n")
    assert (root / "schema" / "recipe.schema.json").read_bytes() == b"{}\n"


def test_a_new_recipe_overwrites_nothing(store: FolderStore) -> None:
    with pytest.raises(UsageError, match="there is a recipe 'mine' already"):
        store.create("mine", b"", schema=b"")
    with pytest.raises(UsageError, match=r"'\.\./x' cannot be a recipe's name"):
        store.create("../x", b"", schema=b"")


def test_a_recipe_that_is_a_link_is_refused(store: FolderStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (root / "recipes" / "linked").mkdir()
    (root / "recipes" / "linked" / "recipe.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidRecipeError) as caught:
        store.recipe("linked")
    assert str(caught.value) == (
        "the file is a link, or lies below one\n"
        "  --> recipes/linked/recipe.yaml\n"
        "  hint: put the file itself there"
    )


def test_a_folder_that_leads_out_of_the_project_is_refused(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    add(tmp_path / "elsewhere", "escape")
    (root / "recipes" / "escape").symlink_to(tmp_path / "elsewhere" / "recipes" / "escape")
    (root / "recipes" / "alias").symlink_to("mine")
    with pytest.raises(InvalidRecipeError, match="the folder is a link that leads out of the project"):
        store.recipe("escape")
    with pytest.raises(InvalidRecipeError, match="the folder leads out of the project"):
        store.write_lock("escape", b"")
    inside = store.recipe("alias")
    assert inside is not None
    assert inside.content == b"mine\n"


def test_devices_and_folders_are_not_recipes(store: FolderStore, root: Path) -> None:
    (root / "recipes" / "odd").mkdir()
    os.mkfifo(root / "recipes" / "odd" / "recipe.yaml")
    with pytest.raises(InvalidRecipeError, match="not a regular file"):
        store.recipe("odd")


def test_a_huge_file_is_refused_before_it_is_read(store: FolderStore, root: Path) -> None:
    with (root / "recipes" / "mine" / "recipe.yaml").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(InvalidRecipeError, match="the file has 8,388,609 bytes; at most 8,388,608 are read"):
        store.recipe("mine")


def test_what_cannot_be_written_is_the_machines_fault(store: FolderStore, root: Path) -> None:
    (root / "schema").write_text("a file where a folder should be\n")
    with pytest.raises(OutsideError, match="cannot be written"):
        store.create("fresh", b"", schema=b"{}")


def test_what_the_system_refuses_to_read_is_the_machines_fault(store: FolderStore, root: Path) -> None:
    lock = root / "recipes" / "mine" / "recipe.lock.json"
    lock.unlink()
    lock.symlink_to(lock.name)
    with pytest.raises(InvalidRecipeError, match="link"):
        store.lock("mine")
    with pytest.raises(OutsideError, match="cannot be read"):
        store._read(root / ("x" * 300))


def test_the_library_that_comes_along_is_whole() -> None:
    library = built_in_library()
    assert (library / "recipes" / "base" / "recipe.yaml").is_file()
    assert (library / "nixlib" / "packages.toml").is_file()
    assert (library / "schema" / "recipe.schema.json").is_file()


def test_closures_are_kept_beside_locks(store: FolderStore) -> None:
    assert store.closure("mine") is None
    assert store.write_closure("mine", b"own\n") == "recipes/mine/recipe.closure.json"
    assert store.write_closure("base", b"ours\n") == "recipes/.library/base/recipe.closure.json"
    assert [stored.content for name in ("mine", "base") if (stored := store.closure(name))] == [
        b"own\n",
        b"ours\n",
    ]
