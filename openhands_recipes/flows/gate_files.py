"""The gate's own files, read from the base commit: OWNERS, recipes/gate.yaml, recipes/ratchet.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from openhands_recipes.compile.recipe.document import understand
from openhands_recipes.compile.recipe.faults import Fault
from openhands_recipes.errors import InvalidRecipeError, UsageError
from openhands_recipes.flows.gate_store import CommitStore
from openhands_recipes.model.gate import Finding, Review, Submission
from openhands_recipes.model.gate_event import ForgeEvent
from openhands_recipes.model.gate_settings import GateSettings, Ratchet
from openhands_recipes.model.gate_states import KnownStates
from openhands_recipes.model.owners import Owners
from openhands_recipes.publish.gate.rules import Code, finding

M = TypeVar("M", bound=BaseModel)
OWNERS, SETTINGS, RATCHET = "OWNERS", "recipes/gate.yaml", "recipes/ratchet.yaml"


@dataclass(frozen=True)
class Statutes:
    """What the base says about how it is changed, and what is wrong with the files that say it."""

    owners: Owners | None
    settings: GateSettings
    ratchet: Ratchet
    new_ratchet: Ratchet | None
    problems: tuple[Finding, ...]


def read_statutes(base: CommitStore, merged: CommitStore, changed: frozenset[str]) -> Statutes:
    """The files of the base decide; those a pull request changes are only judged."""
    problems: list[Finding] = []
    owners = _document(base, OWNERS, Owners, problems)
    settings = _document(base, SETTINGS, GateSettings, problems) or GateSettings()
    ratchet = _document(base, RATCHET, Ratchet, problems) or Ratchet()
    new_ratchet = None
    for path, model in ((OWNERS, Owners), (SETTINGS, GateSettings), (RATCHET, Ratchet)):
        if path in changed:
            new = _document(merged, path, model, problems)
            new_ratchet = new if isinstance(new, Ratchet) else new_ratchet
    return Statutes(owners, settings, ratchet, new_ratchet, tuple(dict.fromkeys(problems)))


def _document(store: CommitStore, path: str, model: type[M], problems: list[Finding]) -> M | None:
    content = store.file(path)
    if content is None:
        return None
    understood = understand(content, file=path, model=model)
    problems += [_problem(fault) for fault in understood.faults]
    return understood.model


def _problem(fault: Fault) -> Finding:
    message = f"{fault.message} [{fault.code}]"
    return finding(Code.SETTINGS_FILE, message, fault.file, line=fault.line, hint=fault.hint)


def read_event(content: bytes, *, where: str) -> Submission:
    """A pull request as the forge tells it.

    Raises:
        UsageError: the file is not what docs/gate.md describes.
    """
    try:
        event = ForgeEvent.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        hint = "docs/gate.md shows its shape"
        raise UsageError(
            f"not a pull request's event: {place}: {first['msg']}", where=where, hint=hint
        ) from error
    pull = event.pull_request
    return Submission(
        number=pull.number,
        author=pull.user.id,
        opened=pull.created_at,
        head=pull.head.sha,
        base=pull.base.sha,
        reviews=tuple(last_words(event)),
    )


def last_words(event: ForgeEvent) -> list[Review]:
    """What each reviewer said last that counts: comments change nothing, a dismissal takes a word back."""
    said: dict[int, Review] = {}
    for review in event.reviews:
        match review.state.upper():
            case "APPROVED":
                said[review.user.id] = Review(user=review.user.id, state="approved", commit=review.commit_id)
            case "CHANGES_REQUESTED":
                said[review.user.id] = Review(
                    user=review.user.id, state="changes-requested", commit=review.commit_id
                )
            case "DISMISSED":
                said.pop(review.user.id, None)
            case _:
                pass
    return list(said.values())


def read_states(content: bytes, *, where: str) -> KnownStates:
    """States of published versions from a file.

    Raises:
        InvalidRecipeError: it does not hold any.
    """
    try:
        return KnownStates.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        hint = 'write {"states": {"python@1.0.0": {"name": "yanked", "reason": "..."}}}'
        raise InvalidRecipeError(f"not a list of states: {first['msg']}", where=where, hint=hint) from error
