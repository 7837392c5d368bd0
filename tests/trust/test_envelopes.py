"""Envelopes: one signature, one purpose, one fleet, one set of bytes."""

from __future__ import annotations

import functools
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import ROOT_AUTHOR, issuer_author
from roosync_p2p.trust.envelopes import Verified, pae, parse_envelope, seal, verify
from tests.helpers.trust import ExampleFleet, accepted_or_documented, refused_with

_FLEET = ExampleFleet()
_MACHINE = "myia-po-2023"
_DIRECTORY = _FLEET.directory("myia-ai-01", _MACHINE)
_PAYLOAD = pack({"counter": 7})
_SIZE_MAX = 4096


def _sealed(**changed: object) -> bytes:
    """An envelope that verifies, but for what is changed before signing."""
    given: dict[str, object] = {
        "context": contexts.HEARTBEAT,
        "fleet": _FLEET.fleet,
        "author": _MACHINE,
        "payload": _PAYLOAD,
        **changed,
    }
    return seal(_FLEET.key(_MACHINE), **given)  # type: ignore[arg-type]  # one dictionary of differently typed values


def _tampered(data: bytes, **changed: object) -> bytes:
    """The envelope with fields replaced after signing."""
    value = unpack(data)
    assert isinstance(value, dict)
    return pack({**value, **changed})


def _verify(data: bytes, context: str = contexts.HEARTBEAT) -> Verified:
    return verify(data, context=context, directory=_DIRECTORY, size_max=_SIZE_MAX)


def test_what_a_member_sealed_is_verified_with_all_that_it_proves() -> None:
    data = _sealed()
    envelope = parse_envelope(data, size_max=_SIZE_MAX)
    assert _verify(data) == Verified(
        author=_MACHINE,
        context=contexts.HEARTBEAT,
        payload=_PAYLOAD,
        key_id=_FLEET.key(_MACHINE).key_id,
        directory_version=_DIRECTORY.version,
        digest=sha256(envelope.signed_bytes()),
        raw=data,
    )


def test_sealing_is_deterministic() -> None:
    assert _sealed() == _sealed()


def test_every_context_opens_only_itself() -> None:
    for signed, used in itertools.permutations(sorted(contexts.CONTEXTS), 2):
        data = _sealed(context=signed)
        _verify(data, signed)
        refused_with("wrong_context", functools.partial(_verify, data, used))
        # Nor does it help to write the other context over the signed one.
        refused_with("bad_signature", functools.partial(_verify, _tampered(data, c=used), used))


def test_an_envelope_of_another_fleet_is_refused_by_name() -> None:
    other = ExampleFleet("elsewhere")
    error = refused_with("wrong_fleet", lambda: _verify(_sealed(fleet=other.fleet)))
    assert error.details == {"fleet": other.fleet.hex(), "expected": _FLEET.fleet.hex()}


def test_a_stranger_is_unknown() -> None:
    refused_with("unknown_author", lambda: _verify(_sealed(author="myia-web1")))


def test_a_member_that_signs_as_another_is_refused() -> None:
    refused_with("unknown_key", lambda: _verify(_sealed(author="myia-ai-01")))
    # With the other's key id in it, it is the signature that does not fit.
    data = _tampered(_sealed(author="myia-ai-01"), k=bytes(_FLEET.key("myia-ai-01").key_id))
    refused_with("bad_signature", lambda: _verify(data))


def test_the_root_and_an_issuer_sign_under_their_own_names() -> None:
    issuer = issuer_author(MachineId(_MACHINE))
    by_root = seal(
        _FLEET.root_key, context=contexts.STATEMENT, fleet=_FLEET.fleet, author=ROOT_AUTHOR, payload=_PAYLOAD
    )
    by_issuer = seal(
        _FLEET.issuer_key, context=contexts.STATEMENT, fleet=_FLEET.fleet, author="issuer:myia-ai-01", payload=_PAYLOAD
    )
    assert _verify(by_root, contexts.STATEMENT).author == "root"
    assert _verify(by_issuer, contexts.STATEMENT).author == "issuer:myia-ai-01"
    assert issuer == "issuer:myia-po-2023"
    refused_with("unknown_author", lambda: _verify(_sealed(author=issuer)))
    refused_with("unknown_key", lambda: _verify(_sealed(author="issuer:myia-ai-01")))
    refused_with("unknown_key", lambda: _verify(_sealed(author=ROOT_AUTHOR)))


