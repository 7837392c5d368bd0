"""The frozen history of the ledger still gives the same outcomes and digests, and its bodies are still read."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.codec import records
from roosync_p2p.entries.entry import read_entry
from roosync_p2p.ids import CommitNumber, Epoch, StoreId
from roosync_p2p.ledger.apply import apply, apply_voters
from roosync_p2p.ledger.cursors import Take, takes
from roosync_p2p.ledger.kinds import KINDS
from roosync_p2p.ledger.outcomes import Applied
from roosync_p2p.ledger.state import State
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import verify
from tests.vectors.record_ledger import VECTORS, load

_VECTOR = load("ledger")


def _step(state: State, step: dict[str, Any], directory: Directory) -> Applied:
    number, time_ms, epoch = CommitNumber(step["number"]), step["time_ms"], Epoch(step["epoch"])
    if "voters" in step:
        voters = [(machine, StoreId(bytes.fromhex(store))) for machine, store in step["voters"]]
        return apply_voters(state, number=number, time_ms=time_ms, epoch=epoch, voters=voters)
    envelope = bytes.fromhex(step["envelope"])
    verified = verify(envelope, context=contexts.ENTRY, directory=directory, size_max=limits.ENTRY_HEADER_BYTES_MAX)
    entry = read_entry(verified, bytes.fromhex(step["body"]))
    assert takes(state, entry, root=directory.root.der) is Take.NEXT
    return apply(state, number=number, time_ms=time_ms, epoch=epoch, entry=entry, root=directory.root.der)


def test_what_is_written_has_not_changed() -> None:
    assert VECTORS["ledger"]() == _VECTOR


def test_the_frozen_history_gives_the_same_outcomes_and_digests() -> None:
    """From the bytes alone: every entry is verified, taken and applied."""
    directory = Directory.found(bytes.fromhex(_VECTOR["root"]))
    for leaf, issuer in _VECTOR["machines"].values():
        directory = directory.with_chain(bytes.fromhex(leaf), bytes.fromhex(issuer))
    state = State()
    for step in _VECTOR["history"]:
        applied = _step(state, step, directory)
        state = state.with_changes(applied.changes)
        assert (applied.outcome.accepted, applied.outcome.reason) == (step["accepted"], step["reason"]), step["number"]
        assert state.digest.hex() == step["digest"], step["number"]
    assert {key: value.hex() for key, value in state.items()} == _VECTOR["state"]


def test_the_frozen_state_is_loaded_with_its_digest() -> None:
    pairs = [(key, bytes.fromhex(value)) for key, value in _VECTOR["state"].items()]
    assert State.load(pairs).digest.hex() == _VECTOR["history"][-1]["digest"]


@pytest.mark.parametrize("kind", sorted(_VECTOR["bodies"]))
def test_frozen_bodies_are_read_and_written_the_same(kind: str) -> None:
    for text in _VECTOR["bodies"][kind]:
        body = records.decode(bytes.fromhex(text), KINDS[kind].body)
        assert records.encode(body).hex() == text


def test_every_kind_has_a_frozen_body_or_is_in_the_history() -> None:
    carriers = {kind for kind, row in KINDS.items() if row.body is KINDS["time.reset"].body}
    shown = {*_VECTOR["bodies"], *(step.get("kind") for step in _VECTOR["history"]), *carriers}
    assert set(KINDS) <= shown
