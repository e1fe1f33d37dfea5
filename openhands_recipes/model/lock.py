"""Lock: every input of one recipe's own level, pinned by digest, per platform (schema 1).

A lock lists only what its own level adds; the chain of parents is pinned by the digests of their
locks. It never names a host: where bytes come from is the machine's business, what they are is ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model.base import Model
from openhands_recipes.model.platform import Platform

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
DigestText = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
PlainFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!~-]*$")]
Size = Annotated[int, Field(ge=0)]


class Kept(Model):
    """A blob of another registry's index: recipes and locks of one released lineage."""

    digest: DigestText
    size: Size


class Parent(Model):
    """One direct or indirect parent, in the order the image stacks them."""

    name: str
    """Of this registry, or registry/name."""
    version: str
    lock: DigestText
    revision: int | None = None
    """Of a module of another registry that is extended by name; its own ancestors come with it."""
    kept: Kept | None = None


class Codec(Model):
    """The compressor whose bytes the image digests depend on."""

    name: Literal["zstd"] = "zstd"
    library: str
    level: int


class Rules(Model):
    """Versions of our own byte-deciding rules; a change of any makes new digests."""

    layers: int
    configure: int
    codec: Codec


class Deb(Model):
    """A Debian package file. `path` is relative to a mirror's root."""

    name: str
    version: str
    architecture: str
    suite: str
    path: Annotated[str, StringConstraints(pattern=r"^pool/[A-Za-z0-9][A-Za-z0-9._+~/-]*$")]
    size: Size
    installed_size: Size
    source: str
    sha256: Sha256


class Built(Model):
    """How a wheel that no index has is made: an sdist and the wheels that build it, all hashed."""

    file: PlainFile
    size: Size
    sha256: Sha256
    requirements: tuple[BuildRequirement, ...]


class BuildRequirement(Model):
    """A wheel needed to build another one."""

    name: str
    version: str
    file: PlainFile
    size: Size
    sha256: Sha256


class Wheel(Model):
    """A Python wheel and the environment it goes into: `python` (the user's) or an application."""

    name: str
    version: str
    file: PlainFile
    size: Size
    sha256: Sha256
    into: str
    built_from: Built | None = None


class Tarball(Model):
    """An npm package tarball; `integrity` is npm's own (SRI, sha512)."""

    name: str
    version: str
    file: PlainFile
    integrity: Annotated[str, StringConstraints(pattern=r"^sha512-[A-Za-z0-9+/]+=*$")]
    size: Size
    sha256: Sha256


class PlatformLock(Model):
    """The inputs of one platform, each list sorted by name."""

    debs: tuple[Deb, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    tarballs: tuple[Tarball, ...] = ()
    npm_lockfile: str | None = None


class DebianInputs(Model):
    """Which state of Debian was solved against."""

    suites: tuple[str, ...]
    release_date: str
    release: DigestText


class Lock(Model):
    """`recipe.lock.json`, written by `ohr lock` alone."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    recipe: str
    version: str
    recipe_digest: DigestText
    """Of `inputs`: what was asked for, in canonical form."""
    inputs: dict[str, Any]
    """What was asked for: kept so that a stale lock can say what changed."""
    parents: tuple[Parent, ...]
    rules: Rules
    debian: DebianInputs
    platforms: dict[Platform, PlatformLock]
