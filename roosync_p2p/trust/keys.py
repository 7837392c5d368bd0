"""Ed25519 keys, and their names (docs/protocol/trust.md §1).

A key is named by its **key id**, the SHA-256 of its SubjectPublicKeyInfo, never by a certificate's serial number: a
renewed certificate is the same key. Signing is deterministic, and a :class:`SigningKey` is made from a seed, so this
module draws no randomness; the adapter that makes a key does.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import MalformedError, SignatureFault
from roosync_p2p.ids import KeyId

__all__ = ["PUBLIC_KEY_BYTES", "SEED_BYTES", "SIGNATURE_BYTES", "PublicKey", "SigningKey"]

PUBLIC_KEY_BYTES: Final = 32  # RFC 8032 §5.1.5
SEED_BYTES: Final = 32  # RFC 8032 §5.1.5
SIGNATURE_BYTES: Final = 64  # RFC 8032 §5.1.6

# RFC 8410 §4: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING }. One key has exactly one such encoding, so key
# ids can be compared as bytes.
_SPKI_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")


class PublicKey:
    """An Ed25519 public key. Immutable; equal by its bytes.

    Attributes:
        raw: the 32 bytes of the key.
        spki: its DER SubjectPublicKeyInfo.
        key_id: SHA-256 of ``spki``.
    """

    __slots__ = ("_key", "key_id", "raw", "spki")

    raw: bytes
    spki: bytes
    key_id: KeyId

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_KEY_BYTES:
            raise MalformedError(f"an Ed25519 public key has 32 bytes, not {len(raw)}", code="bad_public_key")
        spki = _SPKI_PREFIX + raw
        for name, value in (
            ("raw", raw),
            ("spki", spki),
            ("key_id", KeyId(sha256(spki))),
            ("_key", Ed25519PublicKey.from_public_bytes(raw)),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_raw(cls, raw: bytes) -> PublicKey:
        """The key in its 32 bytes.

        Raises:
            MalformedError: of another length (code ``bad_public_key``).
        """
        return cls(raw)

    @classmethod
    def from_spki(cls, spki: bytes) -> PublicKey:
        """The key in a DER SubjectPublicKeyInfo.

        Raises:
            MalformedError: not that of an Ed25519 key (code ``bad_public_key``).
        """
        if not spki.startswith(_SPKI_PREFIX):
            raise MalformedError("not the SubjectPublicKeyInfo of an Ed25519 key", code="bad_public_key")
        return cls(spki[len(_SPKI_PREFIX) :])

    def verify(self, signature: bytes, message: bytes) -> None:
        """Returns if the signature is this key's over exactly these bytes.

        Raises:
            SignatureFault: it is not (code ``bad_signature``).
        """
        key: Ed25519PublicKey = self._key  # type: ignore[attr-defined]  # set in __init__, behind __setattr__
        try:
            key.verify(signature, message)
        except InvalidSignature as error:
            raise SignatureFault(
                "the signature does not fit the bytes and the key", details={"key": self.key_id.hex()}
            ) from error

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a public key is immutable: {name}")

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, PublicKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"PublicKey(key_id={self.key_id.hex()[:16]})"


class SigningKey:
    """An Ed25519 private key. Nothing that it prints, and no error about it, holds the secret.

    Args:
        seed: the 32 secret bytes, from the operating system's generator (a simulation takes them from its seed).
    """

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise MalformedError(f"an Ed25519 seed has 32 bytes, not {len(seed)}", code="bad_private_key")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    @property
    def key_id(self) -> KeyId:
        """The key id of the public half."""
        return self.public.key_id

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The library's object, for certificates; never for anything that is sent."""
        return self._key

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032). The caller passes a pre-authentication encoding, never bytes that a peer chose."""
        return self._key.sign(message)

    def to_pem(self, password: bytes | None) -> bytes:
        """PKCS#8 PEM, encrypted if a password is given; then the library draws a salt, so never inside the core."""
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None = None) -> SigningKey:
        """The key in a PKCS#8 PEM; a password for a key that is not encrypted is ignored.

        Raises:
            MalformedError: not a key (``bad_key_file``), not Ed25519 (``wrong_key_type``), encrypted and no password
                given (``passphrase_needed``), or one that does not open it (``wrong_passphrase``).
        """
        encrypted = _is_encrypted(pem)
        if encrypted and not password:
            raise MalformedError("the key is encrypted and no passphrase was given", code="passphrase_needed")
        try:
            key = serialization.load_pem_private_key(pem, password if encrypted else None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            # The library does not tell a wrong passphrase from damaged ciphertext, and says neither here.
            if encrypted:
                raise MalformedError(
                    "the passphrase does not open the key, or the file is damaged", code="wrong_passphrase"
                ) from None
            raise MalformedError("not a PKCS#8 private key in PEM form", code="bad_key_file") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise MalformedError("the private key is not an Ed25519 key", code="wrong_key_type")
        return cls(key.private_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id.hex()[:16]})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not copied or pickled")


def _is_encrypted(pem: bytes) -> bool:
    if len(pem) > limits.KEY_FILE_BYTES_MAX:
        raise MalformedError(f"{len(pem)} bytes are no private key", code="oversized")
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem
