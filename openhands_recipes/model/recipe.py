"""Recipe: exactly what `recipes/<name>/recipe.yaml` may say (schema 1).

Field descriptions become the help text of `schema/recipe.schema.json`. Rules that look at more
than one field live in `openhands_recipes.compile.recipe.rules`, each with a code of its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.proof import Port, Process, TestCase

RecipeName = Annotated[str, StringConstraints(pattern=forms.NAME)]
AbsolutePath = Annotated[str, StringConstraints(pattern=forms.ABSOLUTE_PATH, max_length=512)]
PathFolder = Annotated[str, StringConstraints(pattern=forms.PATH_FOLDER, max_length=512)]
EnvironmentName = Annotated[str, StringConstraints(pattern=forms.ENVIRONMENT_NAME, max_length=128)]
PackageName = Annotated[str, StringConstraints(pattern=forms.PACKAGE_NAME, max_length=64)]
VersionStream = Annotated[str, StringConstraints(pattern=forms.VERSION_STREAM, max_length=32)]
VersionRange = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Requirement = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=forms.ONE_LINE)]
Extends = Annotated[str, StringConstraints(pattern=forms.EXTENDS, max_length=200)]
ScriptName = Annotated[str, StringConstraints(pattern=forms.SCRIPT_NAME, max_length=64)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Quantity = Annotated[str, StringConstraints(pattern=forms.BYTES, max_length=16)]
Source = Literal["debian", "nixpkgs", "pypi", "npm"]


class Maintainer(Model):
    """Who answers for a recipe."""

    github: Annotated[str, StringConstraints(pattern=forms.GITHUB_NAME, max_length=39)] = Field(
        description="GitHub user name."
    )
    id: int = Field(gt=0, description="GitHub's numeric user id, which never changes hands.")


class PackageRequest(Model):
    """A package by its registry name, with the versions that will do."""

    name: PackageName = Field(description="Name in nixlib/packages.toml.")
    version: VersionRange | None = Field(
        default=None, description='Acceptable versions, for example ">=13" or "^3.13".'
    )


class LanguagePackages(Model):
    """A language version and packages from its own registry."""

    version: VersionStream = Field(description='Version stream, quoted: "3.13".')
    packages: tuple[Requirement, ...] = Field(
        default=(), description="Requirements in the language registry's own syntax."
    )


class Application(Model):
    """A program with dependencies of its own, kept in /opt/<name>, apart from the user's packages."""

    name: RecipeName = Field(description="Folder under /opt.")
    python: LanguagePackages = Field(description="The Python packages the program consists of.")
    commands: dict[ScriptName, ScriptName] = Field(
        description="Name in /usr/local/bin -> console script of the application."
    )


class FileSpec(Model):
    """A file, folder or symbolic link that the recipe itself provides: exactly one of the three."""

    text: Annotated[str, StringConstraints(max_length=65536)] | None = Field(
        default=None, description="Content of a regular file."
    )
    link: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = Field(
        default=None, description="Target of a symbolic link."
    )
    directory: Literal[True] | None = Field(default=None, description="Make a folder.")
    mode: Annotated[str, StringConstraints(pattern=forms.FILE_MODE)] | None = Field(
        default=None, description='Octal mode, quoted: "0644" (files) or "0755" (folders) if not given.'
    )
    owner: Literal["root", "user"] = Field(default="root", description="root, or the sandbox user.")


class User(Model):
    """The account agents work as."""

    name: Annotated[str, StringConstraints(pattern=forms.ACCOUNT_NAME)] = Field(
        description="Account and group name."
    )
    uid: int = Field(ge=1, le=65533, description="Numeric user id.")
    gid: int = Field(ge=1, le=65533, description="Numeric group id.")
    sudo: bool = Field(default=False, description="May become root without a password.")


class EgressRule(Model):
    """One host outside that a sandbox may talk to."""

    host: Annotated[str, StringConstraints(pattern=forms.HOST, max_length=253)] = Field(
        description="Host name; *.example.com covers subdomains."
    )
    ports: tuple[PortNumber, ...] = Field(default=(443,), min_length=1, description="TCP ports.")


EgressGroup = Literal["python-packages", "node-packages", "debian-packages", "source-hosting"]


class Network(Model):
    """Where a sandbox may connect to."""

    egress: tuple[EgressGroup | EgressRule, ...] = Field(
        default=(), description="Named groups (made hosts by the operator) or hosts with ports."
    )