@pytest.mark.parametrize("field", ["a", "c", "f", "k", "p", "s"])
def test_a_missing_field_is_named(field: str) -> None:
    value = unpack(_sealed())
    assert isinstance(value, dict)
    del value[field]
    error = refused_with("bad_field", lambda: parse_envelope(pack(value), size_max=_SIZE_MAX))
    assert f"`{field}`" in error.message


@pytest.mark.parametrize(
    "changed",
    [
        {"a": ""},
        {"a": "x" * 65},
        {"a": b"bytes"},
        {"c": 1},
        {"f": bytes(31)},
        {"k": bytes(33)},
        {"p": "text"},
        {"s": bytes(63)},
        {"s": None},
        {"more": 1},
    ],
    ids=str,
)
def test_fields_of_another_form_are_refused(changed: dict[str, object]) -> None:
    refused_with("bad_field", lambda: parse_envelope(_tampered(_sealed(), **changed), size_max=_SIZE_MAX))


def test_an_envelope_larger_than_the_bound_is_refused_before_it_is_parsed() -> None:
    data = _sealed(payload=bytes(_SIZE_MAX))
    refused_with("oversized", lambda: _verify(data))
    refused_with("oversized", lambda: _verify(b"\xc1" * (_SIZE_MAX + 1)))


def test_another_encoding_of_the_same_envelope_is_refused() -> None:
    """Otherwise one signature would have many envelopes."""
    data = _sealed()
    assert data[:3] == b"\x86\xa1a"
    refused_with("not_canonical", lambda: _verify(b"\xde\x00\x06" + data[1:]))


def test_the_payload_is_signed_as_it_is_and_need_not_be_canonical_here() -> None:
    loose = b"\xcd\x00\x01"  # the number 1, longer than needed: its decoder will refuse it
    assert _verify(_sealed(payload=loose)).payload == loose


def test_the_digest_names_what_was_signed_and_nothing_else() -> None:
    digests = {
        _verify(_sealed()).digest,
        _verify(_sealed(payload=b"")).digest,
        _verify(_sealed(context=contexts.FLOOR), contexts.FLOOR).digest,
    }
    assert len(digests) == 3


def test_pae_begins_with_a_byte_that_nothing_else_we_sign_begins_with() -> None:
    encoded = pae([b"a"])
    assert encoded == b"\xff" + (1).to_bytes(8, "big") + (1).to_bytes(8, "big") + b"a"
    assert encoded[0] not in (0x20, 0x30)
    with pytest.raises(UnicodeDecodeError):
        encoded.decode()


_pieces = st.lists(st.binary(max_size=12), max_size=5)


@given(_pieces, _pieces)
def test_pae_is_injective(left: list[bytes], right: list[bytes]) -> None:
    """Invariant: equal encodings come from equal pieces."""
    assert (pae(left) == pae(right)) == (left == right)


@given(_pieces)
def test_pae_can_be_read_back(pieces: list[bytes]) -> None:
    """Invariant: a naive reader of the specification finds the very pieces."""
    encoded = pae(pieces)
    count = int.from_bytes(encoded[1:9], "big")
    lengths = [int.from_bytes(encoded[9 + 8 * i : 17 + 8 * i], "big") for i in range(count)]
    found, at = [], 9 + 8 * count
    for length in lengths:
        found.append(encoded[at : at + length])
        at += length
    assert found == pieces
    assert at == len(encoded)


@given(st.binary(max_size=400))
def test_any_bytes_are_an_envelope_or_a_documented_error(data: bytes) -> None:
    """Invariant: accepted, or a documented error."""
    accepted_or_documented(lambda: parse_envelope(data, size_max=_SIZE_MAX))
    accepted_or_documented(lambda: _verify(data))


@given(st.integers(0, len(_sealed()) * 8 - 1))
def test_an_envelope_with_one_flipped_bit_never_verifies(bit: int) -> None:
    """Invariant: no single bit of an envelope can be changed without a documented refusal."""
    data = bytearray(_sealed())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerFault):
        _verify(bytes(data))


@given(
    st.text(min_size=1, max_size=20),
    st.sampled_from(sorted(contexts.CONTEXTS)),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=64),
)
def test_whatever_is_sealed_parses_to_what_was_given(author: str, context: str, fleet: bytes, payload: bytes) -> None:
    """Invariant: sealing and parsing are inverse, and the bytes are canonical."""
    data = seal(_FLEET.root_key, context=context, fleet=FleetId(fleet), author=author, payload=payload)
    envelope = parse_envelope(data, size_max=_SIZE_MAX)
    assert (envelope.author, envelope.context, envelope.fleet, envelope.payload) == (author, context, fleet, payload)
    assert pack(msgspec.to_builtins(envelope, builtin_types=(bytes,))) == data
