"""Single manifests and blobs of a registry: `ports.ArtifactRegistry` (distribution-spec 1.1).

Blobs here are small (4 MiB): what is larger is a layer, and layers are pushed and pulled as images.
"""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urljoin, urlsplit

from openhands_recipes.adapters.registry.client import OciRegistry
from openhands_recipes.adapters.registry.faults import Answer
from openhands_recipes.adapters.registry.repository import Target, has_blob, put_manifest
from openhands_recipes.adapters.registry.source import BlobSource
from openhands_recipes.adapters.registry.upload import Upload
from openhands_recipes.adapters.registry.wire import Request
from openhands_recipes.errors import RegistryError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE
from openhands_recipes.ports.artifacts import StoredManifest

_ACCEPT = {"Accept": f"{INDEX_TYPE}, {MANIFEST_TYPE}"}
_PAGES = 100
"""Of a list of referrers; a registry that has more is sending us in circles."""


class OciArtifacts(OciRegistry):
    """A registry whose manifests and small blobs are read and written one by one."""

    def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """What a tag or digest points to; None if nothing is there."""
        target = self._target(repository)
        answer = self._get(target, f"manifests/{reference}", _ACCEPT)
        if answer is None:
            return None
        if reference.startswith("sha256:"):
            _check_content(answer, Digest(reference))
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return StoredManifest(answer.body, media_type)

    def put_manifest(self, repository: str, manifest: StoredManifest, *, tag: str = "") -> bool:
        """Store a manifest by digest, or under a tag; whether the registry has noted its subject."""
        target = self._target(repository)
        answer = put_manifest(target, tag or manifest.digest, manifest.content, manifest.media_type)
        return "oci-subject" in answer.headers

    def blob(self, repository: str, digest: Digest) -> bytes | None:
        """A small blob; None if it is not there."""
        answer = self._get(self._target(repository), f"blobs/{digest}", {})
        if answer is None:
            return None
        _check_content(answer, digest)
        return answer.body

    def put_blob(self, repository: str, content: bytes) -> Digest:
        """Have a small blob there."""
        target, digest = self._target(repository), digest_of(content)
        if not has_blob(target, digest, len(content)):
            source = BlobSource(digest, len(content), lambda: io.BytesIO(content))
            Upload(target, source).send()
        return digest

    def referrers(self, repository: str, subject: Digest) -> tuple[dict[str, Any], ...] | None:
        """Descriptors of what refers to a manifest; None if the registry keeps no such list itself."""
        target = self._target(repository)
        found: list[dict[str, Any]] = []
        rest: str | None = target.url(f"referrers/{subject}")
        for _ in range(_PAGES):
            if rest is None:
                return tuple(found)
            answer = self._connection.call(Request("GET", rest, {"Accept": INDEX_TYPE}, scopes=target.scopes))
            if answer.status in (404, 405, 501):
                return None
            if answer.status != 200:
                raise target.refusal(answer)
            found += _manifests(answer)
            rest = _next(answer)
        raise RegistryError("the list of referrers does not end", where=target.url(f"referrers/{subject}"))

    def _target(self, repository: str) -> Target:
        return Target(self._connection, repository, self._limits.habits)

    def _get(self, target: Target, rest: str, headers: dict[str, str]) -> Answer | None:
        answer = self._connection.call(Request("GET", target.url(rest), headers, scopes=target.scopes))
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise target.refusal(answer)
        return answer


def _check_content(answer: Answer, digest: Digest) -> None:
    served = digest_of(answer.body)
    if served != digest:
        raise VerificationError(
            f"the registry serves {served} as {digest}",
            where=answer.where,
            hint="a proxy or the registry's storage changes content; do not use what it serves",
        )


def _manifests(answer: Answer) -> list[dict[str, Any]]:
    """Some registries answer unknown addresses with 200 and something else."""
    try:
        return [dict(entry) for entry in json.loads(answer.body)["manifests"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError("the list of referrers is no image index", where=answer.where) from error


def _next(answer: Answer) -> str | None:
    """The next page: `Link: <...>; rel="next"` (RFC 8288), on the same registry."""
    link, _, relation = answer.headers.get("link", "").partition(";")
    if 'rel="next"' not in relation.replace(" ", ""):
        return None
    url = urljoin(answer.url, link.strip().strip("<>"))
    if urlsplit(url)[:2] != urlsplit(answer.url)[:2]:
        raise RegistryError("the list of referrers goes on at another registry", where=answer.where)
    return url
