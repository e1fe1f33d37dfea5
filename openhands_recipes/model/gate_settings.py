"""GateSettings and Ratchet: `recipes/gate.yaml` and `recipes/ratchet.yaml` (schema 1 each).

Both are read from the base commit, and a pull request that changes them needs the group `policy`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.owners import Glob
from openhands_recipes.model.recipe import RecipeName
from openhands_recipes.model.release_record import EvidenceKind

RuleCode = Annotated[str, StringConstraints(pattern=forms.RULE_CODE)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=forms.ONE_LINE)]
Day = Annotated[str, StringConstraints(pattern=forms.DATE)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=forms.SCRIPT_NAME)]


Rating = Literal["low", "medium", "high", "critical"]


class Limits(Model):
    """How large things may be."""

    file_bytes: int = Field(default=262_144, ge=1, description="Of any file but a lock.")
    lock_bytes: int = Field(default=8_388_608, ge=1, description="Of a lock.")
    files: int = Field(default=16, ge=1, description="Files in one recipe's folder.")


class Names(Model):
    """Names that new recipes may not have, or may not resemble."""

    reserved: tuple[RecipeName, ...] = Field(
        default=(
            "api",
            "admin",
            "all",
            "any",
            "default",
            "latest",
            "library",
            "none",
            "recipes",
            "registry",
            "root",
            "test",
        ),
        description="Names nobody may take.",
    )
    protected: tuple[RecipeName, ...] = Field(
        default=(), description="Well-known names that new ones must not resemble, taken or not."
    )


class Approvals(Model):
    """How many people must agree."""

    new_recipe: int = Field(default=1, ge=1, description="From `reviewers`, for a new recipe.")
    new_recipe_hours: int = Field(default=72, ge=0, description="How long a new recipe stays open at least.")
    widening: int = Field(default=2, ge=1, description="For wider permissions, one of them from `security`.")
    policy: int = Field(default=2, ge=1, description="From `policy`, for the gate, its settings and schemas.")


class Budget(Model):
    """How much an image may grow before somebody must look at it."""

    percent: int = Field(default=25, ge=0, description="Growth against the base's image, in percent.")
    bytes: int = Field(default=200_000_000, ge=0, description="Growth in bytes, whatever the share.")
    ignored_bytes: int = Field(default=5_000_000, ge=0, description="Growth below this is never asked about.")


class Vulnerabilities(Model):
    """From which rating (CVSS, qualitative) on a known vulnerability matters."""

    error: Rating = Field(default="high", description="A new one of this rating or worse fails.")
    human: Rating = Field(default="medium", description="A new one of this rating or worse needs a human.")


class GateSkip(Model):
    """A rule that does not count for some paths, for a while."""

    rule: RuleCode = Field(description="Code of the rule.")
    path: Glob = Field(description="Paths it does not count for; * within a folder, ** across folders.")
    reason: Line = Field(description="Why.")
    expires: Day = Field(description="Last day (YYYY-MM-DD) on which the skip holds.")
    by: int = Field(gt=0, description="Numeric id of who decided it.")


class GateSettings(Model):
    """How strict the gate is."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="Schema number of this document: 1.")
    limits: Limits = Field(default=Limits(), description="Sizes and counts.")
    files: tuple[FileName, ...] = Field(
        default=(
            "recipe.yaml",
            "recipe.lock.json",
            "recipe.closure.json",
            "flake.json",
            "CHANGELOG.md",
            "README.md",
        ),
        description="Files a recipe's folder may hold.",
    )
    names: Names = Field(default=Names(), description="Names of new recipes, reserved and protected.")
    approvals: Approvals = Field(default=Approvals(), description="Counts of approvals, and waiting times.")
    forbidden_privileges: tuple[Annotated[str, StringConstraints(pattern=forms.PRIVILEGE)], ...] = Field(
        default=("privileged", "host-network", "host-pid", "host-ipc", "docker-socket", "sys-admin"),
        description="Privileges no recipe may ask for.",
    )
    forbidden_devices: tuple[Glob, ...] = Field(
        default=(
            "/dev/mem",
            "/dev/kmem",
            "/dev/port",
            "/dev/sd*",
            "/dev/nvme*",
            "/dev/vd*",
            "/dev/mapper/**",
            "/dev/disk/**",
        ),
        description="Devices no recipe may ask for.",
    )
    policy: tuple[Glob, ...] = Field(
        default=(
            "OWNERS", "recipes/*.yaml", "schema/**", "nixlib/**", "openhands_recipes/**",
            ".github/**", ".ci/**", "Makefile", "pyproject.toml",
        ),
        description="Paths that decide what the gate and the toolkit do.",
    )  # fmt: skip
    budget: Budget = Field(default=Budget(), description="How much images may grow.")
    vulnerabilities: Vulnerabilities = Field(
        default=Vulnerabilities(), description="How bad known vulnerabilities may be."
    )
    evidence: tuple[EvidenceKind, ...] = Field(
        default=("signature", "provenance", "spdx", "cyclonedx", "tests"),
        description="What every release comes with.",
    )
    gate_skips: tuple[GateSkip, ...] = Field(
        default=(), alias="gate-skips", description="Rules that do not count somewhere, for a while."
    )


class OldFault(Model):
    """So many findings of one rule in one file that were there before the rule."""

    rule: RuleCode = Field(description="Code of the rule.")
    path: Glob = Field(description="The file.")
    count: int = Field(default=1, ge=1, description="How many; more than these count as new.")


class Ratchet(Model):
    """Old faults that are tolerated. The list only ever shrinks."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="Schema number of this document: 1.")
    faults: tuple[OldFault, ...] = Field(default=(), description="Old faults, by rule and file.")
