"""The frozen sealed message opens, with this program and by RFC 9180 from its parts."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roosync_p2p.adapters.sealing import can_seal, open_text
from roosync_p2p.codec.records import encode
from roosync_p2p.ids import MachineId
from roosync_p2p.mailbox.sealed import decode_box
from tests.vectors.record_sealed_message import PRIVATE, READERS, VECTOR, info, text

FROZEN = json.loads(VECTOR.read_text(encoding="utf-8"))


def test_what_is_sealed_and_what_it_is_bound_to_has_not_changed() -> None:
    assert encode(text()).hex() == FROZEN["text"]
    assert info().hex() == FROZEN["info"]


@pytest.mark.skipif(not can_seal(), reason="cryptography has no HPKE before version 47")
@pytest.mark.parametrize("machine", READERS)
def test_each_reader_opens_it(machine: MachineId) -> None:
    private = X25519PrivateKey.from_private_bytes(PRIVATE[machine])
    box = decode_box(bytes.fromhex(FROZEN["box"]))
    found = open_text(
        box, machine, lambda public: private if public.hex() == FROZEN["public"][machine] else None, info=info()
    )
    assert found == text()


@pytest.mark.parametrize("machine", READERS)
def test_it_is_hpke_as_the_rfc_has_it(machine: MachineId) -> None:
    box = decode_box(bytes.fromhex(FROZEN["box"]))
    (mine,) = (key for key in box.keys if key.machine == machine)
    content_key = hpke_open(PRIVATE[machine], mine.wrapped, info())
    assert AESGCM(content_key).decrypt(bytes(12), box.text, info()) == encode(text())


def hpke_open(private: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180 §4.1, §5.1, §6.1)."""
    encapsulated, ciphertext = sealed[:32], sealed[32:]
    key = X25519PrivateKey.from_private_bytes(private)
    kem = b"KEM" + (0x0020).to_bytes(2, "big")
    eae = extract(b"", b"HPKE-v1" + kem + b"eae_prk" + key.exchange(X25519PublicKey.from_public_bytes(encapsulated)))
    shared = expand(eae, kem, b"shared_secret", encapsulated + key.public_key().public_bytes_raw(), 32)
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0002))
    context = (
        b"\0"
        + extract(b"", b"HPKE-v1" + suite + b"psk_id_hash")
        + extract(b"", b"HPKE-v1" + suite + b"info_hash" + bound_to)
    )
    secret = extract(shared, b"HPKE-v1" + suite + b"secret")
    nonce = expand(secret, suite, b"base_nonce", context, 12)
    return AESGCM(expand(secret, suite, b"key", context, 32)).decrypt(nonce, ciphertext, b"")


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract (RFC 5869)."""
    return hmac.digest(salt or bytes(32), material, hashlib.sha256)


def expand(secret: bytes, suite: bytes, label: bytes, more: bytes, length: int) -> bytes:
    """LabeledExpand, of one block."""
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + more
    return hmac.digest(secret, labeled + b"\x01", hashlib.sha256)[:length]
