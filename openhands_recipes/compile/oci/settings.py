"""What an image says about itself, from a composed recipe."""

from __future__ import annotations

from openhands_recipes.compile.oci.image import ImageSettings
from openhands_recipes.compile.oci.labels import LABEL
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest


def image_settings(composed: Composed, *, created: str, lock: Digest) -> ImageSettings:
    """The settings of a recipe's image.

    Images that start a service start it in `/`: the agent-server's own defaults are relative paths.
    Others start where shells do.
    """
    service = composed.entrypoint is not None
    user = f"{composed.user.uid}:{composed.user.gid}" if composed.user else ""
    labels = {
        "org.opencontainers.image.title": composed.name,
        "org.opencontainers.image.version": composed.version,
        "org.opencontainers.image.description": composed.recipe.summary,
        "org.opencontainers.image.licenses": composed.recipe.license,
        f"{LABEL}.lock": lock,
        f"{LABEL}.lineage": ",".join(composed.lineage),
        f"{LABEL}.workdir": composed.workdir or "/",
    }
    if composed.user:
        labels[f"{LABEL}.user"] = composed.user.name
    return ImageSettings(
        created=created,
        environment=composed.full_environment,
        entrypoint=composed.entrypoint or (),
        command=composed.command or (),
        workdir="/" if service else composed.workdir or "/",
        user=user,
        ports=tuple(f"{port.port}/{port.protocol.lower()}" for port in composed.ports),
        labels=labels,
    )
