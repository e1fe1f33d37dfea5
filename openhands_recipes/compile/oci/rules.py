"""The versions of everything that decides bytes; a lock records them, a change of any is deliberate."""

from __future__ import annotations

from openhands_recipes.compile.pack import plan
from openhands_recipes.compile.pack.codec import codec_rules
from openhands_recipes.model.lock import Codec, Rules

CONFIGURE_VERSION = 1
"""Raise it when configuration or its normalisation makes other bytes from the same packages."""


def current_rules() -> Rules:
    """The rules this version of the toolkit follows."""
    codec = codec_rules("zstd")
    return Rules(
        layers=plan.VERSION,
        configure=CONFIGURE_VERSION,
        codec=Codec(library=str(codec["library"]), level=int(codec["level"])),
    )
