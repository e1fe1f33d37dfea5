"""A repository in a registry: its blobs, mounting them, its manifests, and how its registry likes uploads."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from openhands_recipes.adapters.registry.connection import Connection, StoppedError
from openhands_recipes.adapters.registry.faults import Answer
from openhands_recipes.adapters.registry.wire import Request, body_of
from openhands_recipes.errors import RecipesError, RegistryError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of

log = logging.getLogger(__name__)

SMALL = 8 * 1024 * 1024
"""Blobs up to this size are sent with one PUT: resuming would cost more requests than it saves."""
CHUNK = 32 * 1024 * 1024
SMALLEST_CHUNK = 4 * 1024 * 1024
"""Every registry known to limit request bodies takes this much."""
ALTERED_PUTS = 4
"""How often a manifest is sent that the registry says arrived altered."""


@dataclass
class Habits:
    """What this registry was found to accept."""

    chunk: int | None = CHUNK
    """None: no chunks at all."""
    small: int = SMALL

    def shrink(self) -> bool:
        """Choose smaller chunks; False if there are none."""
        if self.chunk is None or self.chunk <= SMALLEST_CHUNK:
            return False
        self.chunk = SMALLEST_CHUNK
        return True


@dataclass(frozen=True)
class Target:
    """The repository that is pushed to."""

    connection: Connection
    repository: str
    habits: Habits

    @property
    def scopes(self) -> frozenset[str]:
        """What a token must allow."""
        return frozenset({f"repository:{self.repository}:pull,push"})

    def url(self, rest: str) -> str:
        """An address below the repository."""
        return f"{self.connection.base}/v2/{self.repository}/{rest}"

    def refusal(self, answer: Answer) -> RecipesError:
        """The error for an answer nobody wanted."""
        return self.connection.refusal(answer, self.repository)


def has_blob(target: Target, digest: Digest, size: int) -> bool:
    """Whether the repository holds a blob.

    Raises:
        VerificationError: it claims to, with another size or digest.
    """
    answer = target.connection.call(Request("HEAD", target.url(f"blobs/{digest}"), scopes=target.scopes))
    if answer.status == 404:
        return False
    if answer.status != 200:
        raise target.refusal(answer)
    check_digest(answer, digest)
    told = answer.headers.get("content-length", "")
    if told.isdigit() and int(told) != size:
        raise VerificationError(
            f"the registry holds {told} bytes as {digest}, which has {size}",
            where=answer.where,
            hint="the registry's storage is damaged; have it checked",
        )
    return True


def check_digest(answer: Answer, digest: Digest) -> None:
    """Compare the digest a registry reports, if it does (distribution-spec: SHOULD).

    Raises:
        VerificationError: it is another one.
    """
    told = answer.headers.get("docker-content-digest", digest)
    if told != digest and told.startswith("sha256:"):
        raise VerificationError(
            f"the registry reports {told} for {digest}",
            where=answer.where,
            hint="a proxy or the registry's storage changes content; do not use what it serves",
        )


def put_manifest(target: Target, reference: str, content: bytes, media_type: str) -> Answer:
    """Store a manifest by digest or under a tag.

    A registry that keeps links to blobs in files (distribution 2 and 3) says DIGEST_INVALID when it reads
    a link that a second push of the same image is just writing. So that answer alone does not prove that
    bytes were altered: the same bytes are sent a few times more before it is believed.

    Raises:
        VerificationError: the registry received, or reports, another digest.
        RegistryError: it refuses.
    """
    request = Request(
        "PUT",
        target.url(f"manifests/{reference}"),
        {"Content-Type": media_type},
        body_of(content),
        target.scopes,
    )
    for number in itertools.count(1):
        answer = target.connection.call(request)
        if answer.status in (200, 201, 202, 204):
            break
        fault = target.refusal(answer)
        if not isinstance(fault, VerificationError) or number == ALTERED_PUTS:
            raise fault
        log.info("%s; sending it again", fault.message)
        target.connection.pause(target.connection.patience.first * number)
    check_digest(answer, digest_of(content))
    return answer


def mount(target: Target, digest: Digest, sources: Sequence[str]) -> Answer | None:
    """Mount a blob from another repository; else the answer that opened an upload, if one did.

    Never an error: a mount that is refused only means that the bytes must be sent.
    """
    opened: Answer | None = None
    for source in sources:
        query = urlencode({"mount": digest, "from": source})
        scopes = target.scopes | {f"repository:{source}:pull"}
        try:
            answer = target.connection.call(
                Request("POST", target.url(f"blobs/uploads/?{query}"), body=body_of(b""), scopes=scopes)
            )
        except StoppedError:
            raise
        except RegistryError as error:
            log.debug("no mount from %s: %s", source, error.message)
            continue
        if answer.status not in (201, 202):
            continue
        if opened is not None:
            cancel(target, target.connection.location(opened))
        opened = answer
        if answer.status == 201:
            check_digest(answer, digest)
            break
    return opened


def cancel(target: Target, url: str) -> None:
    """Tell the registry that an upload will not be finished; it would find out by itself."""
    try:
        target.connection.call_once(Request("DELETE", url, scopes=target.scopes))
    except RegistryError as error:
        log.debug("upload not cancelled: %s", error.message)
