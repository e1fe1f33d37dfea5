"""What a composed recipe may do, as one digest: equal digests, equal rights."""

from __future__ import annotations

from typing import Any

from openhands_recipes.model.digest import Digest, canonical_json, digest_of_json
from openhands_recipes.model.recipe import Permissions


def permissions_document(permissions: Permissions) -> dict[str, Any]:
    """Permissions in their one canonical form: sorted, without repetition, groups before hosts."""
    egress = permissions.network.egress
    rules: dict[str, set[int]] = {}
    for entry in egress:
        if not isinstance(entry, str):
            rules.setdefault(entry.host, set()).update(entry.ports)
    return {
        "schema": 1,
        "network": {
            "groups": sorted({entry for entry in egress if isinstance(entry, str)}),
            "hosts": {host: sorted(ports) for host, ports in sorted(rules.items())},
        },
        "devices": sorted(set(permissions.devices)),
        "privileges": sorted(set(permissions.privileges)),
    }


def permissions_digest(permissions: Permissions) -> Digest:
    """The digest a release's record carries."""
    return digest_of_json(permissions_document(permissions))


def permissions_text(permissions: Permissions) -> bytes:
    """The bytes that are hashed."""
    return canonical_json(permissions_document(permissions))
