"""Owners: the file `OWNERS`, who answers for which part of the repository (schema 1).

People are numeric ids, which never change hands; names beside them are for readers. Nobody needs write
access to be named here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.recipe import Maintainer

GroupName = Annotated[str, StringConstraints(pattern=forms.TAG)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=forms.ONE_LINE)]


class OwnedPath(Model):
    """Which groups answer for some paths; the last entry that matches counts."""

    path: Glob = Field(description="Path from the repository's root; * within a folder, ** across folders.")
    groups: tuple[GroupName, ...] = Field(
        min_length=1, description="Groups, any member of which may approve."
    )


class Owners(Model):
    """Who answers for what."""

    schema_: Literal[1] = Field(alias="schema", description="Schema number of this document: 1.")
    groups: dict[GroupName, tuple[Maintainer, ...]] = Field(
        description="People by group. `reviewers`, `security` and `policy` have duties of their own."
    )
    bots: tuple[Maintainer, ...] = Field(
        default=(), description="Accounts of machines: may update locks, can never approve."
    )
    paths: tuple[OwnedPath, ...] = Field(
        default=(), description="Paths outside recipes, the last match counts."
    )

    def members(self, group: str) -> frozenset[int]:
        """The people of a group; nobody if there is none of that name."""
        return frozenset(person.id for person in self.groups.get(group, ()))

    @property
    def bot_ids(self) -> frozenset[int]:
        """Accounts of machines."""
        return frozenset(bot.id for bot in self.bots)
