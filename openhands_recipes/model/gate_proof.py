"""Proven: what building and running a pull request's recipes showed, as plain facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.platform import Platform

Suite = Literal["tests", "contract", "live", "commands", "account", "network"]


@dataclass(frozen=True)
class ImageFacts:
    """One platform's image: its digest, the bytes a registry stores, its layers with theirs."""

    digest: Digest
    size: int
    layers: tuple[tuple[Digest, int], ...]


@dataclass(frozen=True)
class Check:
    """Something that had to hold inside the image."""

    suite: Suite
    name: str
    ok: bool
    reason: str = ""


@dataclass(frozen=True)
class Proven:
    """One recipe on one platform. What was not done is None or empty."""

    recipe: str
    platform: Platform | Literal[""]
    """Empty: this machine runs none."""
    image: ImageFacts | None = None
    again: ImageFacts | None = None
    """Built a second time, in another folder and with nothing from the first."""
    before: ImageFacts | None = None
    """The base's image."""
    problem: str = ""
    """Why it could not be built."""
    hint: str | None = None
    elsewhere: tuple[Platform, ...] = ()
    """Platforms it is locked for that do not run here."""
    checks: tuple[Check, ...] = ()
    bill: tuple[str, ...] = ()
    """What is wrong with its bill of materials."""

    @property
    def same(self) -> bool | None:
        """Whether both builds gave the same bytes; None if there was none to compare."""
        return None if self.image is None or self.again is None else self.image == self.again
