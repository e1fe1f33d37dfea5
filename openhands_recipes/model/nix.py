"""Closures: which store paths an environment is made of, proved by hash (recipe.closure.json, schema 1).

The words of Nix that other parts of this package use: store paths, closures, and what our Nix library says
when it gives up (`Thrown`). What evaluates and builds is a port, `openhands_recipes.ports.nix`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.lock import DigestText, Size
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.settings import NixpkgsPin

STORE = "/nix/store"
NIX_SYSTEM: dict[Platform, str] = {"linux/amd64": "x86_64-linux", "linux/arm64": "aarch64-linux"}
"""What Nix calls our platforms."""

StorePathText = Annotated[
    str, StringConstraints(pattern=r"^/nix/store/[0-9abcdfghijklmnpqrsvwxyz]{32}-[0-9A-Za-z+._?=-]{1,211}$")
]
"""Nix manual, "store path": 32 characters of Nix's own base 32, then a name."""
NarHash = Annotated[str, StringConstraints(pattern=forms.NAR_HASH)]


class StorePath(Model):
    """One path of a Nix store: what it is, proved by the hash of its archive."""

    path: StorePathText
    nar_hash: NarHash = Field(alias="narHash")
    """`sha256-` and base64 (SRI), of the path as a Nix archive."""
    nar_size: Size = Field(alias="narSize")
    references: tuple[StorePathText, ...]
    """What it needs at run time, sorted; may name the path itself."""

    @property
    def name(self) -> str:
        """The part after the hash: `hello-2.12.1`."""
        return self.path[len(STORE) + 34 :]


class ClosurePlatform(Model):
    """The closure of one platform's environment."""

    root: StorePathText
    paths: tuple[StorePath, ...]
    """The root and all it needs, sorted by path."""

    @property
    def nar_size(self) -> int:
        """Bytes of all archives together."""
        return sum(path.nar_size for path in self.paths)


class ClosureLock(Model):
    """`recipe.closure.json`, written by `ohr lock --from nixpkgs` alone."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    recipe: str
    version: str
    flake: DigestText
    """Of the compiled flake's files but its lock: what the closure was made from."""
    inputs: dict[str, Any]
    """What of the recipe decides the closure: kept so that a stale one can say what changed."""
    nixpkgs: NixpkgsPin
    platforms: dict[Platform, ClosurePlatform]


class Thrown(Model):
    """What our Nix library says when it gives up: `throw "ohr: " + builtins.toJSON { fault = ...; }`.

    Every field but `fault` and `package` may be left out; unknown ones are ignored, so that an older toolkit
    can read what a newer library says.
    """

    model_config = Model.model_config | {"extra": "ignore"}

    fault: Literal["missing-attribute", "version", "unavailable", "python-package", "node-package"]
    package: str
    """As the recipe names it: a registry name, or a Python or npm package."""
    attribute: str | None = None
    """Where it was looked for: `python313`, `python313Packages.numpy`."""
    version: str | None = None
    """What nixpkgs has."""
    wanted: str | None = None
    """The range that version does not satisfy."""
    reason: str | None = None
    near: tuple[str, ...] = ()
    """Names like it that exist, if the library knows some."""
