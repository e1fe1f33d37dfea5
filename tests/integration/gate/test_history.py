"""The two doors of the gate: Git history, and the index of who extends whom."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import pytest

from openhands_recipes.adapters import git_history
from openhands_recipes.adapters.dependants import DependantsFile
from openhands_recipes.adapters.git_history import GitHistory
from openhands_recipes.compile.recipe.extends import bases_in
from openhands_recipes.errors import InvalidRecipeError, OutsideError, UsageError
from tests.fakes import QuietProgress
from tests.integration.gate.repository import FILE, FOLDER, LINK, Blob, Files, GateRepository


def texts(**bases: str) -> Files:
    """Recipes by name and what they extend; enough for an index."""
    return {
        f"recipes/{name}/recipe.yaml": Blob(f"name: {name}\nextends: [{extends}]\n".encode())
        for name, extends in bases.items()
    }


@pytest.fixture
def repository(tmp_path: Path) -> GateRepository:
    return GateRepository(tmp_path / "registry.git")


def index_of(repository: GateRepository, cache: Path) -> DependantsFile:
    history = GitHistory(repository.folder)
    return DependantsFile(cache, history, bases_in=bases_in, progress=QuietProgress())


# --- history -----------------------------------------------------------------------------------------


def test_files_are_read_from_any_commit_and_links_are_no_files(repository: GateRepository) -> None:
    files = {"recipes/a/recipe.yaml": Blob(b"one\n"), "x/y/z": Blob(b"deep\n"), "link": Blob(b"x", LINK)}
    first = repository.commit(repository.tree(files))
    second = repository.commit(repository.tree(files | {"recipes/a/recipe.yaml": Blob(b"two\n")}), first)
    history = GitHistory(repository.folder)
    assert history.read(first, "recipes/a/recipe.yaml") == b"one\n"
    assert history.read(second, "recipes/a/recipe.yaml") == b"two\n"
    assert history.read(first, "x/y/z") == b"deep\n"
    assert history.read(first, "link") is None
    assert history.read(first, "x/y") is None
    assert history.read(first, "recipes/b/recipe.yaml") is None
    assert history.recipe_names(first) == ("a",)
    (change,) = history.changes(first, second)
    assert (change.path, change.recipe, change.is_addition, change.is_removal) == (
        "recipes/a/recipe.yaml", "a", False, False,
    )  # fmt: skip
    assert history.blob(change.new_blob, limit=2) == b"tw"
    assert history.blob(change.new_blob, limit=100) == b"two\n"
    assert history.size(change.new_blob) == 4


def test_large_trees_are_searched_with_the_same_result(
    repository: GateRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"recipes/r{at:03}/recipe.yaml": Blob(f"{at}\n".encode()) for at in range(200)}
    commit = repository.commit(repository.tree(files | {"recipes/gate.yaml": Blob(b"g\n")}))
    parsed = GitHistory(repository.folder)
    monkeypatch.setattr(git_history, "LARGE", 0)
    searched = GitHistory(repository.folder)
    for path in (
        "recipes/r000/recipe.yaml",
        "recipes/r199/recipe.yaml",
        "recipes/gate.yaml",
        "recipes/r200/x",
    ):
        assert searched.read(commit, path) == parsed.read(commit, path)
    assert searched.folder(commit, "recipes/r007") == ("recipes/r007/recipe.yaml",)


def test_commits_are_told_oldest_first_whatever_their_messages_hold(repository: GateRepository) -> None:
    tree = repository.tree(texts(a=""))
    base = repository.commit(tree)
    one = repository.commit(tree, base, message="one\x01\n\nSigned-off-by: A <a@example.org>\n")
    two = repository.commit(tree, one, message="two\n", author="B\u00f6b <b@example.org>")
    merge = repository.commit(tree, two, base, message="merge\n")
    told = GitHistory(repository.folder).commits(base, merge)
    assert [(c.id, c.parents, c.email) for c in told] == [
        (one, 1, "alice@example.org"), (two, 1, "b@example.org"), (merge, 2, "alice@example.org"),
    ]  # fmt: skip
    assert "Signed-off-by: A" in told[0].message


def test_replaced_objects_are_not_believed(repository: GateRepository) -> None:
    good, bad = (repository.commit(repository.tree({"a": Blob(text)})) for text in (b"good\n", b"bad\n"))
    replaced = repository.folder / "refs" / "replace"
    replaced.mkdir(parents=True)
    (replaced / bad).write_text(good + "\n")
    assert GitHistory(repository.folder).read(bad, "a") == b"bad\n"


def test_what_is_not_there_is_told_with_what_to_fetch(repository: GateRepository) -> None:
    base = repository.commit(repository.tree(texts(a="")))
    other = repository.commit(repository.tree(texts(b="")))
    history = GitHistory(repository.folder)
    for revision in ("main", "0" * 40, "--all", "a b"):
        with pytest.raises(UsageError) as told:
            history.commit(revision)
        assert "git fetch" in str(told.value)
    with pytest.raises(UsageError, match="no past in common"):
        history.fork_point(base, other)
    with pytest.raises(OutsideError, match="missing"):
        history.size("1" * 40)


def test_a_malformed_tree_is_an_error_and_no_crash(repository: GateRepository) -> None:
    base = repository.commit(repository.tree(texts(a="")))
    blob = repository.write("blob", b"x\n")
    nameless = repository.raw_tree([(FILE, b"", blob)])
    broken = repository.commit(repository.raw_tree([(FOLDER, b"recipes", nameless)]), base)
    with pytest.raises(InvalidRecipeError, match="tree cannot be read"):
        GitHistory(repository.folder).changes(base, broken)


# --- the index of dependants -------------------------------------------------------------------------


def test_dependants_follow_every_commit_forth_and_back(repository: GateRepository, tmp_path: Path) -> None:
    first = repository.commit(repository.tree(texts(base="", one="base", two="base, one")))
    later = texts(base="", one="base", two="one", three="two, base")
    second = repository.commit(repository.tree(later), first)
    for _ in range(2):
        index = index_of(repository, tmp_path)
        assert index.of(first, ["base", "one", "three"]) == {
            "base": ("one", "two"),
            "one": ("two",),
            "three": (),
        }
        assert index.of(second, ["base", "one", "two"]) == {
            "base": ("one", "three"), "one": ("two",), "two": ("three",),
        }  # fmt: skip


def test_a_clone_without_the_indexed_tree_reads_what_differs(
    repository: GateRepository, tmp_path: Path
) -> None:
    first = repository.commit(repository.tree(texts(base="", a="base")))
    second = repository.commit(repository.tree(texts(base="", b="base")))
    index_of(repository, tmp_path).of(first, ["base"])
    tree = GitHistory(repository.folder).recipes_id(first)
    (repository.objects / tree[:2] / tree[2:]).unlink()
    assert index_of(repository, tmp_path).of(second, ["base"]) == {"base": ("b",)}


def test_a_registry_without_recipes_has_no_dependants(repository: GateRepository, tmp_path: Path) -> None:
    empty = repository.commit(repository.tree({"README.md": Blob(b"x\n")}))
    assert index_of(repository, tmp_path).of(empty, ["base"]) == {"base": ()}


def test_folders_without_a_recipe_and_odd_ones_do_no_harm(repository: GateRepository, tmp_path: Path) -> None:
    files = texts(base="", a="base") | {
        "recipes/docs/README.md": Blob(b"x\n"),
        "recipes/odd/recipe.yaml/x": Blob(b"x\n"),
        "recipes/bad/recipe.yaml": Blob(b"\xff\0extends: [base]\n{"),
        "recipes/link/recipe.yaml": Blob(b"extends: [base]", LINK),
        "recipes/quoted/recipe.yaml": Blob(b'"ext\\u0065nds": [base]\nname: quoted\n'),
    }
    commit = repository.commit(repository.tree(files))
    found = index_of(repository, tmp_path).of(commit, ["base"])["base"]
    assert {"a", "quoted"} <= set(found)
    assert "docs" not in found


def test_a_broken_index_is_removed_and_made_again(repository: GateRepository, tmp_path: Path) -> None:
    commit = repository.commit(repository.tree(texts(base="", a="base")))
    index = index_of(repository, tmp_path)
    index.of(commit, ["base"])
    index.path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(OutsideError, match="broken"):
        index.of(commit, ["base"])
    assert index.of(commit, ["base"]) == {"base": ("a",)}


def _ask(folder: Path, cache: Path, commit: str) -> int:
    index = DependantsFile(cache, GitHistory(folder), bases_in=bases_in, progress=QuietProgress())
    return len(index.of(commit, ["base"])["base"])


def test_several_processes_share_it(repository: GateRepository, tmp_path: Path) -> None:
    names = {f"r{at:03}": "base" for at in range(300)}
    first = repository.commit(repository.tree(texts(base="", **names)))
    second = repository.commit(repository.tree(texts(base="", **dict(list(names.items())[:200]))))
    jobs = [(repository.folder, tmp_path, commit) for commit in (first, second) * 4]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.starmap(_ask, jobs) == [300, 200] * 4


def _die(_text: bytes) -> tuple[str, ...]:
    os.kill(os.getpid(), signal.SIGKILL)
    return ()


def test_killed_while_it_is_made_it_is_made_by_the_next(repository: GateRepository, tmp_path: Path) -> None:
    commit = repository.commit(repository.tree(texts(base="", **{f"r{at:03}": "base" for at in range(300)})))
    index = index_of(repository, tmp_path)
    child = os.fork()
    if not child:
        index._bases_in = _die
        index.of(commit, ["base"])
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert len(index_of(repository, tmp_path).of(commit, ["base"])["base"]) == 300


def test_the_objects_written_by_hand_are_those_git_knows(repository: GateRepository) -> None:
    commit = repository.commit(repository.tree(texts(base="", a="base")))
    repository.branch("main", commit)
    checked = subprocess.run(
        ["git", "-C", str(repository.folder), "fsck", "--strict"], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
