"""Why Nix gave up, in our words, from what it said.

Nix has no error codes: what is recognised here is its English, the same since 2.18. What is not recognised is
passed on as it is. Whose fault it is in a recipe is not decided here (see `explain`).
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Sequence

from pydantic import ValidationError

from openhands_recipes.errors import (
    DownloadError,
    NixError,
    OutsideError,
    RecipesError,
    VerificationError,
)
from openhands_recipes.model.nix import Thrown
from openhands_recipes.ports.nix import NixWords


class Code(enum.StrEnum):
    """The stable code of each kind of failure; every one has a page, docs/errors/<code>.md."""

    UNSIGNED = "OHR110"
    BUILD_FAILED = "OHR111"
    HASH_MISMATCH = "OHR112"
    NO_NAMESPACES = "OHR113"
    NO_ROOM = "OHR114"
    OTHER_PLATFORM = "OHR115"
    NO_NETWORK = "OHR116"
    EVALUATION = "OHR117"
    DAMAGED = "OHR118"


_UNSIGNED = re.compile(
    r"(?:path|substitute for) '(?P<path>[^']*)'.*?"
    r"(?:not signed by any of the keys|lacks a (?:valid )?signature)",
    re.DOTALL,
)
_MISMATCH = re.compile(
    r"hash mismatch|NAR hash mismatch|mismatch in field 'narHash'|was modified! expected hash|wrong hash"
)
_ROOM = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded")
_NAMESPACES = re.compile(r"does not support the kernel namespaces|mounting /proc|setting up .{0,30}namespace")
_PLATFORM = re.compile(
    r"is required to build '(?P<path>[^']*)'|required system or feature not available"
    r"|[Uu]nable to start any build|local builds are disabled"
)
_NETWORK = re.compile(
    r"unable to download '(?P<url>[^']*)'|Could ?n[o']t (?:resolve|connect)|Connection (?:refused|timed out)"
)
_BUILD = re.compile(r"builder for '(?P<drv>/nix/store/[^']*\.drv)' failed(?: with exit code (?P<code>\d+))?")
_BUILT_NOT = re.compile(r"Cannot build '(?P<drv>/nix/store/[^']*\.drv)'")  # Nix >= 2.30
_THROWN = re.compile(r"ohr: (\{.*\})", re.DOTALL)
_STORE = re.compile(r"/nix/store/[0-9a-z]{32}-")


def failure(said: NixWords, exit_code: int) -> RecipesError | None:
    """The error behind a log and an exit code; None where all is well.

    A path that a binary cache offers without a trusted signature is an error even where Nix goes on.
    """
    text = "\n".join((*said.warnings, *said.errors, *said.plain))
    if found := _UNSIGNED.search(text):
        return VerificationError(
            f"a binary cache offers {found['path']} without a signature by a trusted key",
            hint="add its key to nix.trusted-public-keys in recipes/registry.yaml, or leave the cache out",
            code=Code.UNSIGNED,
        )
    if exit_code == 0:
        return None
    errors = "\n".join((*said.errors, *said.plain))
    return _verification(errors) or _of_machine(said, errors) or _of_work(said, errors)


def _verification(errors: str) -> RecipesError | None:
    if not _MISMATCH.search(errors):
        return None
    return VerificationError(
        _first(errors, _MISMATCH), hint="what was fetched, or what the store holds, is not what was promised",
        code=Code.HASH_MISMATCH,
    )  # fmt: skip


def _of_machine(said: NixWords, errors: str) -> RecipesError | None:
    if _ROOM.search(errors):
        return OutsideError(
            "no room left for the store of Nix",
            hint="free some space, or set OHR_CACHE to a folder with more room",
            code=Code.NO_ROOM,
        )
    if said.damage():
        return OutsideError(
            f"the store of Nix is damaged: {_last(errors)}",
            hint="`nix-store --verify --check-contents --repair` mends it; `ohr cache clean` clears ours",
            code=Code.DAMAGED,
        )
    if _NAMESPACES.search(errors):
        return OutsideError(
            f"Nix cannot shut its builds in: {_last(errors)}",
            hint="allow user namespaces inside user namespaces, or install Nix on this machine",
            code=Code.NO_NAMESPACES,
        )
    return None


def _of_work(said: NixWords, errors: str) -> RecipesError:
    messages = tuple(said.traces) or tuple(said.plain)
    if (found := _BUILD.search(errors) or _BUILT_NOT.search(errors)) is not None:
        return _build_failure(said, found, messages)
    if _PLATFORM.search(errors):
        return NixError(
            "nothing here can build for that platform, and no binary cache has it ready",
            messages=messages,
            hint="name a cache under nix.substituters in recipes/registry.yaml, or work on such a machine",
            code=Code.OTHER_PLATFORM,
        )
    if found := _NETWORK.search(errors):
        return DownloadError(
            f"Nix could not fetch what it needs: {_last(errors)}",
            hint="OHR_NIXPKGS may name a local copy of the pinned nixpkgs",
            code=Code.NO_NETWORK,
        )
    return NixError(f"Nix gave up: {_last(errors)}", messages=messages, code=Code.EVALUATION)


def _build_failure(said: NixWords, found: re.Match[str], messages: tuple[str, ...]) -> NixError:
    name = _STORE.sub("", found["drv"]).removesuffix(".drv")
    code = found.groupdict().get("code")
    lines = [f"  {line}" for line in said.output.get(found["drv"], ())]
    ending = f" (exit code {code})" if code else ""
    return NixError(
        "\n".join([f"{name} could not be built{ending}" + ":" * bool(lines), *lines]),
        messages=messages,
        hint=f"the derivation is {found['drv']}",
        code=Code.BUILD_FAILED,
    )


def thrown(messages: Sequence[str]) -> Thrown | None:
    """What our Nix library said when it gave up, if it was the one."""
    for message in reversed(messages):
        for found in _THROWN.finditer(message):
            try:
                value, _ = json.JSONDecoder().raw_decode(found[1])
                return Thrown.model_validate(value)
            except (ValueError, ValidationError):
                continue
    return None


def reason_of(messages: Sequence[str]) -> str:
    """Nix's last word."""
    return _last("\n".join(messages))


def _first(errors: str, pattern: re.Pattern[str]) -> str:
    """The paragraph a pattern is found in, on one line."""
    found = pattern.search(errors)
    start = errors.rfind("\n", 0, found.start()) + 1 if found else 0
    end = errors.find("\n\n", start)
    return _joined(errors[start : end if end > 0 else None])


def _last(errors: str) -> str:
    """The reason: Nix traces from the outside in, so it stands last, after `error:`."""
    reason = errors.rsplit("error:", 1)[-1].strip()
    return _joined(reason.split("\n\n")[0]) or "it does not say why"


def _joined(text: str, limit: int = 600) -> str:
    words = " ".join(text.split())
    return words if len(words) <= limit else words[: limit - 3] + "..."
