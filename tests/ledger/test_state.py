"""The state: immutable, its digest independent of the way, its values canonical."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.ids import CommitNumber, Epoch, StoreId
from roosync_p2p.ledger.apply import apply, apply_voters
from roosync_p2p.ledger.outcomes import Applied
from roosync_p2p.ledger.state import State
from tests.ledger.history import FLEET, A, B, C, History
from tests.ledger.stories import acquire, conflicted, strategy

_KEYS = st.sampled_from(["a", "b", "a/1", "a/2", "b/1", "b/é", "c/" + "x" * 40])
_CHANGES = st.dictionaries(_KEYS, st.none() | st.binary(max_size=8), max_size=4)


def naive_digest(pairs: dict[str, bytes]) -> bytes:
    total = 0
    for key, value in pairs.items():
        name = key.encode()
        total += int.from_bytes(hashlib.sha256(len(name).to_bytes(4, "big") + name + value).digest(), "big")
    return (total % 2**256).to_bytes(32, "big")


@given(st.lists(_CHANGES, max_size=8))
def test_a_state_is_its_pairs_and_the_states_before_it_stay_what_they_were(rows: list[dict[str, bytes | None]]) -> None:
    """Invariant: pairs and digest as a plain dictionary has them, at every step, and still so at the end."""
    state, pairs = State(), dict[str, bytes]()
    seen = [(state, dict(pairs))]
    for changes in rows:
        state = state.with_changes(changes)
        for key, value in changes.items():
            if value is None:
                pairs.pop(key, None)
            else:
                pairs[key] = value
        seen.append((state, dict(pairs)))
    for earlier, expected in seen:
        assert dict(earlier.items()) == expected
        assert earlier.digest == naive_digest(expected) == State.load(expected.items()).digest
        assert len(earlier) == len(expected)
        assert earlier == State.load(expected.items())


@given(st.dictionaries(_KEYS, st.binary(max_size=4)))
def test_tables_are_read_by_key(pairs: dict[str, bytes]) -> None:
    state = State.load(pairs.items())
    for table in ("a", "b", "c", "d"):
        expected = sorted((key, value) for key, value in pairs.items() if key.partition("/")[0] == table)
        assert list(state.table(table)) == expected
        assert state.count(table) == len(expected)
        assert sorted(pair for number in range(256) for pair in state.part(table, number)) == expected
    assert [key for key, _ in state.items()] == sorted(pairs)


def test_an_empty_state_has_an_empty_digest() -> None:
    assert State().digest == bytes(32)
    assert State().with_changes({"a": None}).digest == bytes(32)


def test_key_and_value_are_told_apart() -> None:
    assert State.load([("ab", b"c")]).digest != State.load([("a", b"bc")]).digest


def test_every_value_of_a_full_history_is_canonical(full: History) -> None:
    """What the fast encoder wrote is what the codec of the wire would write."""
    tables = {key.partition("/")[0] for key, _ in full.state.items()}
    assert tables >= {"claim", "cursor", "decision", "due", "fleet", "issuer", "live", "member", "policy", "register"}
    for value in dict(full.state.items()).values():
        assert pack(unpack(value)) == value


@pytest.fixture
def full() -> History:
    history = History(B, C)

    acquire(history, B)
    acquire(history, C, queue=True)
    strategy(history, {"*": "manual"})
    conflicted(history)
    return history


def test_a_history_replayed_gives_the_same_digests(full: History) -> None:
    """Without the checks of the helper: states one after the other, as a node has them."""

    def step(state: State, applied: Applied) -> State:
        return state.with_changes(applied.changes)

    seats = [(A, StoreId(bytes(16)))]
    first = apply_voters(State(), number=CommitNumber(1), time_ms=full.log[0][1], epoch=Epoch(0), voters=seats)
    state = step(State(), first)
    for number, time_ms, entry in full.log:
        applied = apply(
            state, number=CommitNumber(number), time_ms=time_ms, epoch=Epoch(0), entry=entry, root=FLEET.root
        )
        state = step(state, applied)
    assert state.digest == full.state.digest
