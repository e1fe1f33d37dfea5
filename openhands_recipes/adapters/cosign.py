"""Keyless signatures, by the `cosign` program: an identity token of the surroundings, Fulcio, Rekor.

Those services and the token exchange are cosign's own; we hand it statements and take its bundles. With
`options` it signs with whatever else it knows: hardware keys, key management services.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from openhands_recipes.errors import OutsideError

_TIMEOUT = 300.0


class CosignSigner:
    """`ports.Signer` over `cosign attest-blob` (version 3 or later)."""

    def __init__(self, *, program: str = "cosign", options: Sequence[str] = ()) -> None:
        self._program = program
        self._options = tuple(options)

    @property
    def name(self) -> str:
        """How people call it."""
        return "cosign " + " ".join(self._options) if self._options else "keyless"

    def bundle(self, statement: bytes) -> bytes:
        """A sigstore bundle over an in-toto statement.

        Raises:
            OutsideError: there is no cosign, or it or its services refused.
        """
        with tempfile.TemporaryDirectory(prefix="ohr-cosign-") as folder:
            source, target = Path(folder, "statement.json"), Path(folder, "bundle.json")
            source.write_bytes(statement)
            self._run("attest-blob", "--yes", "--statement", str(source), "--bundle", str(target))
            return target.read_bytes()

    def _run(self, *arguments: str) -> None:
        command = [self._program, *arguments, *self._options]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT)
        except FileNotFoundError as error:
            raise OutsideError(
                "signing without a key needs cosign 3, which is not on PATH",
                hint="install it, or name a key file with --key",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise OutsideError(f"cosign did not answer within {_TIMEOUT:.0f} s") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise OutsideError(
                f"cosign refused to sign: {said[-1] if said else f'exit code {done.returncode}'}",
                hint="keyless signing needs an identity token (GitHub Actions: `id-token: write`)",
            )
