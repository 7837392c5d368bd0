"""Entries, frames and records that were frozen are still what this program writes, and still what it reads."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core import wire
from roosync_p2p.core.intake import prepare
from roosync_p2p.entries.chains import Chains, Fit
from roosync_p2p.entries.entry import Entry, read_entry
from roosync_p2p.entries.incarnations import Renewal, open_countersignature, read_chain_start
from roosync_p2p.errors import PeerFault
from roosync_p2p.mailbox.message import decode_message
from roosync_p2p.mailbox.receipts import decode_receipt
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import verify
from tests.vectors.record_entries import VECTORS, frames_by_name, load


def _directory(vector: dict[str, Any]) -> Directory:
    directory = Directory.found(bytes.fromhex(vector["root"]))
    for leaf, issuer in vector["certificates"]:
        directory = directory.with_chain(bytes.fromhex(leaf), bytes.fromhex(issuer))
    return directory


def _entry(shown: dict[str, Any], directory: Directory) -> Entry:
    envelope = bytes.fromhex(shown["envelope"])
    size_max = limits.ENTRY_HEADER_BYTES_MAX
    verified = verify(envelope, context=contexts.ENTRY, directory=directory, size_max=size_max)
    return read_entry(verified, bytes.fromhex(shown["body"]))


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_what_is_written_has_not_changed(name: str) -> None:
    assert VECTORS[name]() == load(name)


def test_frozen_entries_verify_and_are_what_they_say() -> None:
    vector = load("entries")
    directory = _directory(vector)
    for shown in (*vector["ledger"], *vector["mail"], *vector["next_life"], *vector["fork"]):
        entry = _entry(shown, directory)
        assert entry.id.hex() == shown["id"] == hashlib.sha256(bytes.fromhex(shown["signed"])).hexdigest()
        assert hashlib.sha256(bytes.fromhex(shown["body"])).hexdigest() == shown["body_sha256"]
        for field in ("author", "incarnation", "chain", "sequence", "time_ms", "kind", "size"):
            assert getattr(entry.header, field) == shown[field]


def test_frozen_chains_hold_together() -> None:
    vector = load("entries")
    chains, directory = Chains(), _directory(vector)
    for shown in (*vector["ledger"], *vector["mail"]):
        entry = _entry(shown, directory)
        assert chains.fit(entry) is Fit.NEXT
        chains.append(entry)
    assert chains.fit(_entry(vector["fork"][1], directory)) is Fit.FORK


def test_the_frozen_next_life_is_countersigned() -> None:
    vector = load("entries")
    directory = _directory(vector)
    renewal = open_countersignature(bytes.fromhex(vector["countersignature"]), directory)
    assert renewal == decode(bytes.fromhex(vector["renewal"]), Renewal)
    for shown in vector["next_life"]:
        entry = _entry(shown, directory)
        assert read_chain_start(entry, directory).previous == renewal.last(entry.chain)


def test_the_frozen_message_and_receipt_are_read() -> None:
    vector = load("entries")
    message = decode_message(bytes.fromhex(vector["message"]["bytes"]))
    shown = vector["message"]
    assert (message.id, message.to, message.subject, message.body, message.thread_id) == tuple(
        shown[field] for field in ("id", "to", "subject", "text", "thread_id")
    )
    (item,) = decode_receipt(bytes.fromhex(vector["receipt"])).read
    assert item.message.hex() == vector["mail"][1]["id"]


def test_every_frame_is_frozen() -> None:
    assert set(load("frames")["frames"]) == wire._KNOWN == set(frames_by_name())


@pytest.mark.parametrize("name", sorted(frames_by_name()))
def test_a_frozen_frame_is_read_and_everything_in_it_verifies(name: str) -> None:
    vector = load("frames")
    prepared = prepare(bytes.fromhex(vector["frames"][name]), _directory(vector))
    assert prepared.frame == frames_by_name()[name]
    assert not [part for part in prepared.parts if isinstance(part, PeerFault)]


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("heartbeat", contexts.HEARTBEAT),
        ("frontier", contexts.FRONTIER),
        ("floor", contexts.FLOOR),
        ("relay", contexts.RELAY),
    ],
)
def test_a_frozen_record_verifies_for_its_purpose(name: str, context: str) -> None:
    vector = load("frames")
    envelope = bytes.fromhex(vector["records"][name])
    assert verify(envelope, context=context, directory=_directory(vector), size_max=len(envelope)).author == "machine-b"
