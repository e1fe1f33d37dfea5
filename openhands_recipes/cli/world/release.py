"""Releasing and withdrawing: the ledger, keys, where a build comes from."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openhands_recipes.cli.world.build import BuildDoors
from openhands_recipes.errors import UsageError

if TYPE_CHECKING:
    from openhands_recipes.flows.candidate import Licenses
    from openhands_recipes.model.reference import RegistryAddress
    from openhands_recipes.ports.artifacts import ArtifactRegistry
    from openhands_recipes.ports.ledger import Ledger
    from openhands_recipes.ports.signer import PublicKey, Signer
    from openhands_recipes.publish.provenance import Origin

BRANCH = "ledger"
PASSWORDS = ("OHR_KEY_PASSWORD", "COSIGN_PASSWORD")


class ReleaseDoors(BuildDoors):
    """Everything between an image and a release."""

    def ledger(self, place: str | None) -> Ledger:
        """The ledger at `REPOSITORY[#BRANCH]`; None: the branch `ledger` of where the recipes come from.

        Raises:
            UsageError: nothing is named, and the recipes are not under Git.
        """
        from openhands_recipes.adapters.git_ledger import GitLedger
        from openhands_recipes.adapters.git_source import default_ledger
        from openhands_recipes.publish.verify import unverified_change

        repository, _, branch = (place or "").partition("#")
        repository = repository or default_ledger(self.settings.root)
        if not repository:
            raise UsageError(
                "no ledger is named, and the recipes are not in a Git repository",
                hint="add --ledger REPOSITORY[#BRANCH]",
            )
        if Path(repository).exists():
            repository = str(Path(repository).resolve())
        return GitLedger(
            repository,
            branch or BRANCH,
            cache=self.cache.folder("ledgers"),
            clock=self.clock,
            read_change=unverified_change,
        )

    def artifacts(
        self, address: RegistryAddress, *, plain_http: bool
    ) -> AbstractContextManager[ArtifactRegistry]:
        """An OCI registry, manifest by manifest, open as long as the context."""
        from openhands_recipes.adapters.registry.artifacts import OciArtifacts
        from openhands_recipes.adapters.registry.credentials import CredentialStore

        known = CredentialStore(environment=os.environ, home=Path.home())
        return OciArtifacts(address, plain_http=plain_http, credentials=known.find)

    def signer(self, key: Path | None, *, keyless: bool) -> Signer:
        """Whoever signs: a key file, or cosign with an identity of the surroundings.

        Raises:
            UsageError: neither or both are asked for, or the key cannot be read.
        """
        if (key is None) == (not keyless):
            raise UsageError(
                "a release must be signed" if key is None else "--key and --keyless exclude each other",
                hint="name a key file with --key, or use --keyless where the surroundings give an identity",
            )
        if key is None:
            from openhands_recipes.adapters.cosign import CosignSigner

            return CosignSigner()
        from openhands_recipes.adapters.keys import read_signing_key
        from openhands_recipes.flows.release_signer import KeySigner

        return KeySigner(read_signing_key(key, password=lambda: _password(os.environ)))

    def public_key(self, path: Path) -> PublicKey:
        """A key whose signatures are believed."""
        from openhands_recipes.adapters.keys import read_public_key

        return read_public_key(path)

    def public_keys_of(self, signer: Signer) -> tuple[PublicKey, ...]:
        """The public half of a signer's key; nothing for one who is known by a certificate."""
        from openhands_recipes.adapters.keys import FileSigningKey
        from openhands_recipes.flows.release_signer import KeySigner

        key = signer.key if isinstance(signer, KeySigner) else None
        return (key.public,) if isinstance(key, FileSigningKey) else ()

    def origin(self) -> Origin:
        """Where the recipes come from and who builds: Git, and what GitHub Actions says of itself."""
        from openhands_recipes.adapters.git_source import commit_of
        from openhands_recipes.publish.provenance import Origin

        told = os.environ
        server, repository = told.get("GITHUB_SERVER_URL", ""), told.get("GITHUB_REPOSITORY", "")
        address = f"{server}/{repository}" if server and repository else ""
        workflow, run = told.get("GITHUB_WORKFLOW_REF", ""), told.get("GITHUB_RUN_ID", "")
        attempt = told.get("GITHUB_RUN_ATTEMPT", "1")
        return Origin(
            commit=commit_of(self.settings.root),
            repository=address,
            builder=f"{server}/{workflow}" if server and workflow else "",
            run=f"{address}/actions/runs/{run}/attempts/{attempt}" if address and run else "",
        )

    def actor(self, named: str | None) -> int | str | None:
        """Who acts: as named, else as GitHub Actions says; a number is GitHub's user id."""
        text = named or os.environ.get("GITHUB_ACTOR_ID") or None
        return int(text) if text and text.isdigit() else text

    def part_licenses(self) -> Licenses:
        """What the files of parts declare, as far as they are in the cache."""
        from openhands_recipes.adapters.part_licenses import declared_licenses

        return lambda parts: declared_licenses(((p.sha256, p.file) for p in parts), self.blobs.path)


def _password(environment: Mapping[str, str]) -> str:
    for name in PASSWORDS:
        if name in environment:
            return environment[name]
    if not sys.stdin.isatty():
        raise UsageError("the key is encrypted", hint=f"set {PASSWORDS[0]}")
    return str(click.prompt("Password of the key", hide_input=True, err=True))
