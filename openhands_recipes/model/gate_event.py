"""ForgeEvent: what `--event FILE` holds. The names are GitHub's; what else the forge says is ignored.

The event of a `pull_request` as a workflow finds it in `$GITHUB_EVENT_PATH`, with the answer of
"list reviews for a pull request" under `reviews`, oldest first.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from openhands_recipes.model.gate import Commit

Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|\+00:00)$")]


class Told(BaseModel):
    """Something a forge tells, of which we take what we need."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Account(Told):
    """An account by its number, which never changes hands."""

    id: int = Field(gt=0)


class Tip(Told):
    """One side of a pull request."""

    sha: Commit


class PullRequest(Told):
    """A pull request."""

    number: int = Field(gt=0)
    user: Account
    head: Tip
    base: Tip
    created_at: Moment


class ReviewTold(Told):
    """One review, in the order in which they were given."""

    user: Account
    state: str
    commit_id: Commit


class ForgeEvent(Told):
    """The event of a pull request and its reviews."""

    action: str = ""
    pull_request: PullRequest
    reviews: tuple[ReviewTold, ...] = ()