class Permissions(Model):
    """What a sandbox may do beyond computing; nothing is allowed by default."""

    network: Network = Field(default=Network(), description="Network access.")
    devices: tuple[Annotated[str, StringConstraints(pattern=forms.DEVICE, max_length=128)], ...] = Field(
        default=(), description="Device files, for example /dev/kvm."
    )
    privileges: tuple[Annotated[str, StringConstraints(pattern=forms.PRIVILEGE, max_length=64)], ...] = Field(
        default=(), description="Privileges by name, for example nested-containers."
    )


class Resources(Model):
    """What a sandbox needs to be useful (Kubernetes quantities)."""

    cpu: Annotated[str, StringConstraints(pattern=forms.CPU, max_length=16)] | None = Field(
        default=None, description='Processors, quoted: "1", "500m".'
    )
    memory: Quantity | None = Field(default=None, description="Memory, for example 2Gi.")
    disk: Quantity | None = Field(default=None, description="Disk, for example 10Gi.")
    gpu: int | None = Field(default=None, ge=0, le=16, description="Graphics processors.")


class Recipe(Model):
    """What a sandbox must contain and be allowed to do."""

    schema_: Literal[1] = Field(alias="schema", description="Schema number of this document: 1.")
    name: RecipeName = Field(description="Same as the folder's name.")
    version: Annotated[str, StringConstraints(pattern=forms.SEMVER, max_length=64)] = Field(
        description="Semantic version, chosen by people; published versions never change."
    )
    summary: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=forms.ONE_LINE)] = Field(
        description="One line, at most 100 characters."
    )
    description: Annotated[str, StringConstraints(max_length=16384)] = Field(
        default="", description="Markdown shown on the hub."
    )
    license: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="SPDX expression for the recipe itself."
    )
    maintainers: tuple[Maintainer, ...] = Field(min_length=1, description="Who answers for the recipe.")
    tags: tuple[Annotated[str, StringConstraints(pattern=forms.TAG)], ...] = Field(
        default=(), description="Words to find it by."
    )
    extends: tuple[Extends, ...] = Field(
        default=(), description="Modules to build on: name, name@range or registry/name@range."
    )
    platforms: tuple[Platform, ...] = Field(
        default=(), description="Platforms to build for; the registry's if not given."
    )
    packages: tuple[PackageName | PackageRequest, ...] = Field(
        default=(), description="Packages by registry name."
    )
    python: LanguagePackages | None = Field(default=None, description="The user's Python environment.")
    node: LanguagePackages | None = Field(default=None, description="The user's global Node.js packages.")
    applications: tuple[Application, ...] = Field(default=(), description="Programs with their own world.")
    environment: dict[EnvironmentName, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default={}, description="Environment variables of every process; values are strings, quoted."
    )
    path: tuple[PathFolder, ...] = Field(
        default=(),
        description="Folders put in front of the standard PATH, this recipe's before those of its modules. "
        "The only way to extend PATH: setting PATH in `environment` is refused, because two modules "
        "that both set it could never be combined.",
    )
    files: dict[AbsolutePath, FileSpec] = Field(
        default={}, description="Files, folders and links by absolute path."
    )
    user: User | None = Field(default=None, description="The account agents work as.")
    workdir: AbsolutePath | None = Field(default=None, description="Where shells and tests start.")
    entrypoint: tuple[Annotated[str, StringConstraints(min_length=1)], ...] | None = Field(
        default=None, description="Program that starts the image; normally from the module that owns it."
    )
    command: tuple[str, ...] | None = Field(default=None, description="Arguments of the entrypoint.")
    processes: dict[RecipeName, Process] = Field(
        default={}, description="Services that run beside the agent."
    )
    shell_hook: Annotated[str, StringConstraints(max_length=16384)] | None = Field(
        default=None, description="Shell code for `nix develop` only."
    )
    ports: tuple[Port, ...] = Field(default=(), description="Ports the sandbox listens on.")
    permissions: Permissions = Field(default=Permissions(), description="What the sandbox may do.")
    resources: Resources = Field(default=Resources(), description="What the sandbox needs.")
    unavailable: dict[Source, Annotated[str, StringConstraints(min_length=1, max_length=300)]] = Field(
        default={}, description="Sources this recipe cannot use, and why."
    )
    tests: tuple[TestCase, ...] = Field(default=(), description="Commands that prove the sandbox works.")
    end_of_life: Annotated[str, StringConstraints(pattern=forms.DATE)] | None = Field(
        default=None, description="Date (YYYY-MM-DD) after which the recipe should not be used."
    )
