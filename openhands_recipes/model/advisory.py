"""Advisory: a known vulnerability as the OSV format tells it (schema 1.x); what we do not need is ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Told(BaseModel):
    """Something a database tells, of which we take what we need."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Told):
    """A version at which something begins or ends; exactly one of them is given."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(Told):
    """A line of versions and what happened along it."""

    type: str
    events: tuple[Event, ...] = ()


class PackageNamed(Told):
    """A package of an ecosystem: `Debian:13`, `PyPI`, `npm`."""

    ecosystem: str
    name: str


class Severity(Told):
    """How bad it is: `CVSS_V3` and a vector."""

    type: str
    score: str


class Affected(Told):
    """Versions of one package that are affected."""

    package: PackageNamed | None = None
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    severity: tuple[Severity, ...] = ()
    ecosystem_specific: dict[str, Any] = Field(default_factory=dict)
    database_specific: dict[str, Any] = Field(default_factory=dict)


class Advisory(Told):
    """One vulnerability."""

    id: str
    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    summary: str = ""
    withdrawn: str | None = None
    severity: tuple[Severity, ...] = ()
    affected: tuple[Affected, ...] = ()
    database_specific: dict[str, Any] = Field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Every name it goes by."""
        return frozenset({self.id, *self.aliases, *self.upstream})
