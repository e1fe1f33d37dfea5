"""What python-tuf refuses, in our words: each kind of broken promise has a code and a page."""

from __future__ import annotations

import re

from tuf.api import exceptions as tuf
from tuf.api.serialization import DeserializationError

from openhands_recipes.errors import DownloadError, RecipesError, VerificationError

ROLLBACK, EXPIRED, MIXED, UNSIGNED, WRONG_BYTES = "OHR430", "OHR431", "OHR432", "OHR433", "OHR434"
ENDLESS, SLOW, MISSING, MALFORMED, UNREACHABLE = "OHR435", "OHR436", "OHR437", "OHR439", "OHR448"
_NEWER_WANTED = re.compile(r"New (timestamp|snapshot) version|missing info for|Expected .* version")
_MIRROR = "ask another mirror; if it persists, tell the registry's maintainers"


def translated(error: Exception, *, where: str) -> RecipesError:  # noqa: PLR0911 - a table
    """The error to raise for one of python-tuf's."""
    told = str(error)
    match error:
        case tuf.ExpiredMetadataError():
            return VerificationError(
                f"the index has expired: {told}", where=where, code=EXPIRED,
                hint="its host serves an old copy, or nobody signs it any more; "
                "to read it all the same: --index-as-of DATE",
            )  # fmt: skip
        case tuf.BadVersionNumberError():
            return _wrong_version(told, where)
        case tuf.UnsignedMetadataError():
            return VerificationError(
                f"the index is not signed as it must be: {told}", where=where, hint=_MIRROR, code=UNSIGNED
            )
        case tuf.LengthOrHashMismatchError():
            return VerificationError(
                f"a file of the index is not the one that was signed: {told}",
                where=where, hint=_MIRROR, code=WRONG_BYTES,
            )  # fmt: skip
        case tuf.DownloadLengthMismatchError():
            return VerificationError(
                f"the index's host sends more than was signed: {told}",
                where=where,
                hint=_MIRROR,
                code=ENDLESS,
            )
        case tuf.SlowRetrievalError():
            return DownloadError(
                f"the index's host is too slow: {told}",
                where=where,
                hint="try again, or another mirror",
                code=SLOW,
            )
        case tuf.DownloadHTTPError() if "timestamp.json" not in told:
            return VerificationError(
                f"the index's host lacks a file that was signed: {told}",
                where=where,
                hint=_MIRROR,
                code=MISSING,
            )
        case tuf.DownloadError():
            cause = f": {error.__cause__}" if error.__cause__ else ""
            return DownloadError(
                f"the index cannot be reached: {told}{cause}", where=where, code=UNREACHABLE,
                hint="look at the address; what was verified before can be read with --offline",
            )  # fmt: skip
        case DeserializationError():
            return VerificationError(
                "a file of the index is malformed", where=where, hint=_MIRROR, code=MALFORMED
            )
    return _unlike(told, where)


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
