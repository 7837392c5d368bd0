"""How chains begin, and what a new life of a store must show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entries.incarnations import (
    ChainStart,
    Known,
    Renewal,
    check_renewal,
    countersign,
    open_countersignature,
    read_chain_start,
    vouched_by,
)
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import ROOT_AUTHOR, issuer_author
from roosync_p2p.trust.envelopes import seal
from tests.helpers.cores import A, Actor, B, C, directory, identity, keys
from tests.helpers.trust import refused_with

_STORE = b"n" * 16


def _known(actor: Actor, sequence: int) -> Known:
    entry = actor.chains[MAIL][sequence - 1]
    return Known(incarnation=actor.incarnation, sequence=sequence, id=entry.id)


def _renewal(**changes: Any) -> Renewal:
    lost = Actor(B)
    lost.mail(3)
    renewal = Renewal(machine=B, incarnation=2, store=_STORE, ledger=None, mail=_known(lost, 3))
    return msgspec.structs.replace(renewal, **changes)


def _countersigned(renewal: Renewal) -> bytes:
    issuer = identity(A)
    assert issuer.issuer_key is not None
    return countersign(issuer.issuer_key, author=issuer_author(A), fleet=issuer.fleet, renewal=renewal)


def _begun(renewal: Renewal, *, envelope: bytes | None = None, **changes: Any) -> Entry:
    """The first mail entry of that life; the changes are lies."""
    actor = Actor(B, incarnation=renewal.incarnation, store=renewal.store)
    body = ChainStart(
        leaf=actor.identity.leaf,
        issuer=actor.identity.issuer,
        store=renewal.store,
        previous=renewal.mail,
        countersignature=_countersigned(renewal) if envelope is None else envelope,
    )
    return actor.write("chain.start", encode(msgspec.structs.replace(body, **changes)))


def _refused(code: str, entry: Entry) -> None:
    refused_with(code, lambda: read_chain_start(entry, directory(A, B, C)))


def test_the_first_incarnation_needs_its_certificates_alone() -> None:
    start = read_chain_start(Actor(B).begin(), directory(B))
    assert (start.leaf, start.store, start.previous) == (identity(B).leaf, b"s" * 16, None)


def test_a_first_entry_without_its_body_cannot_be_judged() -> None:
    entry = Actor(B).begin()
    refused = Entry(header=entry.header, id=entry.id, raw=entry.raw, body=None)
    _refused("body_missing", refused)


def test_a_first_incarnation_follows_nothing() -> None:
    actor = Actor(B)
    actor.mail(1)
    _refused("bad_incarnation", Actor(B).begin(previous=_known(actor, 1)))


def test_a_first_incarnation_carries_no_countersignature() -> None:
    _refused("bad_incarnation", Actor(B).begin(countersignature=_countersigned(_renewal())))


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_store_id_has_sixteen_bytes(size: int) -> None:
    _refused("bad_field", Actor(B, store=bytes(size)).begin())


def test_a_later_incarnation_with_an_issuers_countersignature_begins() -> None:
    renewal = _renewal()
    start = read_chain_start(_begun(renewal), directory(A, B))
    assert (start.store, start.previous) == (_STORE, renewal.mail)


def test_a_later_incarnation_with_the_roots_countersignature_begins() -> None:
    renewal = _renewal()
    entry = _begun(renewal, envelope=keys().root_countersignature(renewal))
    assert read_chain_start(entry, directory(A, B)).store == _STORE


def test_a_later_incarnation_without_a_countersignature_is_refused() -> None:
    _refused("not_countersigned", Actor(B, incarnation=2).begin())


def test_a_countersignature_for_another_machine_is_refused() -> None:
    _refused("not_countersigned", _begun(_renewal(), envelope=_countersigned(_renewal(machine=C))))


def test_a_countersignature_for_another_store_is_refused() -> None:
    _refused("not_countersigned", _begun(_renewal(), store=b"o" * 16))


def test_a_countersignature_for_another_incarnation_is_refused() -> None:
    _refused("not_countersigned", _begun(_renewal(incarnation=3), envelope=_countersigned(_renewal())))


def test_a_countersignature_for_another_end_is_refused() -> None:
    other = Known(incarnation=1, sequence=2, id=bytes(32))
    _refused("not_countersigned", _begun(_renewal(), previous=other))


def test_a_countersignature_for_the_other_chain_is_refused() -> None:
    renewal = _renewal()
    swapped = _renewal(ledger=renewal.mail, mail=None)
    _refused("not_countersigned", _begun(renewal, envelope=_countersigned(swapped)))


def test_a_tampered_countersignature_is_refused() -> None:
    envelope = bytearray(_countersigned(_renewal()))
    envelope[-1] ^= 1
    refused_with("bad_signature", lambda: open_countersignature(bytes(envelope), directory(A, B)))


def test_a_machines_own_issuer_key_does_not_countersign_for_it() -> None:
    refused_with("not_an_issuer", lambda: open_countersignature(_countersigned(_renewal(machine=A)), directory(A, B)))


def test_a_plain_machine_key_does_not_countersign() -> None:
    own = identity(C)
    envelope = countersign(own.key, author=C, fleet=own.fleet, renewal=_renewal())
    refused_with("not_an_issuer", lambda: open_countersignature(envelope, directory(A, B, C)))


def test_what_an_issuer_signed_for_another_purpose_is_no_countersignature() -> None:
    issuer = identity(A)
    assert issuer.issuer_key is not None
    envelope = seal(
        issuer.issuer_key,
        context=contexts.STATEMENT,
        fleet=issuer.fleet,
        author=issuer_author(A),
        payload=encode(_renewal()),
    )
    refused_with("wrong_context", lambda: open_countersignature(envelope, directory(A, B)))


@pytest.mark.parametrize(
    "changes",
    [
        {"incarnation": 1},
        {"incarnation": limits.INCARNATION_MAX + 1},
        {"store": bytes(15)},
        {"mail": Known(incarnation=1, sequence=0, id=bytes(32))},
        {"mail": Known(incarnation=0, sequence=1, id=bytes(32))},
        {"mail": Known(incarnation=2, sequence=1, id=bytes(32))},
        {"ledger": Known(incarnation=1, sequence=limits.NUMBER_MAX + 1, id=bytes(32))},
        {"ledger": Known(incarnation=1, sequence=1, id=bytes(31))},
    ],
    ids=str,
)
def test_a_renewal_that_breaks_a_bound_is_refused(changes: dict[str, Any]) -> None:
    refused_with("bad_field", lambda: check_renewal(_renewal(**changes)))


def test_a_renewal_knows_the_end_of_each_chain() -> None:
    renewal = _renewal()
    assert (renewal.last(MAIL), renewal.last(LEDGER)) == (renewal.mail, None)


@pytest.mark.parametrize(
    ("author", "allowed"),
    [(ROOT_AUTHOR, True), (f"issuer:{A}", True), (f"issuer:{B}", False), (A, False), (B, False)],
)
def test_the_root_and_other_machines_issuer_keys_may_countersign(author: str, allowed: bool) -> None:
    assert vouched_by(author, B) is allowed
