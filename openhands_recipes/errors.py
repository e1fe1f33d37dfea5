"""Every exception this package raises on purpose.

::

    RecipesError               exit code
    ├── InvalidRecipeError     1  a recipe, lock or settings file is wrong
    ├── ResolutionError        1  recipes or packages do not fit together
    │   └── NoWheelError       1  a Python project publishes nothing that installs without being built
    ├── StaleLockError         1  the lock no longer belongs to its recipe or parents
    ├── TestFailureError       1  a recipe's tests or the contract failed in the sandbox
    ├── ReleaseError           1  a release, or a change of its state, is refused
    │   └── NewerSchemaError   1  a newer version of this package wrote it
    ├── UsageError             2  the command line asks for something impossible
    ├── OutsideError           3  a tool, the network or this machine failed
    │   ├── DownloadError      3  bytes could not be fetched
    │   ├── LedgerError        3  the ledger of releases could not be read or written
    │   │   └── LedgerConflictError 3  somebody else wrote to it meanwhile
    │   ├── NixError           3  Nix could not evaluate or build something
    │   ├── RegistryError      3  an OCI registry refused or broke off
    │   └── SandboxError       3  a sandbox could not be set up
    ├── VerificationError      4  bytes are not what was promised; never retried away
    └── NeedsHumanError        5  the gate found nothing wrong, and a person must still agree

Anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable


class RecipesError(Exception):
    """What happened, where, and what to do about it.

    Args:
        message: one sentence, lower case, without a full stop.
        where: file, `file:line`, `file:line:column`, URL or digest.
        hint: what the reader can do now.
        faults: everything found wrong, in reading order, so that one run reports it all.
        code: the stable code of its page in docs/errors, where there is one.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        faults: Iterable[object] = (),
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.faults = tuple(faults)
        self.code = code

    def __str__(self) -> str:
        lines = [self.message]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        if len(self.faults) > 1:
            lines += [str(fault) for fault in self.faults]
        return "\n".join(lines)


class InvalidRecipeError(RecipesError):
    """A recipe, lock or settings file breaks its own rules."""


class ResolutionError(RecipesError):
    """Recipes, packages or versions do not fit together."""


class NoWheelError(ResolutionError):
    """A Python project has no wheel for the target; its source may have to be built.

    `project` is its normalised name, `specifier` the versions asked for (PEP 440), empty for any.
    """

    def __init__(self, message: str, *, project: str, specifier: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.project = project
        self.specifier = specifier


class StaleLockError(RecipesError):
    """The lock was made for another recipe or for other parents."""


class TestFailureError(RecipesError):
    """A recipe's own tests or the contract failed."""

    __test__ = False  # pytest must not collect it


class ReleaseError(RecipesError):
    """A release, or a change of its state, is refused."""


class NewerSchemaError(ReleaseError):
    """A record of a schema this version does not know; readers skip it and say so."""


class UsageError(RecipesError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class OutsideError(RecipesError):
    """A tool, the network or the machine failed; trying again may help."""

    exit_code = 3


class DownloadError(OutsideError):
    """Bytes could not be fetched from any source."""


class NixError(OutsideError):
    """Nix could not evaluate or build something; `messages` are its own words, the last one the reason."""

    def __init__(
        self, message: str, *, messages: Iterable[str] = (), hint: str | None = None, code: str = ""
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.messages = tuple(messages)


class LedgerError(OutsideError):
    """The ledger of releases could not be read or written."""


class LedgerConflictError(LedgerError):
    """Somebody else wrote to the ledger meanwhile: read it again, then decide again."""


class RegistryError(OutsideError):
    """An OCI registry refused a request or broke it off."""


class SandboxError(OutsideError):
    """A sandbox could not be set up on this machine."""


class VerificationError(RecipesError):
    """Bytes, a signature or a date are not what was promised."""

    exit_code = 4


class NeedsHumanError(RecipesError):
    """The pull-request gate found no error, but people must agree before it may merge."""

    exit_code = 5
