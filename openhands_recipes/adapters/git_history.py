"""History in a Git repository, by gitpython: commits, trees and blobs; never the index or the work tree.

Everything is read by plumbing commands, which run no hook, filter or external program a repository may
name. `refs/replace` is ignored, so what is judged is what the commit ids mean.

`recipes/` may hold a hundred thousand folders. Such a tree is searched as bytes; parsing it would take longer
than everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from openhands_recipes.errors import InvalidRecipeError, OutsideError, UsageError
from openhands_recipes.model.gate import Change, CommitWords

if TYPE_CHECKING:
    from git import Repo

FOLDER, REGULAR_MODES = b"40000", (b"100644", b"100755", b"100664")
COMMIT_FORM = "%H%x00%P%x00%an%x00%ae%x00%B%x00%x01"
ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0", re.DOTALL)
MOST_COMMITS = 1000
"""A pull request with more is judged by its newest."""
KEPT_TREES = 512
LARGE = 2**18
"""Bytes of a tree from which on it is searched instead of parsed."""
BATCH = 5000
"""Recipes read at once: a few megabytes."""


class GitHistory:
    """One repository."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._raw_cached = lru_cache(maxsize=KEPT_TREES)(self._read_raw)
        self._tree_cached = lru_cache(maxsize=KEPT_TREES)(self._read_tree)

    @cached_property
    def _repo(self) -> Repo:
        from git import GitError, Repo  # noqa: PLC0415 - start-up time

        try:
            repo = Repo(self._root, search_parent_directories=True)
        except GitError as error:
            hint = "run it inside a checkout, or name one with --root"
            raise UsageError("this is no Git repository", where=str(self._root), hint=hint) from error
        repo.git.update_environment(GIT_NO_REPLACE_OBJECTS="1", GIT_OPTIONAL_LOCKS="0", LC_ALL="C")
        return repo

    @property
    def work_tree(self) -> Path:
        """Where the repository is checked out.

        Raises:
            UsageError: it has no work tree.
        """
        if self._repo.working_tree_dir is None:
            raise UsageError("the repository has no work tree", where=str(self._root))
        return Path(self._repo.working_tree_dir)

    @property
    def place(self) -> str:
        """What tells this repository from others on this machine."""
        return str(self._repo.common_dir)

    def holds(self, folder: Path) -> bool:
        """Whether a folder lies in the repository's work tree."""
        tree = self._repo.working_tree_dir
        return tree is not None and folder.resolve().is_relative_to(Path(tree).resolve())

    def commit(self, revision: str) -> str:
        """The id of the commit a revision names."""
        from git import GitCommandError  # noqa: PLC0415 - start-up time

        hint = "fetch it first; a shallow clone lacks older commits (git fetch --unshallow)"
        try:
            found = self._repo.git.rev_parse(
                "--verify", "--quiet", "--end-of-options", revision + "^{commit}"
            )
        except GitCommandError as error:
            raise UsageError(f"'{revision}' is no commit that is here", hint=hint) from error
        return str(found).strip().splitlines()[-1]

    def fork_point(self, base: str, head: str) -> str:
        """The newest commit both have in their past."""
        from git import GitCommandError  # noqa: PLC0415 - start-up time

        try:
            return str(self._repo.git.merge_base(base, head)).strip()
        except GitCommandError as error:
            hint = "fetch the whole history of both (git fetch --unshallow)"
            raise UsageError(f"{base[:10]} and {head[:10]} have no past in common here", hint=hint) from error

    def commits(self, base: str, head: str) -> tuple[CommitWords, ...]:
        """What `head` has and `base` has not, oldest first."""
        with _told("the commits of the pull request cannot be read"):
            text = self._repo.git.log(
                f"--format={COMMIT_FORM}", f"--max-count={MOST_COMMITS}",
                "--end-of-options", f"{base}..{head}", "--",
                stdout_as_string=False, strip_newline_in_stdout=False,
            )  # fmt: skip
        return tuple(reversed(tuple(_commits(text.decode("utf-8", "replace")))))

    def changes(self, old: str, new: str) -> tuple[Change, ...]:
        """Every path that differs between two commits, links and submodules among them; no renames."""
        with _told("a tree cannot be read"):
            listed = self._repo.git.diff_tree(
                "-r", "-z", "--raw", "--no-renames", "--full-index", "--no-ext-diff", old, new, "--",
                stdout_as_string=False, strip_newline_in_stdout=False,
            )  # fmt: skip
        fields = listed.split(b"\0")
        return tuple(_change(fields[at], fields[at + 1]) for at in range(0, len(fields) - 1, 2))

    def read(self, commit: str, path: str) -> bytes | None:
        """A regular file of a commit, or None."""
        tree: str | None = self._tree_of_commit(commit)
        *folders, name = path.split("/")
        if folders[:1] == ["recipes"] and len(folders) > 1:
            tree, folders = self.recipe_tree(commit, folders[1]), folders[2:]
        for folder in folders:
            tree = self._entry(tree, folder, (FOLDER,)) if tree else None
        blob = self._entry(tree, name, REGULAR_MODES) if tree else None
        return self._object(blob, "blob") if blob else None

    def recipe_tree(self, commit: str, name: str) -> str | None:
        """The tree of one recipe's folder."""
        recipes = self.recipes_id(commit)
        return self._entry(recipes, name, (FOLDER,)) if recipes else None

    def recipe_trees(self, commit: str) -> dict[str, str]:
        """Every folder below `recipes/`, and its tree."""
        return {
            name: id_
            for mode, name, id_ in _entries(self._recipes(commit), len(commit) // 2)
            if mode == FOLDER
        }

    def recipe_names(self, commit: str) -> tuple[str, ...]:
        """The folders below `recipes/`, sorted."""
        return tuple(sorted(self.recipe_trees(commit)))

    def recipes_id(self, commit: str) -> str:
        """The id of the tree `recipes/`; empty if there is none."""
        return self._entry(self._tree_of_commit(commit), "recipes", (FOLDER,)) or ""

    def changed_folders(self, old: str, new: str) -> dict[str, str]:
        """Folders that differ between two trees, and their new trees; empty for those that are gone.

        Raises:
            InvalidRecipeError: a tree is not here.
        """
        with _told("a tree cannot be read"):
            listed = self._repo.git.diff_tree(
                "-z", "--raw", "--no-renames", "--full-index", old, new, "--",
                stdout_as_string=False, strip_newline_in_stdout=False,
            )  # fmt: skip
        fields = listed.split(b"\0")
        found = [_change(fields[at], fields[at + 1]) for at in range(0, len(fields) - 1, 2)]
        return {c.path: c.new_blob if c.new_mode == int(FOLDER, 8) else "" for c in found}

    def recipe_texts(self, trees: Sequence[str]) -> Iterator[bytes | None]:
        """The recipe.yaml of each of some recipe folders, by their trees."""
        for at in range(0, len(trees), BATCH):
            asked = "".join(f"{tree}:recipe.yaml\n" for tree in trees[at : at + BATCH]).encode()
            with _told("recipes cannot be read"), TemporaryFile() as questions:
                questions.write(asked)
                questions.seek(0)
                answers: bytes = self._repo.git.cat_file(
                    "--batch",
                    "--buffer",
                    istream=questions,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                )
            yield from _answers(answers)

    def folder(self, commit: str, path: str) -> tuple[str, ...]:
        """Every path below a folder, as often as the trees name it, sorted."""
        tree: str | None = self._tree_of_commit(commit)
        for part in path.strip("/").split("/"):
            tree = self._entry(tree, part, (FOLDER,)) if tree else None
        return tuple(sorted(self._below(tree, path.strip("/") + "/"))) if tree else ()

    def _below(self, tree: str, prefix: str) -> Iterator[str]:
        waiting = [(tree, prefix)]
        while waiting:
            current, above = waiting.pop()
            for mode, name, id_ in self._tree_cached(current):
                if mode == FOLDER:
                    waiting.append((id_, f"{above}{name}/"))
                else:
                    yield above + name

    def size(self, blob: str) -> int:
        """How many bytes a blob has."""
        with _told(f"the object {blob[:10]} is missing"):
            return int(self._repo.git.get_object_header(blob)[2])

    def blob(self, blob: str, *, limit: int) -> bytes:
        """A blob's first `limit` bytes."""
        with _told(f"the object {blob[:10]} is missing"):
            stream = self._repo.git.stream_object_data(blob)[3]
            content: bytes = stream.read(limit)
            while stream.read(65536):  # what is left must be taken from the pipe
                pass
            return content

    # --- trees ---------------------------------------------------------------------------------------

    @lru_cache(maxsize=8)  # noqa: B019 - one history a run
    def _tree_of_commit(self, commit: str) -> str:
        with _told(f"the commit {commit[:10]} cannot be read"):
            return _text(self._repo.git.get_object_header(f"{commit}^{{tree}}")[0])

    def _recipes(self, commit: str) -> bytes:
        tree = self.recipes_id(commit)
        return self._raw_cached(tree) if tree else b""

    def _read_raw(self, tree: str) -> bytes:
        return self._object(tree, "tree")

    def _read_tree(self, tree: str) -> tuple[tuple[bytes, str, str], ...]:
        return tuple(_entries(self._raw_cached(tree), len(tree) // 2))

    def _entry(self, tree: str, name: str, modes: tuple[bytes, ...]) -> str | None:
        raw = self._raw_cached(tree)
        if len(raw) > LARGE:
            return _searched(raw, name.encode("utf-8", "surrogateescape"), modes, len(tree) // 2)
        return next((i for mode, n, i in self._tree_cached(tree) if n == name and mode in modes), None)

    def _object(self, id_: str, kind: str) -> bytes:
        with _told(f"the object {id_[:10]} is missing"):
            _, found, _, content = self._repo.git.get_object_data(id_)
        if _text(found) != kind:
            raise InvalidRecipeError(f"the object {id_[:10]} is no {kind}", hint="the tree is malformed")
        return bytes(content)


def _answers(answers: bytes) -> Iterator[bytes | None]:
    """What `git cat-file --batch` prints: a header and a blob each, or that there is none."""
    at = 0
    while at < len(answers):
        end = answers.index(b"\n", at)
        header = answers[at:end].split(b" ")
        if len(header) == 3 and header[1] == b"blob":
            size = int(header[2])
            yield answers[end + 1 : end + 1 + size]
            at = end + 2 + size
        elif len(header) == 3 and header[2].isdigit():
            yield None
            at = end + 2 + int(header[2])
        else:
            yield None
            at = end + 1


def _searched(tree: bytes, name: bytes, modes: tuple[bytes, ...], id_bytes: int) -> str | None:
    """The id of an entry of a large tree, found as bytes.

    A name that holds another entry's mode and name could be taken for it; no such name passes the gate.
    """
    for mode in modes:
        mark = mode + b" " + name + b"\0"
        at = tree.find(mark)
        if at >= 0:
            return tree[at + len(mark) : at + len(mark) + id_bytes].hex()
    return None


def _entries(tree: bytes, id_bytes: int) -> Iterator[tuple[bytes, str, str]]:
    """Mode, name and id of everything in a tree, as often as it is there."""
    at = 0
    while match := ENTRY.match(tree, at):
        at = match.end() + id_bytes
        yield match[1], match[2].decode("utf-8", "surrogateescape"), tree[match.end() : at].hex()


def _commits(text: str) -> Iterator[CommitWords]:
    for record in text.split("\x00\x01"):
        fields = record.strip("\n").split("\x00", 4)
        if len(fields) == 5:
            yield CommitWords(fields[0], fields[2], fields[3], fields[4], len(fields[1].split()))


def _change(meta: bytes, path: bytes) -> Change:
    """`:100644 100755 <id> <id> M` and a path."""
    old_mode, new_mode, old, new, _ = meta.decode().lstrip(":").split(" ")
    return Change(
        path=path.decode("utf-8", "surrogateescape"),
        old_mode=int(old_mode, 8),
        new_mode=int(new_mode, 8),
        old_blob=old if old.strip("0") else "",
        new_blob=new if new.strip("0") else "",
    )


def _text(word: str | bytes) -> str:
    """What gitpython's object database says, which is text or bytes by version."""
    return word.decode() if isinstance(word, bytes) else word


@contextmanager
def _told(message: str) -> Iterator[None]:
    """Git's own complaints in our words."""
    from git import GitCommandError, GitError  # noqa: PLC0415 - start-up time

    try:
        yield
    except GitCommandError as error:
        said = str(error.stderr).strip().strip("'").removeprefix("stderr: '").strip()
        raise InvalidRecipeError(f"{message}: {said}", hint="`git fsck` tells more") from error
    except (GitError, ValueError) as error:
        raise OutsideError(
            f"{message}: {error}", hint="fetch the whole history (git fetch --unshallow)"
        ) from error
