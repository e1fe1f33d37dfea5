"""Key files of all kinds we read."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from nacl.secret import SecretBox

from openhands_recipes.adapters.keys import read_public_key, read_signing_key
from openhands_recipes.errors import UsageError
from tests.releases import key_file

MESSAGE = b"a message"


def cosign_file(folder: Path, password: str, *, memory: int = 1 << 12) -> tuple[Path, Path]:
    """A key as `cosign generate-key-pair` boxes it; integration tests read the program's own."""
    private, public = key_file(folder)
    key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    secret = hashlib.scrypt(password.encode(), salt=b"s" * 32, n=1 << 12, r=8, p=1, dklen=32)
    boxed = SecretBox(secret).encrypt(der, b"n" * 24)
    box = {
        "kdf": {"name": "scrypt", "params": {"N": memory, "r": 8, "p": 1}, "salt": _base64(b"s" * 32)},
        "cipher": {"name": "nacl/secretbox", "nonce": _base64(boxed.nonce)},
        "ciphertext": _base64(boxed.ciphertext),
    }
    label = "ENCRYPTED SIGSTORE PRIVATE KEY"
    body = _base64(json.dumps(box).encode())
    private.write_text(f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    return private, public


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def never() -> str:
    raise AssertionError("nobody should be asked for a password")


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_what_a_key_signs_its_public_half_verifies(tmp_path: Path, kind: str) -> None:
    private, public = key_file(tmp_path, kind=kind)
    signer, verifier = read_signing_key(private, password=never), read_public_key(public)
    signature = signer.sign(MESSAGE)
    assert verifier.verify(MESSAGE, signature)
    assert not verifier.verify(MESSAGE + b".", signature)
    assert not verifier.verify(MESSAGE, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not verifier.verify(MESSAGE, b"")
    assert signer.hint == verifier.hint == signer.public.hint
    assert signer.public.pem() == public.read_bytes()


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_signing_twice_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    key = read_signing_key(key_file(tmp_path, kind=kind)[0], password=never)
    assert key.sign(MESSAGE) == key.sign(MESSAGE)


def test_a_key_is_known_by_the_hash_of_its_public_half(tmp_path: Path) -> None:
    public = key_file(tmp_path)[1]
    der = base64.b64decode("".join(public.read_text().splitlines()[1:-1]))
    assert read_public_key(public).hint == base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_an_encrypted_key_opens_with_its_password_only(tmp_path: Path) -> None:
    private, public = key_file(tmp_path, password="secret")
    assert read_signing_key(private, password=lambda: "secret").hint == read_public_key(public).hint
    with pytest.raises(UsageError, match="cannot be read"):
        read_signing_key(private, password=lambda: "wrong")


def test_the_key_file_of_cosign_opens_with_its_password_only(tmp_path: Path) -> None:
    private, public = cosign_file(tmp_path, "secret")
    key = read_signing_key(private, password=lambda: "secret")
    assert read_public_key(public).verify(MESSAGE, key.sign(MESSAGE))
    with pytest.raises(UsageError, match="wrong password"):
        read_signing_key(private, password=lambda: "")


def test_a_key_file_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    private, _ = cosign_file(tmp_path, "secret", memory=1 << 30)
    with pytest.raises(UsageError, match="256 MiB"):
        read_signing_key(private, password=lambda: "secret")


def test_keys_as_openssl_writes_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ec.key"
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path],
        check=True,
        capture_output=True,
    )
    key = read_signing_key(path, password=never)
    assert key.public.verify(MESSAGE, key.sign(MESSAGE))


@pytest.mark.parametrize("algorithm", [["RSA"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]])
def test_keys_of_other_kinds_are_refused(tmp_path: Path, algorithm: list[str]) -> None:
    private, public = tmp_path / "key", tmp_path / "pub"
    command = ["openssl", "genpkey", "-algorithm", *algorithm, "-out", str(private)]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(
        ["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True
    )
    with pytest.raises(UsageError, match="another kind"):
        read_signing_key(private, password=never)
    with pytest.raises(UsageError, match="another kind"):
        read_public_key(public)


@pytest.mark.parametrize(
    "content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_key_is_refused_with_its_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    for read in (lambda: read_signing_key(path, password=never), lambda: read_public_key(path)):
        with pytest.raises(UsageError) as caught:
            read()
        assert caught.value.where == str(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_public_key(tmp_path / "nowhere")
    assert caught.value.where == str(tmp_path / "nowhere")
