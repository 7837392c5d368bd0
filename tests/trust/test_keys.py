"""Keys: names, signatures, files, and what they never show."""

from __future__ import annotations

import copy
import pickle
import subprocess
from pathlib import Path
from shutil import which

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519

from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import MalformedError, SignatureFault
from roosync_p2p.trust.keys import PublicKey, SigningKey
from tests.helpers.trust import key_from, refused_with

# RFC 8032 §7.1, test 2.
_RFC_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
_RFC_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
_RFC_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_signing_is_that_of_rfc_8032() -> None:
    key = SigningKey(_RFC_SEED)
    assert key.public.raw == _RFC_PUBLIC
    assert key.sign(b"\x72") == _RFC_SIGNATURE
    PublicKey.from_raw(_RFC_PUBLIC).verify(_RFC_SIGNATURE, b"\x72")


def test_a_key_id_is_the_hash_of_the_public_key_info_that_the_library_writes() -> None:
    key = key_from("machine")
    spki = key.private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert key.public.spki == spki
    assert key.key_id == sha256(spki)
    assert PublicKey.from_spki(spki) == key.public


@pytest.mark.parametrize("message", [b"", b"\x73", b"\x72\x00"])
def test_a_signature_over_other_bytes_is_refused(message: bytes) -> None:
    with pytest.raises(SignatureFault):
        PublicKey(_RFC_PUBLIC).verify(_RFC_SIGNATURE, message)


@pytest.mark.parametrize("signature", [b"", _RFC_SIGNATURE[:-1], _RFC_SIGNATURE + b"\0", bytes(64), b"\xff" * 64])
def test_bytes_that_are_no_signature_are_refused(signature: bytes) -> None:
    refused_with("bad_signature", lambda: PublicKey(_RFC_PUBLIC).verify(signature, b"\x72"))


def test_the_second_form_of_a_signature_is_refused() -> None:
    """RFC 8032 §5.1.7: s + L would verify too if the range were not checked."""
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(_RFC_SIGNATURE[32:], "little") + order
    refused_with(
        "bad_signature",
        lambda: PublicKey(_RFC_PUBLIC).verify(_RFC_SIGNATURE[:32] + s.to_bytes(32, "little"), b"\x72"),
    )


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_another_length_are_refused(size: int) -> None:
    refused_with("bad_public_key", lambda: PublicKey(bytes(size)))
    refused_with("bad_public_key", lambda: PublicKey.from_spki(key_from("a").public.spki[:12] + bytes(size)))
    refused_with("bad_private_key", lambda: SigningKey(bytes(size)))


def test_the_public_key_info_of_another_algorithm_is_refused() -> None:
    spki = (
        x25519.X25519PrivateKey.from_private_bytes(bytes(32))
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    refused_with("bad_public_key", lambda: PublicKey.from_spki(spki))


@pytest.mark.parametrize("password", [None, b"correct horse battery staple"])
def test_a_key_survives_its_file(password: bytes | None) -> None:
    key = key_from("root")
    assert SigningKey.from_pem(key.to_pem(password), password).public == key.public


def test_an_encrypted_key_names_what_is_wrong_with_its_passphrase() -> None:
    pem = key_from("root").to_pem(b"right")
    refused_with("passphrase_needed", lambda: SigningKey.from_pem(pem))
    refused_with("passphrase_needed", lambda: SigningKey.from_pem(pem, b""))
    refused_with("wrong_passphrase", lambda: SigningKey.from_pem(pem, b"wrong"))


def test_a_passphrase_for_an_open_key_is_not_needed_and_does_no_harm() -> None:
    key = key_from("machine")
    assert SigningKey.from_pem(key.to_pem(None), b"anything").public == key.public


def test_files_that_hold_no_ed25519_key_are_refused() -> None:
    other = x25519.X25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    refused_with("wrong_key_type", lambda: SigningKey.from_pem(other))
    refused_with("bad_key_file", lambda: SigningKey.from_pem(b""))
    refused_with("bad_key_file", lambda: SigningKey.from_pem(key_from("a").to_pem(None)[:-40]))
    refused_with("oversized", lambda: SigningKey.from_pem(bytes(5000)))


@pytest.mark.skipif(which("openssl") is None, reason="no openssl program here")
def test_openssl_reads_the_encrypted_key(tmp_path: Path) -> None:
    (tmp_path / "root.key").write_bytes(key_from("root").to_pem(b"pw"))
    command = ["openssl", "pkey", "-in", str(tmp_path / "root.key"), "-passin", "pass:pw", "-pubout", "-outform", "DER"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == key_from("root").public.spki


def test_nothing_that_is_printed_holds_the_secret() -> None:
    key = SigningKey(_RFC_SEED)
    with pytest.raises(MalformedError) as caught:
        SigningKey(_RFC_SEED[:-1])
    for text in (repr(key), str(key), f"{[key]}", str(caught.value), repr(caught.value.diagnostics())):
        assert _RFC_SEED.hex()[:8] not in text
        assert repr(_RFC_SEED)[2:10] not in text


def test_a_private_key_is_neither_pickled_nor_copied() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(key_from("machine"))
    with pytest.raises(TypeError):
        copy.copy(key_from("machine"))


def test_a_public_key_is_a_value() -> None:
    key = key_from("a").public
    assert key == PublicKey(key.raw)
    assert hash(key) == hash(PublicKey(key.raw))
    assert key != key_from("b").public
    assert key != key.raw
    with pytest.raises(AttributeError):
        key.raw = bytes(32)
    with pytest.raises(AttributeError):
        key._key = None
