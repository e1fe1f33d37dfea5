"""Locks whose packages are called whatever a test wants."""

from __future__ import annotations

from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.model.digest import digest_of_json
from openhands_recipes.model.lock import Deb, DebianInputs, Lock, PlatformLock
from openhands_recipes.publish.gate.case import LockFacts

DIGEST = digest_of_json("nothing")


def lock(*names: str, version: str = "1.0-1") -> LockFacts:
    """A lock of some .debs; their names may be anything."""
    debs = tuple(
        Deb(
            name=name, version=version, architecture="amd64", suite="trixie", path="pool/x.deb", size=1000,
            installed_size=2000, source=name, sha256=digest_of_json([name, version]).partition(":")[2],
        )
        for name in names
    )  # fmt: skip
    return LockFacts(
        Lock(
            recipe="tool", version="1.0.0", recipe_digest=DIGEST, inputs={}, parents=(),
            rules=current_rules(),
            debian=DebianInputs(suites=("trixie",), release_date="2026-11-22T02:09:05Z", release=DIGEST),
            platforms={"linux/amd64": PlatformLock(debs=debs)},
        )
    )  # fmt: skip
