"""Recipe folders on disk: the project's own, then the library that comes with the package.

    <root>/recipes/<name>/recipe.yaml            the project's recipes
    <root>/recipes/<name>/recipe.lock.json
    <root>/recipes/<name>/recipe.closure.json    the same for nixpkgs
    <root>/recipes/.library/<name>/...lock.json  locks made here for recipes of the library
    <root>/recipes/registry.yaml
    <root>/nixlib/packages.toml                  instead of the library's, if it is there
    <root>/schema/recipe.schema.json             for editors

Understands none of what it reads.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import openhands_recipes
from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.errors import InvalidRecipeError, OutsideError, UsageError
from openhands_recipes.model import forms
from openhands_recipes.ports import StoredText
from openhands_recipes.ports.registries import OtherRegistries

RECIPE, LOCK, SETTINGS = "recipe.yaml", "recipe.lock.json", "registry.yaml"
CLOSURE = "recipe.closure.json"
NIXLIB = "nixlib"
TABLE = Path(NIXLIB) / "packages.toml"
SCHEMA = Path("schema") / "recipe.schema.json"
LIBRARY_LOCKS = ".library"
MAX_BYTES = 8 * 2**20
"""No recipe may be this large; locks of thousands of packages are far below it."""


def built_in_library() -> Path:
    """The folder with the recipes, package table and schema that come with this package.

    Inside a wheel that is `data/`, in a checkout the repository itself.
    """
    package = Path(openhands_recipes.__file__).parent
    carried = package / "data"
    return carried if carried.is_dir() else package.parent


class FolderStore:
    """Recipes in folders; the project's hide those of the library."""

    def __init__(
        self,
        root: Path,
        *,
        library: Path | None = None,
        here: Path | None = None,
        registries: OtherRegistries | None = None,
    ) -> None:
        self.root = root
        self.registries = registries
        self.library = library or built_in_library()
        self.here = here or Path.cwd()
        """Where paths in messages are relative to."""

    def __getstate__(self) -> dict[str, object]:
        """What a process that is not forked gets of it: folders, and no doors to other registries."""
        return self.__dict__ | {"registries": None}

    def names(self) -> tuple[str, ...]:
        """Every recipe that can be asked for, project and library, sorted."""
        return tuple(sorted({*_folders(self.root / "recipes"), *_folders(self.library / "recipes")}))

    def own_names(self) -> tuple[str, ...]:
        """The recipes of the project, sorted."""
        return tuple(sorted(_folders(self.root / "recipes")))

    def name_of(self, place: str) -> str:
        """The recipe meant by a name, a recipe folder or a recipe.yaml."""
        if self._folder(place) is not None:
            return place
        path = Path(os.path.normpath(self.here / place))
        if path.name in {RECIPE, LOCK}:
            path = path.parent
        if path.parent == self.root / "recipes" and (path / RECIPE).is_file():
            return path.name
        raise self._unknown(place, path)

    def _unknown(self, place: str, path: Path) -> UsageError:
        if path.exists() and os.sep in place:
            where = self._shown(self.root / "recipes")
            return UsageError(
                f"'{place}' is not a recipe of this project",
                hint=f"recipes lie in {where}/<name>/{RECIPE}; name another project with --root",
            )
        near = difflib.get_close_matches(Path(place).name, self.names(), n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"`ohr new {Path(place).name}` starts one"
        return UsageError(f"there is no recipe '{place}'", hint=hint)

    def recipe(self, name: str) -> StoredText | None:
        """A recipe's recipe.yaml, or None when there is no such recipe."""
        folder = self._folder(name)
        return self._read(folder / RECIPE) if folder is not None else None

    def lock(self, name: str) -> StoredText | None:
        """A recipe's recipe.lock.json, or None when it was never locked."""
        return self._locked(name, LOCK)

    def closure(self, name: str) -> StoredText | None:
        """A recipe's recipe.closure.json, or None when it was never locked for nixpkgs."""
        return self._locked(name, CLOSURE)

    def _locked(self, name: str, file: str) -> StoredText | None:
        folder = self._folder(name)
        if folder is None:
            return None
        if folder.parent.parent != self.root:
            made_here = self._read(self._library_lock(name).with_name(file))
            if made_here is not None:
                return made_here
        return self._read(folder / file)

    def settings(self) -> StoredText:
        """recipes/registry.yaml: the project's, else the library's."""
        return self._project_or_library(Path("recipes") / SETTINGS)

    def package_table(self) -> StoredText:
        """nixlib/packages.toml: the project's, else the library's."""
        return self._project_or_library(TABLE)

    def nixlib(self) -> dict[str, StoredText]:
        """Every file of nixlib/ by its path below it, sorted: the project's, else the library's."""
        found: dict[str, StoredText] = {}
        for home in (self.root, self.library):
            for path in _files(home / NIXLIB):
                stored = self._read(home / NIXLIB / path) if path not in found else None
                if stored is not None:
                    found[path] = stored
        return dict(sorted(found.items()))

    def write_lock(self, name: str, content: bytes) -> str:
        """Keep a lock, whole or not at all; returns the file written."""
        return self._write_locked(name, LOCK, content)

    def write_closure(self, name: str, content: bytes) -> str:
        """Keep a closure, as locks are kept; returns the file written."""
        return self._write_locked(name, CLOSURE, content)

    def _write_locked(self, name: str, file: str, content: bytes) -> str:
        folder = self._folder(name)
        if folder is None:
            raise UsageError(f"there is no recipe '{name}'")
        own = folder.parent.parent == self.root
        path = folder / file if own else self._library_lock(name).with_name(file)
        self._write(path, content)
        return self._shown(path)

    def create(self, name: str, content: bytes, *, schema: bytes) -> str:
        """Add a recipe to the project and the schema beside it; returns the file written."""
        path = self.root / "recipes" / name / RECIPE
        if not re.fullmatch(forms.NAME, name):
            raise UsageError(f"'{name}' cannot be a recipe's name", hint=forms.WORDS[forms.NAME])
        if path.exists() or path.is_symlink():
            raise UsageError(
                f"there is a recipe '{name}' already", where=self._shown(path), hint="choose another name"
            )
        self._write(path, content)
        if not (self.root / SCHEMA).exists():
            self._write(self.root / SCHEMA, schema)
        return self._shown(path)

    # --- folders and files -----------------------------------------------------------------------

    def _folder(self, name: str) -> Path | None:
        """Where a recipe lies; None unless it is a plain name with a recipe.yaml."""
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            return None
        for home in (self.root, self.library):
            folder = home / "recipes" / name
            if os.path.lexists(folder / RECIPE):
                return folder
        return None

    def _library_lock(self, name: str) -> Path:
        return self.root / "recipes" / LIBRARY_LOCKS / name / LOCK

    def _project_or_library(self, place: Path) -> StoredText:
        for home in (self.root, self.library):
            stored = self._read(home / place)
            if stored is not None:
                return stored
        raise OutsideError(
            f"{place} is missing from the installation",
            where=str(self.library),
            hint="install the package again",
        )

    def _read(self, path: Path) -> StoredText | None:
        """A file's content, or None when it is not there.

        Raises:
            InvalidRecipeError: not a regular file of bounded size inside the store.
            OutsideError: the system refuses to read it.
        """
        shown = self._shown(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                raise OutsideError(f"cannot be read: {error.strerror}", where=shown) from error
            raise InvalidRecipeError(
                "the file is a link, or lies below one", where=shown, hint="put the file itself there"
            ) from error
        with os.fdopen(descriptor, "rb") as stream:
            self._refuse_odd(path, os.fstat(descriptor), shown)
            return StoredText(shown, stream.read(MAX_BYTES + 1))

    def _refuse_odd(self, path: Path, status: os.stat_result, shown: str) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise InvalidRecipeError("not a regular file", where=shown, hint="put a file there")
        if status.st_size > MAX_BYTES:
            raise InvalidRecipeError(
                f"the file has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read", where=shown
            )
        if path.parent.is_symlink() and not self._inside(path.parent.resolve()):
            raise InvalidRecipeError(
                "the folder is a link that leads out of the project",
                where=shown,
                hint="put the folder itself there",
            )

    def _inside(self, resolved: Path) -> bool:
        return any(resolved.is_relative_to(home.resolve()) for home in (self.root, self.library))

    def _write(self, path: Path, content: bytes) -> None:
        """Write whole or not at all, making the folders it needs.

        Raises:
            InvalidRecipeError: the folder is a link that leads out of the project.
            OutsideError: the system refuses.
        """
        shown = self._shown(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.resolve().is_relative_to(self.root.resolve()):
                raise InvalidRecipeError("the folder leads out of the project", where=shown)
            atomic_write(path, content, durable=True)
        except OSError as error:
            raise OutsideError(f"cannot be written: {error.strerror}", where=shown) from error

    def _shown(self, path: Path) -> str:
        """A path as people type it: relative, unless it belongs to an installation elsewhere."""
        text, below = str(path), f"{self.here}{os.sep}"
        if text.startswith(below):
            return text[len(below) :]
        return os.path.relpath(text, self.here) if path.is_relative_to(self.root) else text


def _folders(recipes: Path) -> Iterator[str]:
    """The recipe folders below `recipes/`."""
    try:
        entries = list(os.scandir(recipes))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if not entry.name.startswith(".") and os.path.lexists(f"{entry.path}/{RECIPE}"):
            yield entry.name


def _files(folder: Path) -> Iterator[str]:
    """The files below a folder by their paths, without what tools leave behind."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in names:
            if not name.startswith("."):
                yield os.path.relpath(f"{place}/{name}", folder)
