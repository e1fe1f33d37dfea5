"""`ohr export`: recipes as files of other tools. Reads recipes and locks; needs no network."""

from __future__ import annotations

import re

from openhands_recipes.compile.export.devcontainer import devcontainer
from openhands_recipes.compile.export.dockerfile import dockerfile_folder
from openhands_recipes.errors import UsageError
from openhands_recipes.flows.chain import Library
from openhands_recipes.ports import RecipeStore

PINNED = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9.:\[\]_/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?@sha256:[0-9a-f]{64}")


def export_dockerfile(store: RecipeStore, name: str) -> dict[str, bytes]:
    """A folder that `docker build` makes the recipe's environment from.

    Raises:
        StaleLockError: a lock of its lineage is missing or out of date.
        ResolutionError: something a Dockerfile cannot say.
    """
    library = Library.of(store)
    chain = library.chain(name)
    platforms = library.platforms(chain[-1].composed)
    return dockerfile_folder(chain, platforms, suite=library.settings.pins.debian.suites[0])


def export_devcontainer(store: RecipeStore, name: str, *, image: str | None = None) -> dict[str, bytes]:
    """A folder for editors: devcontainer.json, and a Dockerfile beside it unless it names an image.

    Raises:
        UsageError: the image is not named by its digest.
        StaleLockError: without an image, as `export_dockerfile`.
    """
    if image is None:
        files = export_dockerfile(store, name)
    elif PINNED.fullmatch(image):
        files = {}
    else:
        hint = "`ohr push` prints it: HOST/NAMESPACE/NAME@sha256:..."
        raise UsageError(f"the image '{image}' is not named by its digest", hint=hint)
    composed = Library.of(store).composed(name)
    return dict(sorted((files | {"devcontainer.json": devcontainer(composed, image=image)}).items()))
