"""What an image with a closure is made of and says about itself.

The contract's share is built from Debian: every level up to the last one that makes the account or installs
an application, since neither can come from a store. Recipes above only bring packages, and those are the
closure's. No recipe is named here; whoever owns the contract says so by what it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from openhands_recipes.compile.nix.profile import PROFILE
from openhands_recipes.compile.oci.image import ImageSettings
from openhands_recipes.compile.oci.labels import LABEL
from openhands_recipes.compile.oci.settings import image_settings
from openhands_recipes.compile.pack.plan import MIB, Group, PartSize
from openhands_recipes.compile.pack.plan_closure import plan_levels
from openhands_recipes.compile.pack.store import part_of
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.nix import ClosurePlatform

SOURCE = f"{LABEL}.source"
ROOT_SIZE = MIB
"""Largest archive of a path that counts as a folder of links."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def contract_levels(composed: Composed) -> int:
    """How many levels of the lineage, from the lowest on, are built from Debian below a closure."""
    owners = [
        height
        for height, level in enumerate(composed.levels, 1)
        if level.recipe.user is not None or level.recipe.applications
    ]
    return max(owners, default=0)


def closure_groups(
    levels: Sequence[tuple[str, ClosurePlatform]], *, own: ClosurePlatform
) -> tuple[tuple[str, tuple[Group, ...]], ...]:
    """The layers of a closure by the recipe of a lineage that first has their paths, lowest first.

    `levels` are the closures of ancestors that are locked, lowest first, and the recipe's own as the last.
    Roots are not among them, see `roots_of`.
    """
    roots = roots_of(own)
    wanted = {path.path: path for path in own.paths if path.path not in roots}
    split: list[tuple[str, list[PartSize]]] = []
    for name, closure in levels:
        mine = sorted(wanted.keys() & {path.path for path in closure.paths})
        split.append((name, [part_of(p, wanted[p].nar_hash, wanted[p].nar_size) for p in mine]))
        for path in mine:
            del wanted[path]
    plans = plan_levels([parts for _, parts in split])
    return tuple((name, groups) for (name, _), groups in zip(split, plans, strict=True))


def roots_of(closure: ClosurePlatform) -> frozenset[str]:
    """The environment, and small paths that need most of a closure: they change with nearly everything.

    They have a layer of their own, of a few kB, so that no bucket changes with them.
    """
    needs = {path.path: path.references for path in closure.paths}
    small = [path.path for path in closure.paths if path.nar_size <= ROOT_SIZE]
    many = len(needs) // 2
    return frozenset([closure.root, *(path for path in small if _reach(path, needs) > many)])


def _reach(path: str, needs: Mapping[str, Sequence[str]]) -> int:
    """How many paths one needs, itself included."""
    seen, waiting = {path}, [path]
    while waiting:
        new = set(needs.get(waiting.pop(), ())) - seen
        seen |= new
        waiting += new
    return len(seen)


def created(last_modified: int) -> str:
    """When nixpkgs was as the closure has it: the only date an image from nixpkgs tells."""
    return datetime.fromtimestamp(last_modified, tz=UTC).isoformat().replace("+00:00", "Z")


def nix_settings(composed: Composed, *, last_modified: int, closure: Digest, shape: str) -> ImageSettings:
    """The settings of a recipe's image with a closure ; `shape` goes into a label."""
    settings = image_settings(composed, created=created(last_modified), lock=closure)
    labels = {**settings.labels, SOURCE: "nixpkgs", f"{LABEL}.shape": shape}
    return replace(settings, environment=_environment(settings.environment), labels=labels)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The recipe's variables; the profile comes last on PATH, its commands are linked further in front."""
    path = ":".join((*variables["PATH"].split(":"), f"{PROFILE}/bin"))
    added = {"NIX_SSL_CERT_FILE": CERTIFICATES}
    return dict(sorted({**added, **variables, "PATH": path}.items()))
