"""`ohr flake`: recipes as flakes, for people and for builds from nixpkgs. Needs no Nix and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.compile.nix.flake import flake_data
from openhands_recipes.compile.nix.folder import TEMPLATE, flake_files
from openhands_recipes.compile.nix.languages import parse_language_names
from openhands_recipes.errors import OutsideError, StaleLockError
from openhands_recipes.flows.chain import Library
from openhands_recipes.model.flake import FlakeData
from openhands_recipes.ports import MadeFolders, RecipeStore

LANGUAGES = "languages.toml"


@dataclass(frozen=True)
class Flake:
    """A compiled flake: what it is made of, and all its files by path."""

    data: FlakeData
    files: dict[str, bytes]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.data.name


@dataclass(frozen=True)
class WrittenFlake:
    """A flake and where it lies now."""

    flake: Flake
    folder: Path
    changed: bool


def compile_flake(library: Library, name: str) -> Flake:
    """The flake of a recipe.

    Raises:
        UsageError: there is no such recipe.
        InvalidRecipeError: it or one of its modules is faulty.
        ResolutionError: they do not fit together, or nixpkgs lacks what they ask for.
    """
    nixlib = library.store.nixlib()
    for needed in (LANGUAGES, TEMPLATE):
        if needed not in nixlib:
            raise OutsideError(
                f"nixlib/{needed} is missing from the installation", hint="install the package again"
            )
    names = parse_language_names(nixlib[LANGUAGES].content, file=nixlib[LANGUAGES].file)
    composed = library.composed(name)
    data = flake_data(composed, library.table, names, platforms=library.platforms(composed))
    contents = {path: stored.content for path, stored in nixlib.items()}
    return Flake(data, flake_files(data, library.settings.pins.nixpkgs, contents))


def compile_flakes(store: RecipeStore, names: Sequence[str]) -> tuple[Flake, ...]:
    """The flakes of several recipes, in their order; all or none."""
    library = Library.of(store)
    return tuple(compile_flake(library, name) for name in dict.fromkeys(names))


def write_flakes(
    flakes: Sequence[Flake], folders: MadeFolders, output: Path, *, each: bool, force: bool
) -> tuple[WrittenFlake, ...]:
    """Write flakes into folders of their own below `output` (`each`), or a single one to `output` itself.

    Raises:
        UsageError: a folder holds something else.
        OutsideError: the system refuses.
    """
    return tuple(
        WrittenFlake(flake, folder, folders.put(folder, flake.files, force=force))
        for flake in flakes
        for folder in (output / flake.name if each else output,)
    )


def check_flakes(flakes: Sequence[Flake], folders: MadeFolders, output: Path, *, each: bool) -> None:
    """Make sure that folders hold what their recipes say now.

    Raises:
        StaleLockError: one does not; the message names what differs.
    """
    for flake in flakes:
        folder = output / flake.name if each else output
        if differing := folders.differences(folder, flake.files):
            raise StaleLockError(
                f"the flake of '{flake.name}' is not what its recipe says: {', '.join(differing)}",
                where=str(folder),
                hint=f"run `ohr flake {flake.name} --output {output}`",
            )
