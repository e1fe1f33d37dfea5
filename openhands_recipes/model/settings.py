"""Settings: recipes/registry.yaml, what all recipes of one registry have in common (schema 1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.platform import Platform

Suite = Annotated[str, StringConstraints(pattern=forms.SUITE, max_length=64)]


class DebianPin(Model):
    """Which Debian everything is solved against."""

    suites: tuple[Suite, ...] = Field(min_length=1, description="Suites, the main one first.")
    snapshot: Annotated[str, StringConstraints(pattern=forms.SNAPSHOT)] | None = Field(
        default=None, description="Moment of a snapshot archive to lock against: 20261121T091544Z."
    )


class NixpkgsPin(Model):
    """Which nixpkgs every flake is made with, as in a flake.lock."""

    ref: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="Branch the revision was taken from."
    )
    rev: Annotated[str, StringConstraints(pattern=forms.GIT_COMMIT)] = Field(description="Git revision.")
    nar_hash: Annotated[str, StringConstraints(pattern=forms.NAR_HASH)] = Field(
        alias="narHash", description="Hash of the unpacked tree."
    )
    last_modified: int = Field(alias="lastModified", ge=0, description="Commit time, seconds since 1970.")


class Pins(Model):
    """What every lock of the registry starts from."""

    debian: DebianPin = Field(description="Debian suites.")
    nixpkgs: NixpkgsPin = Field(description="nixpkgs revision.")


class BinaryCaches(Model):
    """Where Nix may fetch what was built before, and whose signatures it trusts."""

    substituters: tuple[Annotated[str, StringConstraints(pattern=forms.CACHE_URL, max_length=300)], ...] = (
        Field(default=(), description="URLs of binary caches, the first one asked first.")
    )
    trusted_public_keys: tuple[
        Annotated[str, StringConstraints(pattern=forms.CACHE_KEY, max_length=200)], ...
    ] = Field(
        default=(),
        alias="trusted-public-keys",
        description="Keys that must have signed what comes from them, as name:base64.",
    )


class Defaults(Model):
    """What commands do when their options do not say."""

    compression: Literal["zstd", "gzip", "both"] = Field(default="zstd", description="Codec of image layers.")
    source: Literal["debian", "nixpkgs"] = Field(default="debian", description="Where packages come from.")


class TrustedIndex(Model):
    """A registry's signed index, and what we believe about it without asking anybody."""

    url: Annotated[str, StringConstraints(pattern=forms.INDEX_PLACE, max_length=500)] = Field(
        description="Where it is: a URL, a folder beside registry.yaml, or oci://HOST/REPOSITORY."
    )
    root: Annotated[str, StringConstraints(pattern=forms.RELATIVE_FILE, max_length=200)] = Field(
        description="Trusted root of the index (TUF), a file beside registry.yaml."
    )
    keys: tuple[Annotated[str, StringConstraints(pattern=forms.RELATIVE_FILE, max_length=200)], ...] = Field(
        default=(),
        description="Public keys whose signatures on releases are believed, files beside registry.yaml.",
    )
    images: tuple[Annotated[str, StringConstraints(pattern=forms.IMAGE_PLACE, max_length=300)], ...] = Field(
        default=(), description="HOST/NAMESPACE of mirrors of its images; else where the index says they are."
    )


class Settings(Model):
    """What all recipes of a registry have in common."""

    schema_: Literal[1] = Field(alias="schema", description="Schema number of this document: 1.")
    name: Annotated[str, StringConstraints(pattern=forms.REGISTRY_NAME)] = Field(
        description="The registry's name, as in registry/recipe."
    )
    namespace: Annotated[str, StringConstraints(pattern=forms.NAMESPACE, max_length=200)] = Field(
        description="Path under which images are kept in an OCI registry."
    )
    platforms: tuple[Platform, ...] = Field(
        min_length=1, description="Platforms every recipe is built for unless it says otherwise."
    )
    contract: Annotated[str, StringConstraints(pattern=forms.CONTRACT)] = Field(
        description="Version of the OpenHands contract the images keep."
    )
    pins: Pins = Field(description="What every lock starts from.")
    nix: BinaryCaches = Field(default=BinaryCaches(), description="Binary caches of Nix.")
    defaults: Defaults = Field(default=Defaults(), description="Defaults of commands.")
    index: TrustedIndex | None = Field(default=None, description="This registry's own signed index.")
    registries: dict[Annotated[str, StringConstraints(pattern=forms.REGISTRY_NAME)], TrustedIndex] = Field(
        default={}, description="Other registries whose recipes may be extended, as registry/recipe."
    )
