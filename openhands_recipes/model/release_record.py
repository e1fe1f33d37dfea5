"""ReleaseRecord: what the ledger says of one release (schema 1), and how its state may change.

A record never changes once it is in the ledger. A release's state does: each change is a signed
`StateChange` beside the record, and the last one counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, PrivateAttr, StringConstraints, ValidationError

from openhands_recipes.errors import NewerSchemaError, ReleaseError
from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.digest import canonical_json
from openhands_recipes.model.platform import Platform

SCHEMA = 1
DigestText = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
Moment = Annotated[str, StringConstraints(pattern=rf"^{_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z$")]
"""UTC, whole seconds: `2026-11-21T09:15:44Z`."""
Line = Annotated[str, StringConstraints(max_length=1000, pattern=forms.ONE_LINE)]
Name = Annotated[str, StringConstraints(pattern=forms.NAME)]
Version = Annotated[str, StringConstraints(pattern=forms.SEMVER, max_length=64)]
Revision = Annotated[int, Field(ge=1)]
StateName = Literal["active", "deprecated", "yanked", "blocked"]
STATES: tuple[StateName, ...] = get_args(StateName)
"""In the only order a release may pass through them; steps may be left out, none is taken back."""
EvidenceKind = Literal["signature", "provenance", "spdx", "cyclonedx", "tests"]
M = TypeVar("M", "ReleaseRecord", "StateChange")
_PLACE = re.compile(r"(?P<name>[^@]+)@(?P<version>.+?)(?:-r(?P<revision>[1-9][0-9]*))?")


class PlatformRelease(Model):
    """One platform's image. `size`: bytes a registry stores for it (manifest, config, compressed layers)."""

    manifest: DigestText
    size: int = Field(ge=0)
    layers: tuple[DigestText, ...]


class Evidence(Model):
    """Manifests that refer to the image index, each with one sigstore bundle.

    `sbom` is the SPDX one; `tests` is None only for what was released with `--unsafe-untested`.
    """

    signature: DigestText
    provenance: DigestText
    sbom: DigestText
    tests: DigestText | None = None


class Referrer(Model):
    """One manifest that refers to a part of the release: all that its descriptor is made from."""

    subject: DigestText
    manifest: DigestText
    size: int = Field(ge=0)
    kind: EvidenceKind


class State(Model):
    """Whether a release may be used: since when, why, what to use instead, who said so."""

    name: StateName = "active"
    since: Moment
    reason: Line | None = None
    successor: Line | None = None
    """`name@version`"""
    by: int | Line | None = None
    """GitHub's numeric user id, or whatever else names the actor."""


class About(Model):
    """What people search for and read; nothing of it decides what is pulled."""

    summary: Line
    license: Line
    description: str = ""
    tags: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """Packages by registry name, language packages as `pypi:<name>` and `npm:<name>`; sorted."""
    commands: tuple[str, ...] = ()
    """Commands that applications put on PATH; sorted."""
    lineage: tuple[str, ...] = ()
    maintainers: tuple[int, ...] = ()
    created: Moment
    """The lock's date, which is also the image's."""
    end_of_life: str | None = None


class ReleaseRecord(Model):
    """`releases/<name>/<version>-r<revision>.json` of the ledger, with the state of now."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    name: Name
    version: Version
    revision: Revision
    commit: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40})?$")] = ""
    """Of the recipe's repository; empty if it came from none, or from one with uncommitted changes."""
    lock: DigestText
    index: DigestText
    platforms: dict[Platform, PlatformRelease]
    evidence: Evidence
    referrers: tuple[Referrer, ...] = ()
    """All referrers of index and manifests: the fallback tags can be made anew from the ledger alone."""
    permissions: DigestText
    about: About
    state: State
    _released: str = PrivateAttr(default="")

    @property
    def identity(self) -> str:
        """`name@version-rN`."""
        return f"{self.name}@{self.version}-r{self.revision}"

    @property
    def path(self) -> str:
        """Where the ledger keeps it."""
        return record_path(self.name, self.version, self.revision)

    @property
    def released(self) -> str:
        """The moment of the release itself, whatever became of it since."""
        return self._released or self.state.since

    def with_state(self, state: State) -> ReleaseRecord:
        """The same release in another state."""
        changed = self.model_copy(update={"state": state})
        changed._released = self.released  # noqa: SLF001 - our own
        return changed


class StateChange(Model):
    """One step of a release's state, as it is signed.

    `number` counts the changes of one release from 1; `index` ties the change to the very bytes.
    """

    schema_: Literal[1] = Field(default=1, alias="schema")
    name: Name
    version: Version
    revision: Revision
    index: DigestText
    number: int = Field(ge=1)
    state: State

    @property
    def path(self) -> str:
        """Where the ledger keeps it, wrapped in a DSSE envelope."""
        return f"states/{self.name}/{self.version}-r{self.revision}/{self.number:04}.json"


def record_path(name: str, version: str, revision: int) -> str:
    """Where the ledger keeps a release."""
    return f"releases/{name}/{version}-r{revision}.json"


def parse_identity(text: str) -> tuple[str, str, int | None]:
    """Name, version and, if given, revision of `NAME@VERSION[-rN]`.

    Raises:
        ReleaseError: it is none.
    """
    match = _PLACE.fullmatch(text)
    if not match or not re.match(forms.NAME, match["name"]) or not re.match(forms.SEMVER, match["version"]):
        raise ReleaseError(f"{text!r} names no release", hint="write NAME@VERSION, or NAME@VERSION-rREVISION")
    return match["name"], match["version"], int(match["revision"]) if match["revision"] else None


def write_record(record: ReleaseRecord | StateChange) -> bytes:
    """The bytes the ledger keeps or a signature covers: canonical JSON."""
    return canonical_json(record.model_dump(mode="json", by_alias=True))


def read_record(content: bytes, *, where: str) -> ReleaseRecord:
    """A record from its file.

    Raises:
        NewerSchemaError: a newer version wrote it; readers skip it and say so.
        ReleaseError: it is no such record.
    """
    return _read(ReleaseRecord, content, where)


def read_change(content: bytes, *, where: str) -> StateChange:
    """A change of state from the payload of its envelope.

    Raises:
        NewerSchemaError: a newer version wrote it.
        ReleaseError: it is no such change.
    """
    return _read(StateChange, content, where)


def newest(records: Iterable[ReleaseRecord]) -> ReleaseRecord | None:
    """The highest revision among the releases of one version."""
    return max(records, key=lambda record: record.revision, default=None)


def _read(kind: type[M], content: bytes, where: str) -> M:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        schema = _schema_of(content)
        if isinstance(schema, int) and schema > SCHEMA:
            raise NewerSchemaError(
                f"schema {schema} is not known to this version", where=where, hint="upgrade this toolkit"
            ) from error
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReleaseError(
            f"not a record of a release: {place}: {first['msg']}", where=where, code="OHR400"
        ) from error


def _schema_of(content: bytes) -> Any:  # noqa: ANN401 - whatever stands there
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value.get("schema") if isinstance(value, dict) else None
