"""Draft: a pull request in the making, and the judgement on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from openhands_recipes.model.gate import Outcome, Review, Submission
from openhands_recipes.model.gate_states import KnownState, KnownStates
from tests.integration.gate.registry import ALICE, DATE, lock_of
from tests.integration.gate.repository import FILE, Blob, GateRepository

OPENED = "2026-11-01T10:00:00Z"


@dataclass
class Draft:
    """Changes to the registry, made one by one."""

    files: dict[str, Blob]
    extra: dict[str, list[tuple[str, bytes, str]]] = field(default_factory=dict)
    author: int = ALICE
    approvals: list[tuple[int, str, str]] = field(default_factory=list)
    """Who, what, and which commit: `head` or an id."""
    opened: str = OPENED
    message: str = ""
    has_event: bool = True
    base_files: dict[str, Blob] | None = None
    """What the base became meanwhile, if it moved on."""
    states: dict[str, KnownState] = field(default_factory=dict)

    def write(self, path: str, text: str | bytes, mode: str = FILE) -> Draft:
        """Put a file."""
        self.files[path] = Blob(text.encode() if isinstance(text, str) else text, mode)
        return self

    def recipe(self, name: str, text: str) -> Draft:
        """Put a recipe, and lock it."""
        return self.write(f"recipes/{name}/recipe.yaml", text).lock(name)

    def edit(self, name: str, *changes: tuple[str, str]) -> Draft:
        """Replace texts in a recipe; each must be there."""
        path = f"recipes/{name}/recipe.yaml"
        text = self.files[path].content.decode()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        return self.write(path, text)

    def bump(self, name: str, version: str) -> Draft:
        """Give a recipe another version."""
        path = f"recipes/{name}/recipe.yaml"
        lines = self.files[path].content.decode().split("\n")
        at = next(i for i, line in enumerate(lines) if line.startswith("version: "))
        lines[at] = f"version: {version}"
        return self.write(path, "\n".join(lines))

    def lock(self, *names: str, date: str = DATE) -> Draft:
        """Lock recipes again, in this order."""
        for name in names:
            plain = {path: blob.content for path, blob in self.files.items()}
            self.write(f"recipes/{name}/recipe.lock.json", lock_of(plain, name, date=date))
        return self

    def remove(self, prefix: str) -> Draft:
        """Remove a file, or everything below a folder."""
        self.files = {
            path: blob for path, blob in self.files.items() if path != prefix and not path.startswith(prefix)
        }
        return self

    def by(self, author: int) -> Draft:
        """Sent by somebody else."""
        self.author = author
        return self

    def approved(self, *people: int, commit: str = "head", state: str = "approved") -> Draft:
        """Approved by people."""
        self.approvals += [(person, state, commit) for person in people]
        return self

    def told(self, **values: object) -> Draft:
        """Set other facts of the draft by name."""
        for name, value in values.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        return self

    def send(self, repository: GateRepository, base: str) -> tuple[str, str]:
        """Commit it: base and head."""
        tree = repository.tree(self.files, self.extra)
        head = repository.commit(tree, base, message=self.message)
        if self.base_files is None:
            return base, head
        return repository.commit(repository.tree(self.base_files), base, message="Meanwhile"), head

    def submission(self, base: str, head: str) -> Submission | None:
        """What the forge would say."""
        if not self.has_event:
            return None
        reviews = tuple(
            Review(user=user, state=state, commit=head if commit == "head" else commit)
            for user, state, commit in self.approvals
        )
        return Submission(
            number=7, author=self.author, opened=self.opened, head=head, base=base, reviews=reviews
        )

    def known_states(self) -> KnownStates:
        """What the registry says of releases."""
        return KnownStates(states=self.states)


@dataclass(frozen=True)
class PullRequest:
    """A fixture: how a draft is made, and what the gate must say of it.

    `codes` are those of errors and of open questions; `also` must be among the warnings and notes.
    """

    name: str
    make: Callable[[Draft], object]
    verdict: Outcome
    codes: frozenset[str] = frozenset()
    lane: str = ""
    also: frozenset[str] = frozenset()
    may_approve: frozenset[int] | None = None


def pull(
    name: str,
    make: Callable[[Draft], object],
    verdict: Outcome,
    codes: str = "",
    *,
    lane: str = "",
    also: str = "",
    may_approve: set[int] | None = None,
) -> PullRequest:
    """A row of the table; codes are separated by spaces, without their `OHR`."""

    def full(text: str) -> frozenset[str]:
        return frozenset(f"OHR{code}" for code in text.split())

    people = None if may_approve is None else frozenset(may_approve)
    return PullRequest(name, make, verdict, full(codes), lane, full(also), people)
