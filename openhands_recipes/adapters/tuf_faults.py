"""What python-tuf refuses, in our words: each kind of broken promise has a code and a page."""

from __future__ import annotations

import re
from typing import NamedTuple

from tuf.api import exceptions as tuf
from tuf.api.serialization import DeserializationError

from openhands_recipes.errors import DownloadError, RecipesError, VerificationError

ROLLBACK, EXPIRED, MIXED, UNSIGNED, WRONG_BYTES = "OHR430", "OHR431", "OHR432", "OHR433", "OHR434"
ENDLESS, SLOW, MISSING, MALFORMED, UNREACHABLE = "OHR435", "OHR436", "OHR437", "OHR439", "OHR448"
_NEWER_WANTED = re.compile(r"New (timestamp|snapshot) version|missing info for|Expected .* version")
_MIRROR = "ask another mirror; if it persists, tell the registry's maintainers"


class _Fault(NamedTuple):
    """How an error of python-tuf is told; `{told}` is what it said itself."""

    kind: type[RecipesError]
    message: str
    code: str
    hint: str = _MIRROR


_FAULTS: dict[type[Exception], _Fault] = {
    tuf.ExpiredMetadataError: _Fault(
        VerificationError, "the index has expired: {told}", EXPIRED,
        "its host serves an old copy, or nobody signs it any more; "
        "to read it all the same: --index-as-of DATE",
    ),
    tuf.UnsignedMetadataError: _Fault(
        VerificationError, "the index is not signed as it must be: {told}", UNSIGNED
    ),
    tuf.LengthOrHashMismatchError: _Fault(
        VerificationError, "a file of the index is not the one that was signed: {told}", WRONG_BYTES
    ),
    tuf.DownloadLengthMismatchError: _Fault(
        VerificationError, "the index's host sends more than was signed: {told}", ENDLESS
    ),
    tuf.SlowRetrievalError: _Fault(
        DownloadError, "the index's host is too slow: {told}", SLOW, "try again, or another mirror"
    ),
    tuf.DownloadError: _Fault(
        DownloadError, "the index cannot be reached: {told}", UNREACHABLE,
        "look at the address; what was verified before can be read with --offline",
    ),
    DeserializationError: _Fault(VerificationError, "a file of the index is malformed", MALFORMED),
}  # fmt: skip
_LACKING = _Fault(VerificationError, "the index's host lacks a file that was signed: {told}", MISSING)


def translated(error: Exception, *, where: str) -> RecipesError:
    """The error to raise for one of python-tuf's."""
    told = str(error)
    match error:
        case tuf.BadVersionNumberError():
            return _wrong_version(told, where)
        case tuf.DownloadHTTPError() if "timestamp.json" not in told:
            return _as(_LACKING, told, where)
    fault = next((_FAULTS[kind] for kind in type(error).__mro__ if kind in _FAULTS), None)
    if fault is None:
        return _unlike(told, where)
    cause = f": {error.__cause__}" if fault.code == UNREACHABLE and error.__cause__ else ""
    return _as(fault, told + cause, where)


def _as(fault: _Fault, told: str, where: str) -> RecipesError:
    return fault.kind(fault.message.format(told=told), where=where, hint=fault.hint, code=fault.code)


def _wrong_version(told: str, where: str) -> VerificationError:
    if _NEWER_WANTED.search(told) and "snapshot version" not in told.removeprefix("New "):
        return _rolled_back(told, where)
    if told.startswith("New "):
        return _rolled_back(told, where)
    return VerificationError(
        f"the files of the index do not belong together: {told}", where=where, hint=_MIRROR, code=MIXED
    )


def _rolled_back(told: str, where: str) -> VerificationError:
    return VerificationError(
        f"the index is older than the one seen before: {told}", where=where, hint=_MIRROR, code=ROLLBACK
    )


def _unlike(told: str, where: str) -> VerificationError:
    if "missing info for" in told:
        return _rolled_back(told, where)
    if "part of snapshot" in told or "does not contain" in told:
        return VerificationError(
            f"the files of the index do not belong together: {told}", where=where, hint=_MIRROR, code=MIXED
        )
    return VerificationError(
        f"the index is not as it must be: {told}", where=where, hint=_MIRROR, code=MALFORMED
    )
