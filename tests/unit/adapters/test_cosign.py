"""Signing by the cosign program, played by a script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from openhands_recipes.adapters.cosign import CosignSigner
from openhands_recipes.errors import OutsideError


def program(folder: Path, body: str) -> str:
    path = folder / "cosign"
    path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_cosign_is_handed_the_statement_and_its_bundle_is_taken_as_it_is(tmp_path: Path) -> None:
    body = '[ "$1 $2 $3 $5 $7" = "attest-blob --yes --statement --bundle --key" ] || exit 9\n'
    body += '(printf "bundle of "; cat "$4") > "$6"'
    signer = CosignSigner(program=program(tmp_path, body), options=["--key", "k"])
    assert signer.bundle(b"statement") == b"bundle of statement"
    assert signer.name == "cosign --key k"


def test_a_refusal_is_told_in_cosigns_words(tmp_path: Path) -> None:
    signer = CosignSigner(program=program(tmp_path, "echo 'Error: no identity token' >&2; exit 1"))
    with pytest.raises(OutsideError, match="no identity token") as caught:
        signer.bundle(b"statement")
    assert "id-token" in str(caught.value.hint)


def test_a_machine_without_cosign_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="not on PATH"):
        CosignSigner(program=str(tmp_path / "nowhere")).bundle(b"statement")


def test_signing_without_a_key_is_called_keyless() -> None:
    assert CosignSigner().name == "keyless"
