"""Clear-signed files, checked against keys we ship: `openhands_recipes/keys/debian/<FINGERPRINT>.asc`.

The shipped keys alone decide; a keyring of this machine is never asked. Cryptography is Sequoia's
(pysequoia), with its standard policy: expired and revoked keys and weak hashes do not count.

It does not know what the signed text means, nor how old it may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

import pysequoia
from pysequoia.packet import PacketPile

from openhands_recipes.errors import VerificationError

BEGIN_MESSAGE = b"-----BEGIN PGP SIGNED MESSAGE-----"
BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
END_SIGNATURE = b"-----END PGP SIGNATURE-----"
HASH_HEADER = re.compile(rb"Hash: [A-Za-z0-9, -]+")


class UnknownSignerError(VerificationError):
    """Whoever signed this is none of ours: it is another archive, or a forgery."""


@dataclass(frozen=True)
class Signed:
    """The text under a good signature, and the primary keys that vouch for it."""

    content: bytes
    signers: tuple[str, ...]


@dataclass(frozen=True)
class _Key:
    certificate: pysequoia.Cert
    fingerprints: frozenset[str]
    """Of the primary key and all its subkeys, lower-case hexadecimal."""
    user_id: str


class Keyring:
    """A fixed set of public keys."""

    def __init__(self, armored: Iterable[bytes]) -> None:
        self._keys = tuple(key for text in armored for key in _keys_in(text))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The primary keys, upper-case, sorted."""
        return tuple(sorted(key.certificate.fingerprint.upper() for key in self._keys))

    def knows(self, fingerprint: str) -> bool:
        """Whether a fingerprint, or the key id at its end, is one of ours."""
        wanted = fingerprint.lower()
        return any(known.endswith(wanted) for key in self._keys for known in key.fingerprints)

    def shares_key_with(self, keyring: bytes) -> bool:
        """Whether a keyring file, binary or armored, holds one of our keys."""
        return any(self.knows(key.certificate.fingerprint) for key in _keys_in(keyring))

    def verify(self, content: bytes, *, where: str) -> Signed:
        """The text of a clear-signed file, if at least one of our keys signed it.

        Only the signed text is returned, and anything outside it is refused.

        Raises:
            UnknownSignerError: it is signed, but by none of our keys.
            VerificationError: unsigned, framed wrongly, changed, or signed by an expired or revoked key.
        """
        _check_framing(content, where)
        issuers: list[str] = []

        def our_keys(asked: list[str]) -> list[pysequoia.Cert]:
            issuers.extend(asked)
            return [key.certificate for key in self._keys]

        try:
            result = pysequoia.verify(bytes=content, store=our_keys)
        except Exception as error:  # anyhow errors of Rust arrive as several unrelated classes
            raise self._refusal(issuers, _first_line(error), where) from error
        if result.bytes is None or not result.valid_sigs:
            raise self._refusal(issuers, "no valid signature", where)
        return Signed(result.bytes, tuple(signature.certificate.upper() for signature in result.valid_sigs))

    def _refusal(self, issuers: list[str], reason: str, where: str) -> VerificationError:
        """Why a well-framed file is not trusted."""
        names = ", ".join(issuer.upper() for issuer in issuers) or "nobody"
        ours = [key for key in self._keys if any(_is_key(issuer, key) for issuer in issuers)]
        if issuers and not ours:
            return UnknownSignerError(
                f"signed by unknown keys: {names}",
                where=where,
                hint="this is not Debian's archive, or its keys are newer than this version of ohr",
            )
        dead = [text for key in ours if (text := _state(key))]
        if dead:
            return VerificationError(
                f"signed by keys that are no longer valid: {'; '.join(dead)}",
                where=where,
                hint="a newer version of ohr brings newer keys",
            )
        return VerificationError(
            f"the signature is not valid ({reason})",
            where=where,
            hint="the file was changed on its way or at the mirror: use another mirror",
        )


def debian_keys() -> Keyring:
    """The keys that sign Debian's archive, as shipped with this package."""
    folder = resources.files("openhands_recipes").joinpath("keys", "debian")
    return Keyring(file.read_bytes() for file in folder.iterdir() if file.name.endswith(".asc"))


def _check_framing(content: bytes, where: str) -> None:
    """Exactly one clear-signed message, nothing before or after it (RFC 9580, section 7).

    Readers that look at the whole file must not see text that nobody signed.
    """
    lines = [line.rstrip(b"\r") for line in content.rstrip().split(b"\n")]
    if BEGIN_MESSAGE not in lines or BEGIN_SIGNATURE not in lines:
        raise VerificationError(
            "not signed", where=where, hint="a mirror must offer the signed InRelease file"
        )
    if lines[0] != BEGIN_MESSAGE or lines.count(BEGIN_MESSAGE) > 1:
        raise VerificationError("there is text before the signed part", where=where)
    if lines[-1] != END_SIGNATURE or lines.count(BEGIN_SIGNATURE) > 1 or lines.count(END_SIGNATURE) > 1:
        raise VerificationError("there is text after the signed part", where=where)
    headers = lines[1 : lines.index(b"")] if b"" in lines else lines[1:]
    if not all(HASH_HEADER.fullmatch(header) for header in headers):
        raise VerificationError("there is unsigned text in the header of the signed part", where=where)


def _keys_in(keyring: bytes) -> list[_Key]:
    """All keys of a keyring, each with the fingerprints that may sign in its name.

    Raises:
        VerificationError: the bytes are no keyring.
    """
    try:
        certificates = pysequoia.Cert.split_bytes(keyring)
        keys = []
        for certificate in certificates:
            packets = list(PacketPile.from_bytes(bytes(certificate)))
            fingerprints = frozenset(packet.fingerprint for packet in packets if packet.fingerprint)
            user_id = next((packet.user_id for packet in packets if packet.user_id), "")
            keys.append(_Key(certificate, fingerprints, user_id))
    except Exception as error:  # as above
        raise VerificationError(f"not an OpenPGP keyring ({_first_line(error)})") from error
    return keys


def _is_key(issuer: str, key: _Key) -> bool:
    """Whether an issuer, a fingerprint or a 16-digit key id, is this key or a subkey of it."""
    return any(known.endswith(issuer.lower()) for known in key.fingerprints)


def _state(key: _Key) -> str:
    """Why a key does not count today; empty when it does."""
    name = f"{key.certificate.fingerprint.upper()} {key.user_id}".strip()
    try:
        if key.certificate.is_revoked:
            return f"{name} is revoked"
        expires = key.certificate.expiration
    except RuntimeError as error:
        return f"{name} is not acceptable ({_first_line(error)})"
    if expires is not None and expires <= datetime.now(UTC):
        return f"{name} expired on {expires:%Y-%m-%d}"
    return ""


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
