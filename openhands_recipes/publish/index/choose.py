"""Which release is meant: NAME, NAME@RANGE, NAME@VERSION, NAME@VERSION-rREVISION or NAME@sha256:..."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from semantic_version import Version

from openhands_recipes.errors import UsageError
from openhands_recipes.model import forms
from openhands_recipes.model.digest import PATTERN, Digest
from openhands_recipes.model.index import WITHDRAWN, ReleaseState

Allows = Callable[[str, str], bool]
"""Whether a version lies in a range (`compile.recipe.ranges`)."""
_LABEL = re.compile(r"(?P<version>.+)-r(?P<revision>[1-9][0-9]*)")
_HINT = "write NAME, NAME@VERSION, NAME@VERSION-rREVISION, NAME@^1.2 or NAME@sha256:..."


@dataclass(frozen=True)
class Asked:
    """What somebody asks for; at most one of version, range and digest is given."""

    name: str
    version: str = ""
    revision: int | None = None
    range: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        """As it is written."""
        tail = self.digest or self.range or self.version
        revision = f"-r{self.revision}" if self.revision is not None else ""
        return f"{self.name}@{tail}{revision}" if tail else self.name


def parse_asked(text: str) -> Asked:
    """What a word of the command line asks for; ranges are judged by whoever knows them.

    Raises:
        UsageError: it is nothing of the kind.
    """
    name, at, tail = text.partition("@")
    if not re.match(forms.NAME, name) or (at and not tail):
        raise UsageError(f"{text!r} names no release", hint=_HINT)
    if tail.startswith("sha256:"):
        if not re.match(PATTERN, tail):
            raise UsageError(f"{tail!r} is no digest", hint=_HINT)
        return Asked(name, digest=Digest(tail))
    label = _LABEL.fullmatch(tail)
    if label and re.match(forms.SEMVER, label["version"]):
        return Asked(name, version=label["version"], revision=int(label["revision"]))
    if re.match(forms.SEMVER, tail):
        return Asked(name, version=tail)
    return Asked(name, range=tail)


def best_of(states: Mapping[str, str], asked: Asked, allows: Allows) -> str | None:
    """The label of the release to take, or None: the highest that fits, active ones before deprecated.

    `states` says label -> name of its state. Withdrawn releases are never chosen; a version that is
    not a final one (`1.0.0-rc.1`) only where it is asked for, or where there is no other.
    """
    fitting = [label for label in matching(states, asked, allows) if states[label] not in WITHDRAWN]
    return max(fitting, key=lambda label: (states[label] == "active", *_rank(label)), default=None)


def matching(labels: Iterable[str], asked: Asked, allows: Allows) -> list[str]:
    """The labels that fit, whatever their state."""
    if asked.range:
        return [label for label in labels if allows(asked.range, split(label)[0])]
    if asked.version:
        wanted = [label for label in labels if split(label)[0] == asked.version]
        return [one for one in wanted if asked.revision in (None, split(one)[1])]
    return list(labels)


def split(label: str) -> tuple[str, int]:
    """Version and revision of a label."""
    version, _, revision = label.rpartition("-r")
    return version, int(revision)


def state_note(name: str, label: str, state: ReleaseState) -> str:
    """What a user of a release that is not active must know."""
    what = f"{name} {label} is {state.name} since {state.since[:10]}"
    reason = f": {state.reason}" if state.reason else ""
    return what + reason + (f"; use {state.successor}" if state.successor else "")


def _rank(label: str) -> tuple[bool, Version, int]:
    version, revision = split(label)
    parsed = _version(version)
    return not parsed.prerelease, parsed, revision


@functools.lru_cache(maxsize=4096)
def _version(text: str) -> Version:
    return Version(text)
